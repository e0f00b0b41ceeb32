#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace verilabel {

/// Class names as Ultralytics and YOLOv5 write them into a graph's metadata: the text of a Python dict from 0, 1, 2, … to strings,
/// or of a list of strings, with either kind of quote and the escapes \\ \' \" \n \t \r \xNN \uNNNN \UNNNNNNNN. Throws `bad_model`
/// saying at which character it is none, when the numbers are not 0 to n − 1, for a name that occurs twice, and when all are empty.
/// An empty one stands for no class.
std::vector<std::string> class_names_from_python(std::string_view text);

}  // namespace verilabel
