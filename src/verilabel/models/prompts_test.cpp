#include "verilabel/models/prompts.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/models/testing_engine.h"

namespace verilabel {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

Prompts read(const std::string& name, const std::string& content) {
  const ModelFolder folder;
  return read_prompts(folder.write(name, content));
}

TEST(Prompts, ALineIsAClassWithItsPhrasings) {
  const Prompts prompts =
      read("classes.txt", "# vehicles\ncar: sedan | hatchback |SUV\r\n\n  traffic light \n- sky\n-wall, painted\n");
  EXPECT_THAT(prompts.classes,
              ElementsAre(PromptClass{"car", {"sedan", "hatchback", "SUV"}}, PromptClass{"traffic light", {"traffic light"}}));
  EXPECT_THAT(prompts.negatives, ElementsAre("sky", "wall, painted"));
  EXPECT_TRUE(prompts.has_phrasings());
  EXPECT_FALSE(prompts_of_names({"a", "b"}).has_phrasings());
  EXPECT_EQ(read("classes.txt", "ratio 4:3 screen\n").classes.front().name, "ratio 4:3 screen") << "a colon needs a space";
}

TEST(Prompts, JsonComesBackAsItWas) {
  Prompts prompts = prompts_of_names({"dog", "\"quoted\""});
  prompts.classes.push_back({"car", {"sedan", "Pkw"}});
  prompts.negatives = {"sky"};
  prompts.templates = {"a photo of a {}."};
  EXPECT_EQ(prompts_from_json(json_from(prompts)), prompts);
  EXPECT_EQ(read("classes.json", json_from(prompts)), prompts);
  EXPECT_EQ(read("classes.json", R"(["dog", {"name": "car"}])"), prompts_of_names({"dog", "car"}));
}

TEST(Prompts, FaultyFilesAreRefusedByLineOrKey) {
  const auto fault = [](const std::string& name, const std::string& content) {
    const Error error = error_of([&] { read(name, content); });
    EXPECT_EQ(error.code(), ErrorCode::bad_data);
    return std::string(error.what());
  };
  EXPECT_THAT(fault("c.txt", "# nothing\n"), HasSubstr("names none"));
  EXPECT_THAT(fault("c.txt", "dog\ncar: sedan || SUV\n"), HasSubstr("line: 2"));
  EXPECT_THAT(fault("c.txt", "dog\n-\n"), HasSubstr("a negative is empty"));
  EXPECT_THAT(fault("c.txt", "dog: hound |"), AllOf(HasSubstr("'dog' has an empty phrasing"), HasSubstr("line: 1")));
  EXPECT_THAT(fault("c.txt", "dog: | hound"), HasSubstr("'dog' has an empty phrasing"));
  EXPECT_THAT(fault("c.txt", "\n[\"dog\", \"cat\"]\n"), HasSubstr("ends in .json"));
  EXPECT_THAT(fault("c.txt", R"({"classes": ["dog"]})"), HasSubstr("ends in .json"));
  EXPECT_THAT(fault("C.JSON", R"(["dog", " "])"), HasSubstr("classes[1] has an empty name"));
  EXPECT_THAT(fault("c.txt", "dog\n : hound\n"), AllOf(HasSubstr("an empty name"), HasSubstr("line: 2")));
  EXPECT_THAT(fault("c.json", R"(["dog", " "])"), HasSubstr("classes[1] has an empty name"));
  EXPECT_THAT(fault("c.json", R"(["dog", {"name": "", "phrasings": ["hound"]}])"), HasSubstr("classes[1] has an empty name"));
  for (const char* line : {"car:", "car: "}) {
    EXPECT_THAT(fault("c.txt", fmt::format("dog\n{}\n", line)),
                AllOf(HasSubstr("are written name: phrasing | phrasing"), HasSubstr("line: 2")))
        << line;
  }
  EXPECT_THAT(fault("c.txt", "dog\ncaf\xe9\n"),
              AllOf(HasSubstr("the byte \\xe9"), HasSubstr("save it as UTF-8"), HasSubstr("line: 2")));
  EXPECT_THAT(fault("c.json", "[\"dog\",\n\"caf\xe9\"]"), AllOf(HasSubstr("save it as UTF-8"), HasSubstr("line: 2")));
  const std::string utf16("d\0o\0g\0\n\0", 8);
  EXPECT_THAT(fault("c.txt", "\xff\xfe" + utf16), AllOf(HasSubstr("save it as UTF-8"), HasSubstr("line: 1")));
  EXPECT_THAT(fault("c.txt", utf16), AllOf(HasSubstr("'d\\x00o\\x00g\\x00'"), HasSubstr("as UTF-8"), HasSubstr("line: 1")));
  EXPECT_THAT(fault("c.txt", "dog\nc\x01t\n"), AllOf(HasSubstr("'c\\x01t' holds control"), HasSubstr("line: 2")));
  EXPECT_THAT(fault("c.json", R"(["dog", "a\u0000b"])"), HasSubstr("classes[1] holds control characters: a\\x00b"));
  EXPECT_THAT(fault("c.json", R"({"classes": ["dog"], "negatives": ["a\nb"]})"),
              HasSubstr("negatives[0] holds control characters"));
  EXPECT_THAT(fault("c.json", "[\"dog\""), HasSubstr("not JSON"));
  EXPECT_THAT(fault("c.json", R"({"classes": ["dog"], "negatives": [1e999]})"), HasSubstr("a number beyond"));
  EXPECT_THAT(fault("c.json", "{}"), HasSubstr("list of classes"));
  EXPECT_THAT(fault("c.json", "[1]"), HasSubstr("classes[0]"));
  EXPECT_THAT(fault("c.json", R"([{"name": "car", "phrasing": []}])"), HasSubstr("classes[0].phrasing means nothing"));
  EXPECT_THAT(fault("c.json", R"([{"name": "car", "phrasings": "sedan"}])"), HasSubstr("classes[0].phrasings must be a list"));
  EXPECT_THAT(fault("c.json", R"({"classes": ["dog"], "negatives": ["sky", ""]})"), HasSubstr("negatives[1] is empty"));
  EXPECT_THAT(fault("c.json", R"({"classes": ["dog"], "negative": []})"), HasSubstr("negative means nothing"));
  EXPECT_THAT(fault("c.json", R"({"classes": ["dog"], "classes": ["cat"]})"),
              AllOf(HasSubstr("twice"), HasSubstr("field: classes")));
}

TEST(Prompts, AByteOrderMarkIsNoPartOfAName) {
  EXPECT_EQ(read("classes.txt",
                 "\xEF\xBB\xBF"
                 "cat\ncafé\n"),
            prompts_of_names({"cat", "café"}));
  EXPECT_EQ(read("classes.json",
                 "\xEF\xBB\xBF"
                 "[\"cat\"]"),
            prompts_of_names({"cat"}));
  EXPECT_EQ(read("classes.json", R"(["a|b", "c:"])"), prompts_of_names({"a|b", "c:"})) << "names that a text file cannot hold";
}

TEST(Prompts, WhatCannotBeAskedIsRefused) {
  const auto fault = [](const Prompts& prompts) {
    const Error error = error_of([&] { prompts.validate(); });
    EXPECT_EQ(error.code(), ErrorCode::wrong_use);
    return std::string(error.what());
  };
  EXPECT_THAT(fault({}), HasSubstr("no class is named"));
  EXPECT_THAT(fault(prompts_of_names({"dog", " "})), HasSubstr("empty name"));
  EXPECT_THAT(fault(prompts_of_names({"dog", "cat", "dog"})), HasSubstr("'dog' is named twice"));
  EXPECT_THAT(fault(prompts_of_names({"caf\xe9"})), HasSubstr("the name of a class is not UTF-8: caf\\xe9"));
  EXPECT_THAT(fault(prompts_of_names({"a\tb"})), HasSubstr("control characters: a\\x09b"));
  EXPECT_THAT(fault({.classes = {{"car", {"car"}}}, .negatives = {"\xe9"}, .templates = {}}),
              HasSubstr("a negative phrasing is not UTF-8"));
  EXPECT_THAT(fault({.classes = {{"car", {}}}, .negatives = {}, .templates = {}}), HasSubstr("no phrasing"));
  EXPECT_THAT(fault({.classes = {{"car", {"vehicle"}}, {"bus", {"vehicle"}}}, .negatives = {}, .templates = {}}),
              HasSubstr("'vehicle' stands for 'car' and for 'bus'"));
  EXPECT_THAT(fault({.classes = {{"car", {"car"}}}, .negatives = {"car"}, .templates = {}}), HasSubstr("is a negative"));
  EXPECT_THAT(fault({.classes = {{"car", {"car"}}}, .negatives = {}, .templates = {"a photo"}}), HasSubstr("has no {}"));
  Prompts emoji = prompts_of_names({"🚗", "ねこ"});
  EXPECT_NO_THROW(emoji.validate());
}

}  // namespace
}  // namespace verilabel
