#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/yolo.h"

namespace verilabel {
namespace {

constexpr std::uint64_t kMaxYamlBytes = std::uint64_t{16} << 20;

class DataFile {
 public:
  explicit DataFile(const std::filesystem::path& file) : file_(file) {}

  YoloData read() {
    YAML::Node root;
    try {
      root = YAML::Load(read_file(file_, kMaxYamlBytes));
    } catch (const YAML::Exception& error) {
      throw Error(ErrorCode::bad_data, fmt::format("this is not valid YAML: {}", error.msg),
                  {{"file", file_.native()}, {"line", fmt::to_string(error.mark.line + 1)}});
    }
    if (!root.IsMap()) {
      fail("", "a data.yaml with the fields `names` and `train` or `val` is needed");
    }
    if (root["kpt_shape"]) {
      throw Error(ErrorCode::unsupported, "keypoints (`kpt_shape`) cannot be imported; use boxes or polygons",
                  {{"file", file_.native()}});
    }
    YoloData data;
    data.file = file_;
    data.class_names = class_names(root["names"]);
    check_class_count(root["nc"], data.class_names.size());
    data.root = root_folder(root["path"]);
    data.splits = splits(root);
    if (data.splits.empty()) {
      fail("train", "the file names no images: it needs `train`, `val` or `test`");
    }
    return data;
  }

 private:
  [[noreturn]] void fail(std::string field, std::string message) const {
    ErrorContext context = {{"file", file_.native()}};
    if (!field.empty()) {
      context.emplace_back("field", std::move(field));
    }
    throw Error(ErrorCode::bad_data, std::move(message), std::move(context));
  }

  std::string text(const YAML::Node& node, const std::string& field) const {
    if (!node.IsScalar()) {
      fail(field, "a text is needed here");
    }
    if (node.Scalar().find('\0') != std::string::npos) {
      fail(field, "the text holds a zero byte, which no name can");
    }
    return node.Scalar();
  }

  std::vector<std::string> class_names(const YAML::Node& node) const {
    if (!node || (!node.IsSequence() && !node.IsMap())) {
      fail("names", "the names of the classes are missing: a list, or a map from 0, 1, 2… to names");
    }
    std::vector<std::string> names(node.size());
    if (node.IsSequence()) {
      for (std::size_t i = 0; i < node.size(); ++i) {
        names[i] = text(node[i], fmt::format("names[{}]", i));
      }
    } else {
      std::vector<bool> is_named(node.size());
      for (const auto& entry : node) {
        const std::string key = text(entry.first, "names");
        std::size_t number = 0;
        const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number);
        if (error != std::errc() || end != key.data() + key.size() || number >= names.size() || is_named[number]) {
          fail("names",
               fmt::format("`{}` does not continue the numbers of the classes: {} names need the numbers 0 to {}, each once", key,
                           names.size(), names.size() - 1));
        }
        is_named[number] = true;
        names[number] = text(entry.second, fmt::format("names[{}]", number));
      }
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].empty()) {
        fail(fmt::format("names[{}]", i), "the class has an empty name");
      }
    }
    return names;
  }

  void check_class_count(const YAML::Node& node, std::size_t count) const {
    if (node && text(node, "nc") != fmt::to_string(count)) {
      fail("nc", fmt::format("`nc` is {} and there are {} names", node.Scalar(), count));
    }
  }

  /// `path` is relative to the file. When a dataset was moved, and no such folder is there, its own folder is what is meant.
  std::filesystem::path root_folder(const YAML::Node& node) const {
    const std::filesystem::path own = std::filesystem::absolute(file_).parent_path();
    if (!node || node.IsNull()) {
      return own;
    }
    const std::filesystem::path said = (own / text(node, "path")).lexically_normal();
    std::error_code ignored;  // a name that is too long is none
    return std::filesystem::is_directory(said, ignored) ? said : own;
  }

  /// In the order of the file, because of images that are named twice the first name counts.
  std::vector<YoloSplit> splits(const YAML::Node& root) const {
    std::vector<YoloSplit> result;
    std::set<std::string> seen;
    for (const auto& entry : root) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (key != "train" && key != "val" && key != "validation" && key != "test") {
        continue;
      }
      if (!seen.insert(key).second) {
        fail(key, "the split stands twice; name its folders in one list");
      }
      if (!entry.second.IsNull()) {
        result.push_back({key == "validation" ? "val" : key, entries(entry.second, key)});
      }
    }
    return result;
  }

  std::vector<std::string> entries(const YAML::Node& node, const std::string& field) const {
    std::vector<std::string> result;
    if (node.IsSequence()) {
      for (std::size_t i = 0; i < node.size(); ++i) {
        result.push_back(text(node[i], fmt::format("{}[{}]", field, i)));
      }
    } else {
      result.push_back(text(node, field));
    }
    return result;
  }

  std::filesystem::path file_;
};

}  // namespace

YoloData read_yolo_data(const std::filesystem::path& file) {
  return DataFile(file).read();
}

}  // namespace verilabel
