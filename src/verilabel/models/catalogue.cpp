#include "verilabel/models/catalogue.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"

namespace verilabel {

namespace embedded {
std::string_view catalogue_json();
}  // namespace embedded

namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 6> kTasks = {"detection",      "open_vocabulary_detection", "segmentation",
                                                    "classification", "zero_shot_classification",  "embedding"};
constexpr std::array<std::string_view, 3> kSpeedClasses = {"fast", "medium", "slow"};
constexpr std::array<std::string_view, 10> kFields = {"repository",  "task",    "family",        "files", "size_mb",
                                                      "speed_class", "licence", "default_floor", "about", "unverified"};

/// Reads the fields of one entry, each of which has to be there.
class EntryReader {
 public:
  explicit EntryReader(const json& entry) : entry_(entry) {
    require(entry.is_object(), "", "an object");
    for (const auto& [key, value] : entry.items()) {
      require(std::ranges::find(kFields, key) != kFields.end(), key, "no field of this name");
    }
  }

  std::string text(const char* field) const {
    const json& value = at(field);
    require(value.is_string() && !value.get_ref<const std::string&>().empty(), field, "a text");
    return value.get<std::string>();
  }

  template <std::size_t Count>
  std::string one_of(const char* field, const std::array<std::string_view, Count>& words) const {
    std::string word = text(field);
    require(std::ranges::find(words, word) != words.end(), field, "one of the words that the field knows");
    return word;
  }

  std::vector<std::string> texts(const char* field) const {
    const json& value = at(field);
    require(value.is_array() && std::ranges::all_of(value, [](const json& item) { return item.is_string(); }), field,
            "a list of texts");
    return value.get<std::vector<std::string>>();
  }

  std::int64_t positive(const char* field) const {
    const json& value = at(field);
    require(value.is_number_integer() && value.get<std::int64_t>() > 0, field, "a number above 0");
    return value.get<std::int64_t>();
  }

  std::optional<double> share(const char* field) const {
    const json& value = at(field);
    require(value.is_null() || (value.is_number() && value.get<double>() >= 0 && value.get<double>() <= 1), field,
            "null or a number from 0 to 1");
    return value.is_null() ? std::nullopt : std::optional(value.get<double>());
  }

  void require(bool holds, std::string_view field, std::string_view what) const {
    if (!holds) {
      const bool is_named = entry_.is_object() && entry_.contains("repository") && entry_["repository"].is_string();
      throw Error(ErrorCode::bad_data, fmt::format("the catalogue of models needs {}", what),
                  {{"repository", is_named ? entry_["repository"].get<std::string>() : "?"}, {"field", std::string(field)}});
    }
  }

 private:
  const json& at(const char* field) const {
    require(entry_.contains(field), field, "this field");
    return entry_[field];
  }

  const json& entry_;
};

}  // namespace

std::vector<CatalogueEntry> catalogue_from_json(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (!document.is_array()) {
    throw Error(ErrorCode::bad_data, "the catalogue of models is a JSON list");
  }
  std::vector<CatalogueEntry> entries;
  std::set<std::string> repositories;
  for (const json& item : document) {
    const EntryReader reader(item);
    CatalogueEntry entry;
    entry.repository = reader.text("repository");
    reader.require(repositories.insert(entry.repository).second, "repository", "each repository once");
    entry.task = reader.one_of("task", kTasks);
    entry.family = reader.text("family");
    entry.files = reader.texts("files");
    reader.require(!entry.files.empty(), "files", "at least one graph");
    entry.size_mb = reader.positive("size_mb");
    entry.speed_class = reader.one_of("speed_class", kSpeedClasses);
    entry.licence = reader.text("licence");
    entry.default_floor = reader.share("default_floor");
    entry.about = reader.text("about");
    entry.unverified = reader.texts("unverified");
    for (const std::string& field : entry.unverified) {
      reader.require(std::ranges::find(kFields, field) != kFields.end(), "unverified", "names of fields");
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

const std::vector<CatalogueEntry>& catalogue() {
  static const std::vector<CatalogueEntry> entries = catalogue_from_json(embedded::catalogue_json());
  return entries;
}

const CatalogueEntry* find_in_catalogue(std::string_view repository) {
  const auto found = std::ranges::find(catalogue(), repository, &CatalogueEntry::repository);
  return found == catalogue().end() ? nullptr : &*found;
}

}  // namespace verilabel
