#pragma once

#include <set>
#include <string>
#include <string_view>

namespace verilabel {

/// Which images a reader takes by the split that is asked for, for formats whose images say their split one by one: those of that
/// split and those without any, since a file may be of one split and not say so. Private to the module.
class SplitFilter {
 public:
  /// Without a name every image is taken.
  explicit SplitFilter(std::string_view wanted) : wanted_(wanted) {}

  bool takes(const std::string& split);
  /// Once all images are known. Throws `wrong_use` with the splits that there are when none is of the one that is asked for.
  void check(std::string_view file) const;

 private:
  std::string wanted_;
  std::set<std::string> others_;
  bool has_taken_ = false;
};

}  // namespace verilabel
