#include "verilabel/models/python_literal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/models/testing_engine.h"

namespace verilabel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PythonLiteral, ReadsWhatPythonWrites) {
  EXPECT_THAT(class_names_from_python("{0: 'person', 1: 'bicycle'}"), ElementsAre("person", "bicycle"));
  EXPECT_THAT(class_names_from_python("['person', 'bicycle']"), ElementsAre("person", "bicycle"));
  EXPECT_THAT(class_names_from_python(" {1 : \"b\" ,\n 0:'a' , } "), ElementsAre("a", "b"));
  EXPECT_THAT(class_names_from_python(R"({0: "driver's cab", 1: 'the "big" one', 2: 'it\'s', 3: 'back\\slash'})"),
              ElementsAre("driver's cab", "the \"big\" one", "it's", "back\\slash"));
  EXPECT_THAT(class_names_from_python(R"(['a\nb\tc\r', 'caf\xe9', '\u20ac', '\U0001f436', '\x41'])"),
              ElementsAre("a\nb\tc\r", "café", "€", "🐶", "A"));
  EXPECT_THAT(class_names_from_python("{0: 'Gänseblümchen', 1: '猫', 2: ' '}"), ElementsAre("Gänseblümchen", "猫", " "));
  EXPECT_THAT(class_names_from_python("{0: 'person', 1: ''}"), ElementsAre("person", "")) << "the background of YOLO-World";
}

TEST(PythonLiteral, RefusesEverythingElse) {
  for (const char* text : {
           "",
           "person",
           "{",
           "{}",
           "[]",
           "{0: 'a'",
           "{0: 'a",
           "{0: 'a\\",
           "{0: 'a'} x",
           "{0: 'a'} # remark",
           "{0 'a'}",
           "{0: a}",
           "{0: 'a' 1: 'b'}",
           "{0: 'a', 0: 'b'}",
           "{0: 'a', 2: 'b'}",
           "{1: 'a'}",
           "{-1: 'a', 0: 'b'}",
           "{'0': 'a'}",
           "{99999999999999999999: 'a'}",
           "{0: 'a', 1: 'a'}",
           "{0: ''}",
           "{0: '', 1: ''}",
           "['\\q']",
           "['\\x4']",
           "['\\xgg']",
           "['\\ud83d']",
           "['\\U00110000']",
           "['a\xff']",
           "[['a']]",
           "(‘a’)",
           "{0: 'a']",
           "['a'}",
       }) {
    const Error error = error_of([&] { class_names_from_python(text); });
    EXPECT_EQ(error.code(), ErrorCode::bad_model) << text;
  }
  EXPECT_THAT(error_of([] { class_names_from_python("{0: 'a' 1: 'b'}"); }).message(), HasSubstr("character 9"));
}

TEST(PythonLiteral, RefusesEveryTruncation) {
  const std::string whole = R"({0: 'per\'son', 1: "d'og", 2: 'caf\xe9'})";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(error_of([&] { class_names_from_python(whole.substr(0, size)); }).code(), ErrorCode::bad_model) << size;
  }
  EXPECT_EQ(class_names_from_python(whole).size(), 3u);
}

}  // namespace
}  // namespace verilabel
