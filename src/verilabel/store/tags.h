#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/ids.h"
#include "verilabel/store/project.h"

namespace verilabel {

// Tags of samples and of labels are two lists of names. Each function is one transaction and returns how many really changed. They
// throw `not_found` for a sample or label that does not exist, `wrong_use` for a name that is empty or not UTF-8.

std::int64_t add_tag(Project& project, std::span<const SampleId> samples, std::string_view tag);
std::int64_t add_tag(Project& project, std::span<const LabelId> labels, std::string_view tag);
std::int64_t remove_tag(Project& project, std::span<const SampleId> samples, std::string_view tag);
std::int64_t remove_tag(Project& project, std::span<const LabelId> labels, std::string_view tag);

/// A named value of a sample, as JSON text.
struct SampleField {
  std::string name;
  std::string value_json;

  friend bool operator==(const SampleField&, const SampleField&) = default;
};
void set_field(Project& project, SampleId sample, const SampleField& field);
/// By name.
std::vector<SampleField> fields_of(const Project& project, SampleId sample);

struct SavedView {
  std::string name;
  std::string text;  ///< in the language of views

  friend bool operator==(const SavedView&, const SavedView&) = default;
};
/// Replaces one of that name.
void save_view(Project& project, const SavedView& view);
/// Throws `not_found`.
void remove_view(Project& project, std::string_view name);
/// By name.
std::vector<SavedView> saved_views(const Project& project);

}  // namespace verilabel
