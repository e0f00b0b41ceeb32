#include "verilabel/image/exif.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/file.h"
#include "verilabel/image/header.h"
#include "verilabel/image/testing_data.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kAscii = 2;
constexpr int kShort = 3;
constexpr int kLong = 4;
constexpr int kRational = 5;
constexpr int kSignedRational = 10;

/// Builds an EXIF block: two directories that the main one links to, and the main one.
class Block {
 public:
  explicit Block(bool is_little) : is_little_(is_little) { text_ = (is_little ? "II" : "MM") + number(42, 2) + number(0, 4); }

  std::string number(std::uint32_t value, int byte_count) const {
    std::string bytes;
    for (int i = 0; i < byte_count; ++i) {
      const int shift = 8 * (is_little_ ? i : byte_count - 1 - i);
      bytes += static_cast<char>(value >> shift & 0xFF);
    }
    return bytes;
  }
  std::string fraction(std::uint32_t numerator, std::uint32_t denominator) const {
    return number(numerator, 4) + number(denominator, 4);
  }

  struct Field {
    std::uint32_t tag = 0;
    int type = 0;
    std::uint32_t count = 0;
    std::string value;
  };
  static Field text(std::uint32_t tag, std::string value) {
    value += '\0';
    return {tag, kAscii, static_cast<std::uint32_t>(value.size()), value};
  }

  /// Where it stands.
  std::uint32_t add_directory(const std::vector<Field>& fields) {
    const auto at = static_cast<std::uint32_t>(text_.size());
    text_ += number(static_cast<std::uint32_t>(fields.size()), 2);
    std::string values;
    const std::size_t behind = text_.size() + 12 * fields.size() + 4;
    for (const Field& field : fields) {
      text_ += number(field.tag, 2) + number(static_cast<std::uint32_t>(field.type), 2) + number(field.count, 4);
      if (field.value.size() <= 4) {
        text_ += field.value + std::string(4 - field.value.size(), '\0');
      } else {
        text_ += number(static_cast<std::uint32_t>(behind + values.size()), 4);
        values += field.value;
      }
    }
    text_ += number(0, 4) + values;
    return at;
  }
  std::string finish(std::uint32_t main) {
    text_.replace(4, 4, number(main, 4));
    return text_;
  }

 private:
  bool is_little_;
  std::string text_;
};

/// A JPEG file of 3 x 2 pixels up to its frame header.
std::string jpeg_with(const std::string& block) {
  const std::size_t length = 2 + 6 + block.size();
  std::string file = "\xFF\xD8\xFF\xE1";
  file += static_cast<char>(length >> 8);
  file += static_cast<char>(length & 0xFF);
  file += std::string("Exif\0\0", 6) + block;
  file += std::string("\xFF\xC0\0\x11\x08\0\2\0\3\3", 10) + std::string(9, '\0');
  return file;
}

Exif exif_of(const std::string& block) {
  const std::string file = jpeg_with(block);
  return read_exif(std::as_bytes(std::span(file)));
}

/// A block of a main directory alone.
Exif exif_of_main(bool is_little, const std::function<std::vector<Block::Field>(Block&)>& fields) {
  Block block(is_little);
  return exif_of(block.finish(block.add_directory(fields(block))));
}

TEST(Exif, ReadsAllInBothByteOrders) {
  for (const bool is_little : {true, false}) {
    Block b(is_little);
    const auto exif_directory = b.add_directory({
        {0x829A, kRational, 1, b.fraction(1, 250)},
        {0x829D, kRational, 1, b.fraction(28, 10)},
        {0x8827, kShort, 1, b.number(1600, 2)},
        Block::text(0x9003, "2024:05:01 22:30:15"),
        Block::text(0x9011, "+02:00"),
        {0x9209, kShort, 1, b.number(0x19, 2)},
        {0x920A, kRational, 1, b.fraction(50, 1)},
        Block::text(0x9291, "25"),
        Block::text(0xA434, "EF50mm f/1.8"),
    });
    const auto gps_directory = b.add_directory({
        Block::text(1, "S"),
        {2, kRational, 3, b.fraction(33, 1) + b.fraction(51, 1) + b.fraction(5400, 100)},
        Block::text(3, "E"),
        {4, kRational, 3, b.fraction(151, 1) + b.fraction(15, 2) + b.fraction(0, 1)},
        {5, 1, 1, std::string(1, '\1')},
        {6, kRational, 1, b.fraction(125, 10)},
        Block::text(18, "WGS-84"),
    });
    const Exif exif = exif_of(b.finish(b.add_directory({
        Block::text(0x010F, "Canon"),
        Block::text(0x0110, "EOS"),
        {0x0112, kShort, 1, b.number(6, 2)},
        Block::text(0x0131, "  darktable\xC3\xA9 "),
        {0x8769, kLong, 1, b.number(exif_directory, 4)},
        {0x8825, kLong, 1, b.number(gps_directory, 4)},
    })));
    EXPECT_EQ(exif.make, "Canon");
    EXPECT_EQ(exif.model, "EOS");
    EXPECT_EQ(exif.software, "darktableé");
    EXPECT_EQ(exif.lens, "EF50mm f/1.8");
    EXPECT_EQ(exif.orientation, 6);
    EXPECT_EQ(exif.captured_at, "2024-05-01T22:30:15.25+02:00");
    EXPECT_EQ(exif.exposure_s, 1.0 / 250);
    EXPECT_EQ(exif.f_number, 2.8);
    EXPECT_EQ(exif.iso, 1600);
    EXPECT_EQ(exif.focal_length_mm, 50);
    EXPECT_EQ(exif.flash, true);
    EXPECT_DOUBLE_EQ(exif.latitude_deg.value(), -(33 + 51.0 / 60 + 54.0 / 3600));
    EXPECT_DOUBLE_EQ(exif.longitude_deg.value(), 151 + 7.5 / 60);
    EXPECT_EQ(exif.altitude_m, -12.5);
    EXPECT_THAT(exif.notes, IsEmpty());
  }
}

TEST(Exif, AFileWithoutItHasNone) {
  const std::string bmp = std::string("BM") + std::string(12, '\0') + "\x28" + std::string(3, '\0') + "\3" + std::string(3, '\0') +
                          "\2" + std::string(31, '\0');
  const Exif exif = read_exif(std::as_bytes(std::span(bmp)));
  EXPECT_FALSE(exif.model || exif.iso || exif.captured_at);
  EXPECT_THAT(exif.notes, IsEmpty());
}

TEST(Exif, FractionsOverZeroAreUnknownOrNoted) {
  const auto fields = [](std::uint32_t numerator) {
    return [numerator](Block& b) {
      const auto inner = b.add_directory({{0x829D, kRational, 1, b.fraction(numerator, 0)},
                                          {0x920A, kSignedRational, 1, b.fraction(static_cast<std::uint32_t>(-5), 1)}});
      return std::vector<Block::Field>{{0x8769, kLong, 1, b.number(inner, 4)}};
    };
  };
  const Exif unknown = exif_of_main(true, fields(0));
  EXPECT_FALSE(unknown.f_number);
  EXPECT_FALSE(unknown.focal_length_mm);
  EXPECT_THAT(unknown.notes, ElementsAre(HasSubstr("focal length is -5")));
  const Exif broken = exif_of_main(false, fields(7));
  EXPECT_FALSE(broken.f_number);
  EXPECT_THAT(broken.notes, ElementsAre(HasSubstr("f-number is 7/0"), HasSubstr("focal length")));
}

TEST(Exif, NumbersThatMakeNoSenseAreNotedAndZerosAreUnknown) {
  const auto exif_with = [](std::uint32_t numerator, std::uint32_t denominator) {
    return exif_of_main(true, [&](Block& b) {
      const std::string value = b.fraction(numerator, denominator);
      const auto inner =
          b.add_directory({{0x829A, kRational, 1, value}, {0x829D, kRational, 1, value}, {0x920A, kRational, 1, value}});
      const auto gps = b.add_directory({{6, kRational, 1, value}});
      return std::vector<Block::Field>{{0x8769, kLong, 1, b.number(inner, 4)}, {0x8825, kLong, 1, b.number(gps, 4)}};
    });
  };
  const Exif nonsense = exif_with(UINT32_MAX, 1);
  EXPECT_FALSE(nonsense.exposure_s || nonsense.f_number || nonsense.focal_length_mm || nonsense.altitude_m);
  EXPECT_THAT(nonsense.notes, ElementsAre(HasSubstr("exposure time is 4294967295"), HasSubstr("f-number is 4294967295"),
                                          HasSubstr("focal length is 4294967295"), HasSubstr("altitude is 4294967295")));
  const Exif greatest = exif_with(1000, 1);
  EXPECT_EQ(greatest.exposure_s, 1000);
  EXPECT_EQ(greatest.f_number, 1000);
  EXPECT_EQ(greatest.altitude_m, 1000);
  EXPECT_THAT(greatest.notes, IsEmpty());
  EXPECT_THAT(exif_with(86'401, 1).notes, ElementsAre(HasSubstr("exposure time"), HasSubstr("f-number")));
  const Exif zero = exif_with(0, 1);
  EXPECT_FALSE(zero.exposure_s || zero.f_number || zero.focal_length_mm);
  EXPECT_EQ(zero.altitude_m, 0);
  EXPECT_THAT(zero.notes, IsEmpty());
}

TEST(Exif, APositionNeedsItsSideAndItsDatum) {
  const auto exif_with = [](const std::vector<Block::Field>& more, std::uint32_t degrees) {
    Block b(true);
    std::vector<Block::Field> fields = more;
    fields.push_back({2, kRational, 3, b.fraction(degrees, 1) + b.fraction(30, 1) + b.fraction(0, 0)});
    const auto gps = b.add_directory(fields);
    return exif_of(b.finish(b.add_directory({{0x8825, kLong, 1, b.number(gps, 4)}})));
  };
  EXPECT_EQ(exif_with({Block::text(1, "N")}, 10).latitude_deg, 10.5);
  for (const Exif& exif : {exif_with({}, 10), exif_with({Block::text(1, "X")}, 10), exif_with({Block::text(1, "")}, 10)}) {
    EXPECT_FALSE(exif.latitude_deg);
    EXPECT_THAT(exif.notes, ElementsAre(HasSubstr("does not say whether it is N or S")));
  }
  const Exif far = exif_with({Block::text(1, "N")}, 91);
  EXPECT_FALSE(far.latitude_deg);
  EXPECT_THAT(far.notes, ElementsAre(HasSubstr("no place on earth")));
  const Exif tokyo = exif_with({Block::text(1, "N"), Block::text(18, "TOKYO")}, 10);
  EXPECT_FALSE(tokyo.latitude_deg);
  EXPECT_THAT(tokyo.notes, ElementsAre(HasSubstr("TOKYO")));
}

TEST(Exif, DatesThatAreNoneAreNotedAndBlankOnesAreNot) {
  const auto exif_with = [](const std::string& date, const std::string& zone) {
    return exif_of_main(true, [&](Block& b) {
      const auto inner = b.add_directory({Block::text(0x9003, date), Block::text(0x9011, zone)});
      return std::vector<Block::Field>{{0x8769, kLong, 1, b.number(inner, 4)}};
    });
  };
  EXPECT_EQ(exif_with("2024-05-01 00:00:59", "Z").captured_at, "2024-05-01T00:00:59Z");
  EXPECT_EQ(exif_with("2024:02:29 12:00:00", "   :  ").captured_at, "2024-02-29T12:00:00");
  for (const char* blank : {"    :  :     :  :  ", "0000:00:00 00:00:00", ""}) {
    const Exif exif = exif_with(blank, "+01:00");
    EXPECT_FALSE(exif.captured_at) << blank;
    EXPECT_THAT(exif.notes, IsEmpty());
  }
  for (const char* wrong : {"2023:02:29 12:00:00", "2024:13:01 12:00:00", "2024:05:01 24:00:00", "2024:05:01", "soon",
                            "2024:05:01 12:00:60", "2024:05:01 12:00:0 ", "-024:05:01 12:00:00"}) {
    const Exif exif = exif_with(wrong, "");
    EXPECT_FALSE(exif.captured_at) << wrong;
    EXPECT_THAT(exif.notes, ElementsAre(HasSubstr("is no date"))) << wrong;
  }
  const Exif zone = exif_with("2024:05:01 12:00:00", "CET");
  EXPECT_EQ(zone.captured_at, "2024-05-01T12:00:00");
  EXPECT_THAT(zone.notes, ElementsAre(HasSubstr("zone")));
}

TEST(Exif, ALargeSensitivityStandsElsewhere) {
  const Exif exif = exif_of_main(false, [](Block& b) {
    const auto inner = b.add_directory({{0x8827, kShort, 1, b.number(65535, 2)}, {0x8832, kLong, 1, b.number(102400, 4)}});
    return std::vector<Block::Field>{{0x8769, kLong, 1, b.number(inner, 4)}};
  });
  EXPECT_EQ(exif.iso, 102400);
  const Exif unknown = exif_of_main(false, [](Block& b) {
    const auto inner = b.add_directory({{0x8832, kLong, 1, b.number(100, 4)}, {0x8827, kLong, 1, b.number(UINT32_MAX, 4)}});
    return std::vector<Block::Field>{{0x8769, kLong, 1, b.number(inner, 4)}};
  });
  EXPECT_FALSE(unknown.iso);
}

TEST(Exif, WhatIsDamagedIsNotedAndTheRestIsRead) {
  const Exif odd = exif_of_main(true, [](Block& b) {
    return std::vector<Block::Field>{{0x010F, kAscii, 20, b.number(60000, 4)},  // outside the block
                                     {0x0110, kShort, 1, b.number(5, 2)},       // not a text
                                     {0x0112, kShort, 1, b.number(9, 2)},
                                     Block::text(0x0131, "L\xE9na")};
  });
  EXPECT_FALSE(odd.make || odd.model || odd.orientation || odd.software);
  EXPECT_THAT(odd.notes, ElementsAre(HasSubstr("make lies outside"), HasSubstr("model has no value of the right type"),
                                     HasSubstr("L\\xe9na"), HasSubstr("orientation is 9")));
}

TEST(Exif, LoopsEnd) {
  Block b(true);
  const Exif own = exif_of(b.finish(
      b.add_directory({Block::text(0x0110, "X"), {0x8769, kLong, 1, b.number(8, 4)}, {0x8825, kLong, 1, b.number(8, 4)}})));
  EXPECT_EQ(own.model, "X");
  EXPECT_THAT(own.notes, ElementsAre(HasSubstr("leads back"), HasSubstr("leads back")));
}

TEST(Exif, EveryTruncationIsReadOrNoted) {
  for (const bool is_little : {true, false}) {
    Block b(is_little);
    const auto inner = b.add_directory({{0x829A, kRational, 1, b.fraction(1, 250)}, Block::text(0x9003, "2024:05:01 22:30:15")});
    const std::string block =
        b.finish(b.add_directory({Block::text(0x0110, "A longer name"), {0x8769, kLong, 1, b.number(inner, 4)}}));
    EXPECT_THAT(exif_of(block).notes, IsEmpty());
    for (std::size_t size = 0; size < block.size(); ++size) {
      // A block of up to two bytes is none to a reader of JPEG.
      EXPECT_EQ(exif_of(block.substr(0, size)).notes.empty(), size == 0) << size;
    }
    for (std::size_t i = 0; i < block.size(); ++i) {
      std::string changed = block;
      changed[i] = '\xFF';
      static_cast<void>(exif_of(changed));
    }
  }
}

/// Whether both are the same number up to the rounding of a sum of fractions.
bool is_same(const std::optional<double>& number, const std::string& reference) {
  const double other = std::strtod(reference.c_str(), nullptr);
  return number && std::abs(*number - other) <= 1e-13 * std::abs(other);
}

TEST(Exif, SaysWhatPillowSays) {
  const auto python = python_with("PIL");
  if (!python) {
    GTEST_SKIP() << "no Pillow in " << VERILABEL_VENV;
  }
  const TemporaryFolder folder;
  const std::string command =
      "'" + *python + "' '" VERILABEL_SOURCE_DIR "/src/verilabel/image/reference_exif.py' '" + folder.path().native() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::istringstream lines(read_file(folder.path() / "values.txt"));
  int files = 0;
  for (std::string name; std::getline(lines, name);) {
    std::map<std::string, std::string> expected;
    for (std::string line; std::getline(lines, line) && !line.empty();) {
      const std::size_t space = line.find(' ');
      expected[line.substr(0, space)] = line.substr(space + 1);
    }
    const Exif exif = read_exif(folder.path() / name);
    EXPECT_THAT(exif.notes, IsEmpty()) << name;
    EXPECT_EQ(exif.make, expected["make"]) << name;
    EXPECT_EQ(exif.model, expected["model"]) << name;
    EXPECT_EQ(exif.software, expected["software"]) << name;
    EXPECT_EQ(exif.lens, expected["lens"]) << name;
    EXPECT_EQ(exif.captured_at, expected["captured_at"]) << name;
    EXPECT_EQ(std::to_string(exif.orientation.value_or(0)), expected["orientation"]) << name;
    EXPECT_EQ(read_header(folder.path() / name).orientation, exif.orientation) << name;
    EXPECT_EQ(exif.flash, expected["flash"] == "1") << name;
    EXPECT_TRUE(is_same(exif.exposure_s, expected["exposure_s"])) << name;
    EXPECT_TRUE(is_same(exif.f_number, expected["f_number"])) << name;
    EXPECT_TRUE(is_same(exif.iso, expected["iso"])) << name;
    EXPECT_TRUE(is_same(exif.focal_length_mm, expected["focal_length_mm"])) << name;
    EXPECT_TRUE(is_same(exif.latitude_deg, expected["latitude_deg"])) << name;
    EXPECT_TRUE(is_same(exif.longitude_deg, expected["longitude_deg"])) << name;
    EXPECT_TRUE(is_same(exif.altitude_m, expected["altitude_m"])) << name;
    ++files;
  }
  EXPECT_EQ(files, 100);
}

}  // namespace
}  // namespace verilabel
