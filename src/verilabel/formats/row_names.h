#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "verilabel/formats/import.h"

namespace verilabel {

/// The images and classes that rows of a table name, in the order of their first row. They are announced some thousands at a time,
/// before the labels that need them; looking one up that was named before allocates nothing. Private to the module.
class RowNames {
 public:
  RowNames(ImportSink& sink, ReadCounts& counts) : sink_(sink), counts_(counts) {}

  struct Found {
    std::int64_t index = 0;
    bool is_new = false;
  };
  /// A new image is then filled in at `new_image`.
  Found image(std::string_view name);
  SourceImage& new_image() { return new_images_.back(); }
  /// A new class has this as its name until `new_class` is given another.
  Found class_named(std::string_view name);
  SourceClass& new_class() { return new_classes_.back(); }

  /// Hands over what is new, and keeps the answers.
  void announce();
  const std::string& name_of_image(std::int64_t image) const { return *image_names_[static_cast<std::size_t>(image)]; }
  /// What the project says of an image that was announced.
  ResolvedImage resolved(std::int64_t image) const;

 private:
  struct TextHash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard library's word
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Indices = std::unordered_map<std::string, std::int64_t, TextHash, std::equal_to<>>;
  /// 12 bytes an image, however many there are.
  struct Answer {
    std::int32_t width = 0;  // 0: not known
    std::int32_t height = 0;
    Resolution resolution = Resolution::found;
  };

  struct LookedUp {
    const std::string* name = nullptr;
    Found found;
  };
  static LookedUp look_up(Indices& indices, std::string_view name);

  ImportSink& sink_;
  ReadCounts& counts_;
  Indices images_;
  std::vector<const std::string*> image_names_;  ///< the keys of `images_`, which stay where they are
  Indices classes_;
  std::vector<Answer> answers_;
  std::vector<SourceImage> new_images_;
  std::vector<SourceClass> new_classes_;
};

}  // namespace verilabel
