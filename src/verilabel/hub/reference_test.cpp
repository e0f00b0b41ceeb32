#include "verilabel/hub/reference.h"

#include <gtest/gtest.h>

#include "verilabel/hub/http.h"

namespace verilabel {
namespace {

TEST(HubReference, NamesRepositoryRevisionAndFile) {
  const auto whole = parse_hub_reference("Org-1/na_me.v2@refs/pr/1");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->repository.text, "Org-1/na_me.v2");
  EXPECT_EQ(whole->revision, "refs/pr/1");
  EXPECT_EQ(whole->file, "");
  EXPECT_EQ(parse_hub_reference("org/name")->revision, "main");
  const auto file = parse_hub_reference("org/name@v1.0/onnx/model_fp16.onnx");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->revision, "v1.0");
  EXPECT_EQ(file->file, "onnx/model_fp16.onnx");
  EXPECT_EQ(parse_hub_reference("org/name/onnx/model.onnx")->file, "onnx/model.onnx");
}

TEST(HubReference, TextReadsBack) {
  for (const char* text : {"org/name", "org/name@v1", "org/name@refs/pr/1", "org/name@v1/onnx/model.onnx", "org/name/model.onnx"}) {
    EXPECT_EQ(parse_hub_reference(text)->text(), text);
  }
}

TEST(HubReference, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "name",
                           "/name",
                           "org/",
                           "org/name/other",
                           "a/b/c/d",
                           "org/../name",
                           "../name",
                           "org/na me",
                           "org/name@",
                           "org/name@../x",
                           "org/name@/etc",
                           "org/name@a..b",
                           "org/name@a b",
                           "org--x/name",
                           "org/na..me",
                           "-org/name",
                           "org/name-",
                           "org/name.git",
                           "org/name@v1/../model.onnx",
                           "models/yolox.onnx",
                           "./models",
                           "org/name@a\\b",
                           "org/n\xC3\xA4me",
                           "org/name@v1.onnx"}) {
    EXPECT_FALSE(parse_hub_reference(text)) << text;
  }
  EXPECT_FALSE(parse_hub_reference("org/" + std::string(100, 'a')));
}

TEST(HubReference, CommitsAreFortyDigits) {
  EXPECT_TRUE(is_commit("0123456789abcdef0123456789abcdef01234567"));
  EXPECT_FALSE(is_commit("0123456789ABCDEF0123456789abcdef01234567"));
  EXPECT_FALSE(is_commit("0123456789abcdef"));
  EXPECT_FALSE(is_commit("main"));
}

TEST(HubReference, PathsStayInTheirFolder) {
  for (const char* path : {"a", "onnx/model.onnx", "a b/c", "..a", "a..", "\xE6\x9D\xB1/x"}) {
    EXPECT_TRUE(is_safe_repository_path(path)) << path;
  }
  for (const char* path :
       {"", "/etc/passwd", "../x", "a/../../x", "a/..", ".", "a//b", "a/", "a\\..\\b", "\\x", "a\nb", "a\x7f", "\xff"}) {
    EXPECT_FALSE(is_safe_repository_path(path)) << path;
  }
  EXPECT_FALSE(is_safe_repository_path(std::string_view("a\0b", 3)));
}

TEST(Url, EscapesAllButUnreservedCharacters) {
  EXPECT_EQ(percent_encoded("refs/pr/1", false), "refs%2Fpr%2F1");
  EXPECT_EQ(percent_encoded("onnx/model fp16#1?.onnx", true), "onnx/model%20fp16%231%3F.onnx");
  EXPECT_EQ(percent_encoded("a-b_c.d~e", false), "a-b_c.d~e");
  EXPECT_EQ(percent_encoded("%+&\xE6\x9D\xB1", false), "%25%2B%26%E6%9D%B1");
}

TEST(Url, OriginsAreSchemeHostAndPort) {
  EXPECT_EQ(origin_of("https://HuggingFace.co/a/b?c#d"), "https://huggingface.co:443");
  EXPECT_EQ(origin_of("http://localhost:8000/x"), "http://localhost:8000");
  EXPECT_EQ(origin_of("https://hub@evil.example/"), "https://evil.example:443");
  EXPECT_EQ(origin_of("file:///etc/passwd"), "");
  EXPECT_EQ(origin_of("nonsense"), "");
}

TEST(Url, LocationsAreRelativeToTheRequest) {
  EXPECT_EQ(resolved_url("https://h.example/a/b?c", "/d/e?f"), "https://h.example/d/e?f");
  EXPECT_EQ(resolved_url("https://h.example/a/b", "c"), "https://h.example/a/c");
  EXPECT_EQ(resolved_url("https://h.example/a", "//other.example/x"), "https://other.example/x");
  EXPECT_EQ(resolved_url("https://h.example/a", "http://other.example:81/x"), "http://other.example:81/x");
  EXPECT_EQ(resolved_url("https://h.example/a", "ftp://other.example/x"), "");
  EXPECT_EQ(resolved_url("https://h.example/a", "file:///etc/passwd"), "");
}

}  // namespace
}  // namespace verilabel
