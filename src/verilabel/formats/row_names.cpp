#include "verilabel/formats/row_names.h"

#include <cassert>
#include <optional>
#include <utility>

namespace verilabel {

RowNames::LookedUp RowNames::look_up(Indices& indices, std::string_view name) {
  const auto known = indices.find(name);
  if (known != indices.end()) {
    return {&known->first, {known->second, false}};
  }
  const auto index = static_cast<std::int64_t>(indices.size());
  return {&indices.emplace(name, index).first->first, {index, true}};
}

RowNames::Found RowNames::image(std::string_view name) {
  const LookedUp image = look_up(images_, name);
  if (image.found.is_new) {
    new_images_.emplace_back().name = name;
    image_names_.push_back(image.name);
  }
  return image.found;
}

RowNames::Found RowNames::class_named(std::string_view name) {
  const LookedUp named = look_up(classes_, name);
  if (named.found.is_new) {
    new_classes_.emplace_back().name = name;
  }
  return named.found;
}

void RowNames::announce() {
  if (!new_classes_.empty()) {
    counts_.classes += static_cast<std::int64_t>(new_classes_.size());
    sink_.on_classes(std::exchange(new_classes_, {}));
  }
  if (new_images_.empty()) {
    return;
  }
  const std::size_t count = new_images_.size();
  counts_.images += static_cast<std::int64_t>(count);
  for (const SourceImage& image : new_images_) {
    counts_.images_labelled += image.is_labelled ? 1 : 0;
  }
  const std::vector<ResolvedImage> resolved = sink_.on_images(std::exchange(new_images_, {}));
  assert(resolved.size() == count);
  for (const ResolvedImage& image : resolved) {
    answers_.push_back({image.width.value_or(0), image.height.value_or(0), image.resolution});
  }
}

ResolvedImage RowNames::resolved(std::int64_t image) const {
  const Answer& answer = answers_[static_cast<std::size_t>(image)];
  const bool has_size = answer.width > 0 && answer.height > 0;
  return {answer.resolution, has_size ? std::optional(answer.width) : std::nullopt,
          has_size ? std::optional(answer.height) : std::nullopt};
}

}  // namespace verilabel
