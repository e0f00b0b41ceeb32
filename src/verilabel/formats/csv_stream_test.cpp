#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/csv_stream.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::string_view_literals;

using Row = std::vector<std::string>;

Row fields_of(const CsvStream& stream) {
  return {stream.fields().begin(), stream.fields().end()};
}

TEST(CsvStream, ReadsQuotesSeparatorsAndLineBreaks) {
  const TemporaryFolder folder;
  CsvStream stream(
      folder.write("a.csv", "\xEF\xBB\xBF\r\na,\"b\"\"c\",d\r\n\"1,5\",\"two\nlines\r\nthree\",\"\"\"q\"\"\"\r\n\n,,\n7,8,9"));
  EXPECT_THAT(stream.header(), ElementsAre("a", "b\"c", "d"));
  ASSERT_TRUE(stream.next());
  EXPECT_THAT(fields_of(stream), ElementsAre("1,5", "two\nlines\r\nthree", "\"q\""));
  EXPECT_EQ(stream.line(), 3U);
  ASSERT_TRUE(stream.next());
  EXPECT_THAT(fields_of(stream), ElementsAre("", "", ""));
  EXPECT_EQ(stream.line(), 7U);  // two lines were inside quotes, one is blank
  ASSERT_TRUE(stream.next());
  EXPECT_THAT(fields_of(stream), ElementsAre("7", "8", "9"));
  EXPECT_EQ(stream.line(), 8U);
  EXPECT_FALSE(stream.fault());
  EXPECT_FALSE(stream.next());
  EXPECT_FALSE(stream.next());
}

TEST(CsvStream, RecognisesTheSeparatorFromTheHeader) {
  const TemporaryFolder folder;
  const std::tuple<std::string_view, char, Row> cases[] = {
      {"a,b\n1;2,3\n", ',', {"1;2", "3"}},
      {"a;b;c,d\n1,5;2;3\n", ';', {"1,5", "2", "3"}},
      {"a\tb\n1,5\t2;3\n", '\t', {"1,5", "2;3"}},
      {"\"a;b;c\",d\n1,2\n", ',', {"1", "2"}},
      {"alone\n1\n", ',', {"1"}},
      {"a,b\r1,2\r", ',', {"1", "2"}},
  };
  for (const auto& [text, separator, row] : cases) {
    CsvStream stream(folder.write("a.csv", text));
    EXPECT_EQ(stream.separator(), separator) << text;
    ASSERT_TRUE(stream.next()) << text;
    EXPECT_EQ(fields_of(stream), row) << text;
    EXPECT_EQ(stream.line(), 2U) << text;
    EXPECT_FALSE(stream.next()) << text;
  }
}

TEST(CsvStream, ReadsARowThatAnyByteOfCrossesTheEndOfABlock) {
  const TemporaryFolder folder;
  const std::string row = "\"a\"\"b\r\nc\",\"\",é\r\n\r\n";
  constexpr std::size_t kBlock = std::size_t{1} << 20;
  for (std::size_t before = 0; before <= row.size() + 1; ++before) {
    std::string text = "a,b,c\n,,";
    text += std::string(kBlock - before - text.size() - 1, 'x') + "\n";  // a block ends `before` bytes into the row
    const std::string file = text + row + "1,2,3\n";
    CsvStream stream(folder.write("a.csv", file));
    ASSERT_TRUE(stream.next());
    EXPECT_EQ(stream.fields()[2].size(), text.size() - 9);
    ASSERT_TRUE(stream.next());
    ASSERT_FALSE(stream.fault()) << stream.fault()->message;
    EXPECT_THAT(fields_of(stream), ElementsAre("a\"b\r\nc", "", "é")) << before;
    EXPECT_EQ(stream.line(), 3U);
    ASSERT_TRUE(stream.next());
    EXPECT_THAT(fields_of(stream), ElementsAre("1", "2", "3")) << before;
    EXPECT_EQ(stream.line(), 6U) << before;
    EXPECT_FALSE(stream.next());
  }
}

TEST(CsvStream, TellsFaultsOfSingleRowsAndGoesOn) {
  const TemporaryFolder folder;
  const std::tuple<std::string_view, const char*, const char*> cases[] = {
      {"1"sv, "", "1 columns and the header 2"},
      {"1,2,3"sv, "", "3 columns and the header 2"},
      {"1,"sv, nullptr, ""},
      {"\"1\"x,2"sv, "column 1 (a)", "behind the closing quote"},
      {"1,\"2\" "sv, "column 2 (b)", "behind the closing quote"},
      {"1,2\"3"sv, "column 2 (b)", "inside a field"},
      {"1,\0"sv, "column 2 (b)", "NUL"},
      {"\xE9t\xE9,1"sv, "column 1 (a)", "UTF-8"},
      {"1,\xED\xA0\x80"sv, "column 2 (b)", "UTF-8"},
      {"1,été"sv, nullptr, ""},
  };
  for (const auto& [row, field, message] : cases) {
    CsvStream stream(folder.write("a.csv", "a,b\nx,y\n" + std::string(row) + "\n\"x\ny\",z\nlast,row"));
    ASSERT_TRUE(stream.next());
    EXPECT_FALSE(stream.fault());
    ASSERT_TRUE(stream.next()) << row;
    EXPECT_EQ(stream.line(), 3U);
    ASSERT_EQ(stream.fault().has_value(), field != nullptr) << row;
    if (field != nullptr) {
      EXPECT_EQ(stream.fault()->field, field) << row;
      EXPECT_THAT(stream.fault()->message, HasSubstr(message)) << row;
    }
    ASSERT_TRUE(stream.next());
    EXPECT_THAT(fields_of(stream), ElementsAre("x\ny", "z"));
    ASSERT_TRUE(stream.next());
    EXPECT_EQ(stream.line(), 6U);
    EXPECT_FALSE(stream.fault());
    EXPECT_FALSE(stream.next());
  }
}

TEST(CsvStream, RefusesFieldsOfMoreThanAMegabyteAndReadsOn) {
  const TemporaryFolder folder;
  const std::string limit(CsvStream::kMaxFieldBytes, 'x');
  for (const bool is_quoted : {false, true}) {
    for (const std::size_t too_much : {std::size_t{0}, std::size_t{1}, std::size_t{5} << 20}) {
      const std::string large = limit + std::string(too_much, is_quoted ? '\n' : 'y');
      const std::string field = is_quoted ? '"' + large + '"' : large;
      CsvStream stream(folder.write("a.csv", "a,b,c\n1," + field + ",3\n4,5,6\n"));
      ASSERT_TRUE(stream.next());
      ASSERT_EQ(stream.fault().has_value(), too_much > 0);
      if (too_much > 0) {
        EXPECT_EQ(stream.fault()->reason, RejectionReason::too_large);
        EXPECT_EQ(stream.fault()->field, "column 2 (b)");
      } else {
        EXPECT_EQ(stream.fields()[1], large);
      }
      ASSERT_TRUE(stream.next());
      EXPECT_THAT(fields_of(stream), ElementsAre("4", "5", "6"));
      EXPECT_EQ(stream.line(), 3U + (is_quoted ? too_much : 0));
      EXPECT_FALSE(stream.fault());
    }
  }
}

TEST(CsvStream, RefusesAFileThatIsNoTable) {
  const TemporaryFolder folder;
  const std::tuple<std::string_view, const char*> cases[] = {
      {""sv, "empty"},
      {"\n\r\n\n"sv, "no header"},
      {"\xFF\xFE"
       "a\0,\0b\0"sv,
       "UTF-16"},
      {"a,b\0\n1,2\n"sv, "NUL"},
      {"a,\xE9\n1,2\n"sv, "UTF-8"},
      {"a,b;c\n1,2\n"sv, "separator"},
      {"a,\"b\nc\n"sv, "never closed"},
  };
  for (const auto& [text, message] : cases) {
    try {
      const CsvStream stream(folder.write("a.csv", text));
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data) << text;
      EXPECT_THAT(error.message(), HasSubstr(message));
      EXPECT_EQ(error.context().at(0).first, "file");
    }
  }
  EXPECT_THROW(CsvStream(folder.path() / "nothing.csv"), Error);
  EXPECT_THROW(CsvStream(folder.path()), Error);

  CsvStream stream(folder.write("a.csv", "a,b\n1,2\n3,\"4\n5,6\n"));
  ASSERT_TRUE(stream.next());
  try {
    stream.next();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("never closed"));
    EXPECT_EQ(error.context().at(1).second, "3");
  }
}

/// Rows as the writer writes them.
std::filesystem::path write_rows(const TemporaryFolder& folder, const std::vector<Row>& rows) {
  const std::filesystem::path file = folder.path() / "written.csv";
  replace_file(file, [&](int descriptor) {
    CsvWriter writer(descriptor, file);
    for (const Row& row : rows) {
      for (const std::string& field : row) {
        writer.text(field);
      }
      writer.end_row();
    }
    writer.flush();
  });
  return file;
}

TEST(CsvWriter, WritesWhatTheStreamReadsOnRandomRows) {
  const TemporaryFolder folder;
  std::mt19937 random(7);
  const std::string_view pieces[] = {"a", ",", ";", "\t", "\"", "\"\"", "\n", "\r\n", "\r", " ", "é", "東", "", "long text", "1.5"};
  for (int round = 0; round < 50; ++round) {
    const std::size_t columns = 1 + random() % 6;
    std::vector<Row> rows(1 + random() % 400);
    for (Row& row : rows) {
      row.resize(columns);
      for (std::string& field : row) {
        for (std::size_t i = random() % 5; i > 0; --i) {
          field += pieces[random() % std::size(pieces)];
        }
        if (random() % 400 == 0) {
          field += std::string(random() % CsvStream::kMaxFieldBytes / 2, 'x');
        }
      }
    }
    rows[0].assign(columns, "head");
    CsvStream stream(write_rows(folder, rows));
    EXPECT_EQ(stream.header(), rows[0]);
    for (std::size_t i = 1; i < rows.size(); ++i) {
      ASSERT_TRUE(stream.next());
      ASSERT_FALSE(stream.fault()) << stream.fault()->message;
      ASSERT_EQ(fields_of(stream), rows[i]) << "round " << round << ", row " << i;
    }
    EXPECT_FALSE(stream.next());
  }
}

TEST(CsvWriter, WritesNumbersThatReadBackAsTheSameDouble) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "n.csv";
  replace_file(file, [&](int descriptor) {
    CsvWriter writer(descriptor, file);
    writer.number(0.1).number(std::nullopt).number(1e300).integer(-3).end_row();
    writer.number(std::nullopt).end_row();
    writer.flush();
  });
  EXPECT_EQ(read_file(file), "0.1,,1e+300,-3\n\"\"\n");
}

TEST(CsvStream, TakesTheMemoryOfOneRow) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "large.csv";
  {
    std::ofstream out(file, std::ios::binary);
    out << "image,label,text\n";
    const std::string row = "image.jpg,label,\"" + std::string(1000, 't') + "\"\n";
    for (int i = 0; i < 100'000; ++i) {
      out << row;
    }
  }
  const auto peak_kib = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  const long before = peak_kib();
  CsvStream stream(file);
  std::int64_t rows = 0;
  while (stream.next()) {
    rows += stream.fault() ? 0 : 1;
  }
  EXPECT_EQ(rows, 100'000);
  EXPECT_EQ(stream.bytes_consumed(), stream.file_bytes());
  EXPECT_LT(peak_kib() - before, 8 * 1024);  // of a file of 100 MB
}

}  // namespace
}  // namespace verilabel
