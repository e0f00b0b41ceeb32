#include "verilabel/formats/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/line_stream.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::string_literals;

struct Recorded {
  std::vector<MetadataRow> rows;
  std::vector<Rejection> rejections;

  /// `kind reason line field` of each rejection.
  std::vector<std::string> faults() const {
    std::vector<std::string> all;
    for (const Rejection& rejection : rejections) {
      all.push_back(fmt::format("{} {} {} {}", name_of(rejection.kind), name_of(rejection.reason), rejection.line.value_or(0),
                                rejection.field));
      EXPECT_FALSE(rejection.message.empty());
    }
    return all;
  }
};

Recorded read(const std::string& name, const std::string& content, const std::string& key = "") {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.write(name, content);
  Recorded recorded;
  metadata_format("", path).read(path, {.key = key, .progress = {}},
                                 {[&](MetadataRow&& row) { recorded.rows.push_back(std::move(row)); },
                                  [&](Rejection&& rejection) { recorded.rejections.push_back(std::move(rejection)); }});
  return recorded;
}

std::string error_of(const std::string& name, const std::string& content, const std::string& key = "",
                     ErrorCode code = ErrorCode::bad_data) {
  try {
    read(name, content, key);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Metadata, TheFormatIsTheOneNamedOrThatOfTheFile) {
  EXPECT_EQ(metadata_format("", "a/B.CSV").name, "csv");
  EXPECT_EQ(metadata_format("", "a.tsv").name, "csv");
  EXPECT_EQ(metadata_format("", "a.jsonl").name, "json-lines");
  EXPECT_EQ(metadata_format("json-lines", "a.csv").name, "json-lines");
  for (const auto& [name, path] : {std::pair("", "a.json"), std::pair("", "csv"), std::pair("yaml", "a.csv")}) {
    try {
      metadata_format(name, path);
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::wrong_use);
      EXPECT_THAT(error.what(), HasSubstr("json-lines"));
    }
  }
}

TEST(Metadata, CellsKeepTheirType) {
  const Recorded recorded = read("a.csv",
                                 "\xEF\xBB\xBF Path ,scene,iso,wet,taken,gone,code,Tags,split\r\n"
                                 "a.jpg, night ,1600,True,2024-05-01T22:00,null,007,wet; late,val\r\n"
                                 "/x/../b.jpg,\"two\r\nlines, \"\"q\"\"\",-1.5e3,false,,,\"\"\"12\"\"\",,\r\n"
                                 ",,,,,,,,\r\n"
                                 "c,,,,,,,,\n");
  ASSERT_EQ(recorded.rows.size(), 3U);
  const MetadataRow& first = recorded.rows[0];
  EXPECT_EQ(first.line, 2U);
  EXPECT_EQ(first.image.name, "a.jpg");
  EXPECT_EQ(first.image.fields_json,
            R"({"scene":"night","iso":1600,"wet":true,"taken":"2024-05-01T22:00","gone":null,"code":"007"})");
  EXPECT_EQ(first.field_values, 6);
  EXPECT_THAT(first.image.tags, ElementsAre("wet", "late"));
  EXPECT_EQ(first.image.split, "val");
  const MetadataRow& second = recorded.rows[1];
  EXPECT_EQ(second.image.path, "/b.jpg");
  EXPECT_EQ(second.image.fields_json, R"({"scene":"two\r\nlines, \"q\"","iso":-1.5e3,"wet":false,"code":"12"})");
  EXPECT_EQ(recorded.rows[2].line, 6U);
  EXPECT_EQ(recorded.rows[2].image.form, NameForm::whole_or_stem);
  EXPECT_EQ(recorded.rows[2].image.fields_json, "");
  EXPECT_THAT(recorded.rejections, IsEmpty());
}

TEST(Metadata, CellsOfJsonAreWhatTheyAreInALine) {
  const Recorded recorded = read("a.csv",
                                 "path,gps,v\n"
                                 "1.jpg,\"{\"\"lat\"\": 1.5, \"\"at\"\":{\"\"zone\"\":\"\"Z\"\"}, \"\"l\"\":[1]}\",\"[1,2]\"\n"
                                 "2.jpg,{broken},[draft]\n"
                                 "3.jpg,{},\"\"\"{}\"\"\"\n"
                                 "4.jpg,\"{\"\"a\"\":1,\"\"a\"\":2}\",1\n");
  std::vector<std::string> fields;
  for (const MetadataRow& row : recorded.rows) {
    fields.push_back(row.image.fields_json);
  }
  EXPECT_THAT(fields, ElementsAre(R"({"gps.lat":1.5,"gps.at.zone":"Z"})", R"({"gps":"{broken}","v":"[draft]"})", R"({"v":"{}"})",
                                  R"({"v":1})"));
  EXPECT_EQ(recorded.rows[0].field_values, 2);
  EXPECT_THAT(recorded.faults(), ElementsAre("field unsupported 2 column 2 (gps), l", "field unsupported 2 column 3 (v)",
                                             testing::StartsWith("field ")));
}

TEST(Metadata, BadCellsCostThemselvesAndBadRowsTheirRow) {
  const Recorded recorded = read("a.csv",
                                 "image,a,b,\n"
                                 "1.jpg,nan,1,\n"
                                 "2.jpg,-Infinity,1e999,\n"
                                 "3.jpg,99999999999999999999,18446744073709551615,index\n"
                                 "4.jpg,1\n"
                                 "5.jpg,\"a\"b,2,\n"
                                 "6.jpg,\xFF,2,\n"
                                 ",1,2,\n"
                                 "8.jpg,\"\"\"nan\"\"\",nano,\n"
                                 "9.jpg,\"{\"\"n\"\":1,\"\"x\"\":{\"\"y\"\":1e999}}\",[1e999],\n"
                                 "10.jpg,{1e999},[1e999] x,\n"
                                 "11.jpg,1e-999,\"{\"\"n\"\":0." +
                                     std::string(350, '0') + "1}\",\n");
  EXPECT_THAT(recorded.faults(),
              ElementsAre("field not_finite 2 column 2 (a)", "field not_finite 3 column 2 (a)", "field out_of_range 3 column 3 (b)",
                          "field out_of_range 4 column 2 (a)", "field unsupported 4 column 4", "row malformed 5 ",
                          "row malformed 6 column 2 (a)", "row malformed 7 column 2 (a)", "row missing_field 8 column 1 (image)",
                          "field out_of_range 10 column 2 (a), x.y", "field unsupported 10 column 3 (b)"));
  ASSERT_EQ(recorded.rows.size(), 7U);
  EXPECT_EQ(recorded.rows[4].image.fields_json, R"({"a.n":1})");
  EXPECT_EQ(recorded.rows[5].image.fields_json, R"({"a":"{1e999}","b":"[1e999] x"})");
  EXPECT_EQ(recorded.rows[6].image.fields_json, R"({"a":1e-999,"b.n":0.)" + std::string(350, '0') + "1}");
  EXPECT_EQ(recorded.rows[0].image.fields_json, R"({"b":1})");
  EXPECT_EQ(recorded.rows[1].image.fields_json, "");
  EXPECT_EQ(recorded.rows[2].image.fields_json, R"({"b":18446744073709551615})");
  EXPECT_EQ(recorded.rows[3].image.fields_json, R"({"a":"nan","b":"nano"})");
}

TEST(Metadata, AHeaderThatCannotBeMeantIsAnError) {
  EXPECT_THAT(error_of("a.csv", ""), HasSubstr("empty"));
  EXPECT_THAT(error_of("a.csv", "\n\n"), HasSubstr("no header"));
  EXPECT_THAT(error_of("a.csv", "scene,iso\na,1\n"), HasSubstr("`scene`, `iso`"));
  EXPECT_THAT(error_of("a.csv", "path,file_name\na,1\n"), HasSubstr("--metadata-key"));
  EXPECT_THAT(error_of("a.csv", "path,iso,scene, iso\na,1,,2\n"), HasSubstr("columns 2 and 4 are both called `iso`"));
  EXPECT_THAT(error_of("a.csv", "path,tags,Tags\na,1,2\n"), HasSubstr("columns 2 and 3"));
  EXPECT_THAT(error_of("a.csv", "path" + std::string(300'000, ',') + ",b,,b\na\n"), HasSubstr("columns 300002 and 300004"));
  EXPECT_THAT(error_of("a.csv", "path,iso\n1.jpg,\"open\n"), HasSubstr("never closed"));
  EXPECT_THAT(error_of("a.csv", "\xFF\xFEp\0"s), HasSubstr("UTF-16"));
  EXPECT_THAT(error_of("a.csv", "path,iso\na,1\n", "uid", ErrorCode::wrong_use), HasSubstr("`path`, `iso`"));
}

TEST(Metadata, TheKeyIsAColumnLikeAnyAndTheOthersAreFields) {
  const Recorded table = read("a.csv", "path,file_name\nx,1.jpg\n", "file_name");
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.rows[0].image.name, "1.jpg");
  EXPECT_EQ(table.rows[0].image.fields_json, R"({"path":"x"})");
  const Recorded lines = read("a.jsonl", R"({"path":"x","uid":"1.jpg"})", "uid");
  ASSERT_EQ(lines.rows.size(), 1U);
  EXPECT_EQ(lines.rows[0].image.name, "1.jpg");
  EXPECT_EQ(lines.rows[0].image.fields_json, R"({"path":"x"})");
}

TEST(Metadata, LinesOfJsonKeepTheirTypesAndObjectsGetDots) {
  const Recorded recorded = read(
      "a.jsonl",
      "\xEF\xBB\xBF\r\n"
      "{\"filepath\": \"a.jpg\", \"gps\": {\"lat\": -33.5, \"at\": {\"zone\": \"Z\"}, \"none\": {}}, \"wet\": true, \"n\": null, "
      "\"tags\": [\"x\", \"y; z\"], \"split\": \"train\", \"s\": \"\\u00e9\", \"gps.alt\": 1e2}\r\n"
      "   \n"
      "{\"filepath\":\"b.jpg\",\"tags\":\"x\",\"split\":null}");
  ASSERT_EQ(recorded.rows.size(), 2U);
  const MetadataRow& row = recorded.rows[0];
  EXPECT_EQ(row.line, 2U);
  EXPECT_EQ(row.image.fields_json, R"({"gps.lat":-33.5,"gps.at.zone":"Z","wet":true,"n":null,"s":"\u00e9","gps.alt":1e2})");
  EXPECT_THAT(row.image.tags, ElementsAre("x", "y; z"));
  EXPECT_EQ(row.image.split, "train");
  EXPECT_EQ(recorded.rows[1].line, 4U);
  EXPECT_THAT(recorded.rows[1].image.tags, ElementsAre("x"));
  EXPECT_THAT(recorded.rejections, IsEmpty());
}

TEST(Metadata, BadValuesCostThemselvesAndBrokenLinesTheirRow) {
  const std::string deep = "{\"path\":\"d\",\"a\":" +
                           std::string(80, '[').replace(0, 80,
                                                        [] {
                                                          std::string text;
                                                          for (int i = 0; i < 80; ++i) {
                                                            text += "{\"a\":";
                                                          }
                                                          return text;
                                                        }()) +
                           "1" + std::string(80, '}') + "}";
  const Recorded recorded = read("a.jsonl",
                                 "not json\n"
                                 "{\"path\":\"1\",\"a\":NaN,\"b\":1}\n"
                                 "{\"path\":\"2\",\"a\":[1],\"in\":{\"l\":[],\"k\":2}}\n"
                                 "{\"path\":\"3\",\"a\":1e999,\"b\":123456789012345678901234567890}\n"
                                 "{\"path\":\"4\",\"a\":tru}\n"
                                 "{\"path\":\"5\",\"a\":1\n"
                                 "{\"path\":\"6\",\"a\":1,\"a\":2}\n"
                                 "{\"path\":\"7\",\"g.a\":1,\"g\":{\"a\":2}}\n"
                                 "{\"path\":\"8\",\"a\":\"\xFF\"}\n"
                                 "{\"path\":\"9\",\"a\":\"\\ud800\"}\n"
                                 "{\"iso\":1}\n"
                                 "{\"path\":12}\n"
                                 "{\"path\":\"13\",\"tags\":[1],\"split\":2,\"\":3}\n"
                                 "{\"path\":\"14\"} more\n"
                                 "{\"path\":\"\"}\n"
                                 "[]\n" +
                                     deep + "\n{\"path\":\"18\",\"TAGS\":[\"a\"],\"tags\":[\"b\"]}\n" +
                                     "{\"path\":\"19\",\"split\":\"val\",\"Split\":\"train\"}\n");
  EXPECT_THAT(
      recorded.faults(),
      ElementsAre("row malformed 1 ", "field not_finite 2 a", "field unsupported 3 a", "field unsupported 3 in.l",
                  "field out_of_range 4 a", "field out_of_range 4 b", "row malformed 5 a", "row malformed 6 ", "row malformed 7 a",
                  "row malformed 8 g.a", "row malformed 9 ", "row malformed 10 a", "row missing_field 11 path",
                  "row malformed 12 path", "field unsupported 13 tags[0]", "field unsupported 13 split", "field unsupported 13 ",
                  "row malformed 14 ", "row missing_field 15 path", "row malformed 16 ",
                  testing::StartsWith("field unsupported 17 a.a.a"), "row malformed 18 tags", "row malformed 19 Split"));
  std::vector<std::string> names;
  for (const MetadataRow& row : recorded.rows) {
    names.push_back(row.image.name + row.image.fields_json);
  }
  EXPECT_THAT(names, ElementsAre(R"(1{"b":1})", R"(2{"in.k":2})", "3", "13", "d"));
}

TEST(Metadata, FilesThatAreNotLinesOfJsonAreErrors) {
  EXPECT_THAT(error_of("a.jsonl", ""), HasSubstr("empty"));
  EXPECT_THAT(error_of("a.jsonl", "[\n{\"path\":\"1\"}\n]\n"), HasSubstr("list"));
  EXPECT_THAT(error_of("a.jsonl", "{\"scene\":1}\n"), HasSubstr("`scene`"));
  EXPECT_THAT(error_of("a.jsonl", "{\"path\":\"1\",\"image\":\"2\"}\n"), HasSubstr("--metadata-key"));
  EXPECT_THAT(error_of("a.jsonl", "\xFE\xFFx"), HasSubstr("UTF-16"));
}

TEST(LineStream, LinesOfAnySizeAndEnd) {
  const TemporaryFolder folder;
  const std::string large(LineStream::kMaxLineBytes + 5, 'x');
  const std::string fits(LineStream::kMaxLineBytes, 'y');
  LineStream stream(folder.write("a.txt", "a\r\n\nb\rc\n" + large + "\n" + fits + "\r\nlast"));
  std::vector<std::string> seen;
  while (stream.next()) {
    seen.push_back(fmt::format("{} {} {}", stream.line(), stream.text().substr(0, 5), stream.is_too_large()));
  }
  EXPECT_THAT(seen, ElementsAre("1 a false", "2  false", "3 b\rc false", "4  true", "5 yyyyy false", "6 last false"));
  EXPECT_FALSE(stream.next());
  EXPECT_EQ(stream.bytes_consumed(), stream.file_bytes());
}

}  // namespace
}  // namespace verilabel
