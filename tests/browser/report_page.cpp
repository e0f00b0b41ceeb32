// The page of one evaluation document, from standard input to standard output: what the tests in a browser open.
#include <iostream>
#include <iterator>
#include <string>

#include "verilabel/workflow/report.h"

int main() {
  const std::string document(std::istreambuf_iterator<char>(std::cin), {});
  std::cout << verilabel::report_page(document);
  return std::cout.flush() ? 0 : 1;
}
