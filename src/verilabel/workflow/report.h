#pragma once

#include <string>
#include <string_view>

namespace verilabel {

/// One HTML page that shows an evaluation: `document_json`, a JSON document, with the style and the script that draw it. Nothing
/// in the document can end its place in the page, and the page's own policy allows nothing but what is in it: no request, no other
/// script or style. What the page reads of the document stands at the head of report/page.js.
std::string report_page(std::string_view document_json);

}  // namespace verilabel
