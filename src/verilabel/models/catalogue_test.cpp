#include "verilabel/models/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

constexpr std::string_view kEntry = R"({"repository": "org/name", "task": "detection", "family": "yolox", "files": ["model.onnx"],
  "size_mb": 4, "speed_class": "fast", "licence": "mit", "default_floor": 0.05, "about": "boxes", "unverified": ["licence"]})";

std::string document(std::string_view from = "", std::string_view to = "") {
  std::string entry(kEntry);
  if (!from.empty()) {
    entry.replace(entry.find(from), from.size(), to);
  }
  return "[" + entry + "]";
}

TEST(Catalogue, EveryEntryIsWholeAndNamesGraphs) {
  ASSERT_FALSE(catalogue().empty());
  for (const CatalogueEntry& entry : catalogue()) {
    EXPECT_THAT(entry.repository, testing::MatchesRegex("[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+"));
    EXPECT_THAT(entry.files, testing::Each(testing::EndsWith(".onnx"))) << entry.repository;
    EXPECT_EQ(find_in_catalogue(entry.repository), &entry);
  }
  EXPECT_EQ(find_in_catalogue("org/unknown"), nullptr);
}

TEST(Catalogue, AnEntryIsReadAsItStands) {
  const CatalogueEntry entry = catalogue_from_json(document()).at(0);
  EXPECT_EQ(entry.repository, "org/name");
  EXPECT_THAT(entry.files, testing::ElementsAre("model.onnx"));
  EXPECT_EQ(entry.size_mb, 4);
  EXPECT_EQ(entry.default_floor, 0.05);
  EXPECT_THAT(entry.unverified, testing::ElementsAre("licence"));
  EXPECT_EQ(catalogue_from_json(document("0.05", "null")).at(0).default_floor, std::nullopt);
}

TEST(Catalogue, AMistakeIsNamed) {
  const auto field_of = [](const std::string& text) {
    try {
      catalogue_from_json(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data);
      return error.context().empty() ? std::string("document") : error.context().back().second;
    }
    return std::string("none");
  };
  EXPECT_EQ(field_of("{}"), "document");
  EXPECT_EQ(field_of("["), "document");
  EXPECT_EQ(field_of(document("\"detection\"", "\"detecting\"")), "task");
  EXPECT_EQ(field_of(document("\"fast\"", "\"quick\"")), "speed_class");
  EXPECT_EQ(field_of(document("4", "0")), "size_mb");
  EXPECT_EQ(field_of(document("0.05", "1.5")), "default_floor");
  EXPECT_EQ(field_of(document("[\"model.onnx\"]", "[]")), "files");
  EXPECT_EQ(field_of(document("\"about\": \"boxes\",", "")), "about");
  EXPECT_EQ(field_of(document("\"about\"", "\"abuot\"")), "abuot");
  EXPECT_EQ(field_of(document("[\"licence\"]", "[\"license\"]")), "unverified");
  std::string twice = document();
  twice.insert(twice.size() - 1, "," + std::string(kEntry));
  EXPECT_EQ(field_of(twice), "repository");
}

}  // namespace
}  // namespace verilabel
