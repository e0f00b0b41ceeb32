#include "verilabel/image/exif.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/image/header.h"
#include "verilabel/image/header_bytes.h"
#include "verilabel/image/tiff_block.h"

namespace verilabel {
namespace {

// Tags of the main directory.
constexpr std::uint32_t kMake = 0x010F;
constexpr std::uint32_t kModel = 0x0110;
constexpr std::uint32_t kOrientation = 0x0112;
constexpr std::uint32_t kSoftware = 0x0131;
constexpr std::uint32_t kExifDirectory = 0x8769;
constexpr std::uint32_t kGpsDirectory = 0x8825;
// Tags of the EXIF directory.
constexpr std::uint32_t kExposureTime = 0x829A;
constexpr std::uint32_t kFNumber = 0x829D;
constexpr std::uint32_t kSensitivity = 0x8827;
constexpr std::uint32_t kStandardOutputSensitivity = 0x8831;
constexpr std::uint32_t kRecommendedExposureIndex = 0x8832;
constexpr std::uint32_t kIsoSpeed = 0x8833;
constexpr std::uint32_t kTimeOriginal = 0x9003;
constexpr std::uint32_t kTimeDigitized = 0x9004;
constexpr std::uint32_t kZoneOriginal = 0x9011;
constexpr std::uint32_t kZoneDigitized = 0x9012;
constexpr std::uint32_t kFlash = 0x9209;
constexpr std::uint32_t kFocalLength = 0x920A;
constexpr std::uint32_t kPartOriginal = 0x9291;
constexpr std::uint32_t kPartDigitized = 0x9292;
constexpr std::uint32_t kLensModel = 0xA434;
// Tags of the GPS directory.
constexpr std::uint32_t kLatitudeSide = 1;
constexpr std::uint32_t kLatitude = 2;
constexpr std::uint32_t kLongitudeSide = 3;
constexpr std::uint32_t kLongitude = 4;
constexpr std::uint32_t kAltitudeSide = 5;
constexpr std::uint32_t kAltitude = 6;
constexpr std::uint32_t kMapDatum = 18;

// What no camera does: an exposure of more than a day, a lens slower than a pinhole or longer than any telescope, a flight out of
// the air. Cameras that do not know fill the place with all ones, which is 136 years of exposure.
constexpr double kLongestExposureSeconds = 86'400;
constexpr double kGreatestFNumber = 1'000;
constexpr double kLongestLensMm = 100'000;
constexpr double kGreatestAltitudeM = 100'000;

/// What a sensitivity of 16 bits says when it is larger: another tag has it.
constexpr std::uint64_t kSensitivityElsewhere = 65535;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

bool are_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// `digits` as a number up to `highest`, or −1.
int part(std::string_view digits, int highest) {
  int value = -1;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return are_digits(digits) && value <= highest ? value : -1;
}

/// `2024:05:01 22:00:00` as ISO 8601; nothing for what no calendar and no clock has.
std::optional<std::string> time_from(std::string_view text) {
  constexpr std::size_t kLength = 19;
  if (text.size() != kLength || (text[4] != ':' && text[4] != '-') || text[7] != text[4] || (text[10] != ' ' && text[10] != 'T') ||
      text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const int year = part(text.substr(0, 4), 9999);
  const int month = part(text.substr(5, 2), 12);
  const int day = part(text.substr(8, 2), 31);
  const int hour = part(text.substr(11, 2), 23);
  const int minute = part(text.substr(14, 2), 59);
  const int second = part(text.substr(17, 2), 59);
  if (std::min({year, month, day, hour, minute, second}) < 0) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) {
    return std::nullopt;
  }
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", year, month, day, hour, minute, second);
}

/// Cameras without a clock fill the place with spaces or zeros.
bool is_blank_time(std::string_view text) {
  return text.find_first_not_of(" :0-") == std::string_view::npos;
}

bool is_zone(std::string_view text) {
  return text == "Z" || (text.size() == 6 && (text[0] == '+' || text[0] == '-') && part(text.substr(1, 2), 23) >= 0 &&
                         text[3] == ':' && part(text.substr(4), 59) >= 0);
}

using Directory = std::map<std::uint32_t, TiffEntry>;

class ExifReader {
 public:
  explicit ExifReader(TiffBlock block) : block_(block) {}

  Exif read() {
    const Directory main = directory(block_.first_directory(), "main");
    const Directory exif = linked_directory(main, kExifDirectory, "EXIF");
    const Directory gps = linked_directory(main, kGpsDirectory, "GPS");
    exif_.make = text(main, kMake, "the camera's make");
    exif_.model = text(main, kModel, "the camera's model");
    exif_.software = text(main, kSoftware, "the software");
    read_orientation(main);
    exif_.lens = text(exif, kLensModel, "the lens");
    exif_.captured_at = time(exif, kTimeOriginal, kPartOriginal, kZoneOriginal);
    if (!exif_.captured_at) {
      exif_.captured_at = time(exif, kTimeDigitized, kPartDigitized, kZoneDigitized);
    }
    exif_.exposure_s = known(number(exif, kExposureTime, "the exposure time", kLongestExposureSeconds));
    exif_.f_number = known(number(exif, kFNumber, "the f-number", kGreatestFNumber));
    exif_.focal_length_mm = known(number(exif, kFocalLength, "the focal length", kLongestLensMm));
    read_sensitivity(exif);
    if (const auto flash = integer(exif, kFlash, "the flash")) {
      exif_.flash = (*flash & 1) != 0;
    }
    read_position(gps);
    return std::move(exif_);
  }

 private:
  void note(std::string_view what, std::string_view why) { exif_.notes.push_back(fmt::format("EXIF: {} {}", what, why)); }

  Directory directory(std::uint64_t at, std::string_view name) {
    Directory entries;
    try {
      const std::uint64_t count = block_.entry_count(at);
      for (std::uint64_t i = 0; i < count; ++i) {
        const TiffEntry entry = block_.entry(at, i);
        entries[entry.tag] = entry;
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::bad_data) {
        throw;
      }
      note(fmt::format("the {} directory", name), "is cut off or damaged");
    }
    return entries;
  }

  Directory linked_directory(const Directory& main, std::uint32_t tag, std::string_view name) {
    const std::string what = fmt::format("the {} directory", name);
    const auto at = integer(main, tag, what);
    if (!at) {
      return {};
    }
    if (*at == block_.first_directory()) {
      note(what, "leads back to the main one");
      return {};
    }
    return directory(*at, name);
  }

  /// What `read` makes of the entry of a tag; nothing without one, and with a note when it cannot be read.
  template <typename Read>
  auto value(const Directory& directory, std::uint32_t tag, std::string_view what, const Read& read)
      -> decltype(read(std::declval<TiffEntry>())) {
    const auto entry = directory.find(tag);
    if (entry == directory.end()) {
      return std::nullopt;
    }
    try {
      auto result = read(entry->second);
      if (!result) {
        note(what, "has no value of the right type");
      }
      return result;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::bad_data) {
        throw;
      }
      note(what, "lies outside the block or is damaged");
      return std::nullopt;
    }
  }

  std::optional<std::uint64_t> integer(const Directory& directory, std::uint32_t tag, std::string_view what) {
    return value(directory, tag, what, [&](const TiffEntry& entry) { return block_.integer(entry); });
  }

  /// Not an empty one.
  std::optional<std::string> text(const Directory& directory, std::uint32_t tag, std::string_view what) {
    const auto raw = value(directory, tag, what, [&](const TiffEntry& entry) { return block_.text(entry); });
    if (!raw || trimmed(*raw).empty()) {
      return std::nullopt;
    }
    if (!is_utf8(*raw)) {
      note(what, fmt::format("is no text of UTF-8: {}", printable(*raw)));
      return std::nullopt;
    }
    return std::string(trimmed(*raw));
  }

  /// 0/0 stands for what is not known.
  std::optional<double> fraction(const TiffBlock::Rational& rational, std::string_view what) {
    if (rational.denominator == 0) {
      if (rational.numerator != 0) {
        note(what, fmt::format("is {}/0", rational.numerator));
      }
      return std::nullopt;
    }
    return static_cast<double>(rational.numerator) / static_cast<double>(rational.denominator);
  }

  /// From 0 to `greatest`.
  std::optional<double> number(const Directory& directory, std::uint32_t tag, std::string_view what, double greatest) {
    const auto rational = value(directory, tag, what, [&](const TiffEntry& entry) { return block_.rational(entry, 0); });
    const auto number = rational ? fraction(*rational, what) : std::nullopt;
    if (number && (*number < 0 || *number > greatest)) {
      note(what, fmt::format("is {}, which makes no sense", *number));
      return std::nullopt;
    }
    return number;
  }

  /// A camera that does not know, as with a lens that tells it nothing, writes 0.
  static std::optional<double> known(std::optional<double> number) { return number == 0 ? std::nullopt : number; }

  void read_orientation(const Directory& main) {
    const auto orientation = integer(main, kOrientation, "the orientation");
    if (orientation && *orientation >= 1 && *orientation <= 8) {
      exif_.orientation = static_cast<int>(*orientation);
    } else if (orientation) {
      note("the orientation", fmt::format("is {}, not 1 to 8", *orientation));
    }
  }

  void read_sensitivity(const Directory& exif) {
    auto iso = integer(exif, kSensitivity, "the sensitivity");
    for (const std::uint32_t tag : {kRecommendedExposureIndex, kStandardOutputSensitivity, kIsoSpeed}) {
      if (iso == kSensitivityElsewhere) {
        iso = integer(exif, tag, "the sensitivity").value_or(kSensitivityElsewhere);
      }
    }
    if (iso && *iso > 0 && *iso < UINT32_MAX) {  // at either end: not known
      exif_.iso = static_cast<double>(*iso);
    }
  }

  std::optional<std::string> time(const Directory& exif, std::uint32_t tag, std::uint32_t part_tag, std::uint32_t zone_tag) {
    constexpr std::string_view kWhat = "the capture date";
    const auto stated = text(exif, tag, kWhat);
    if (!stated || is_blank_time(*stated)) {
      return std::nullopt;
    }
    auto time = time_from(*stated);
    if (!time) {
      note(kWhat, fmt::format("is no date: {}", printable(*stated)));
      return std::nullopt;
    }
    if (const auto part_of_second = text(exif, part_tag, "the part of the capture second")) {
      if (are_digits(*part_of_second)) {
        *time += "." + *part_of_second;
      } else {
        note("the part of the capture second", fmt::format("is no number: {}", printable(*part_of_second)));
      }
    }
    if (const auto zone = text(exif, zone_tag, "the zone of the capture date")) {
      if (is_zone(*zone)) {
        *time += *zone;
      } else if (!is_blank_time(*zone)) {
        note("the zone of the capture date", fmt::format("is none: {}", printable(*zone)));
      }
    }
    return time;
  }

  /// Degrees, minutes and seconds, without their side of the earth.
  std::optional<double> angle(const Directory& gps, std::uint32_t tag, std::string_view what, double highest) {
    const auto parts = value(gps, tag, what, [&](const TiffEntry& entry) -> std::optional<std::array<TiffBlock::Rational, 3>> {
      const auto degrees = block_.rational(entry, 0);
      if (!degrees) {
        return std::nullopt;
      }
      const TiffBlock::Rational none{0, 1};
      return std::array{*degrees, block_.rational(entry, 1).value_or(none), block_.rational(entry, 2).value_or(none)};
    });
    if (!parts) {
      return std::nullopt;
    }
    constexpr double kSixty = 60;
    constexpr double kOneHour = 3600;
    const auto degrees = fraction((*parts)[0], what);
    const auto minutes = fraction((*parts)[1], what);
    const auto seconds =
        (*parts)[2].denominator == 0 && (*parts)[2].numerator == 0 ? std::optional(0.0) : fraction((*parts)[2], what);
    if (!degrees || !minutes || !seconds) {
      return std::nullopt;
    }
    const double sum = *degrees + *minutes / kSixty + *seconds / kOneHour;
    if (std::min({*degrees, *minutes, *seconds}) < 0 || sum > highest) {
      note(what, fmt::format("is {}° {}′ {}″, which is no place on earth", *degrees, *minutes, *seconds));
      return std::nullopt;
    }
    return sum;
  }

  std::optional<double> signed_angle(const Directory& gps, std::uint32_t tag, std::uint32_t side_tag, std::string_view sides,
                                     std::string_view what, double highest) {
    const auto degrees = angle(gps, tag, what, highest);
    if (!degrees) {
      return std::nullopt;
    }
    const auto side = text(gps, side_tag, what);
    if (!side || side->size() != 1 || sides.find((*side)[0]) == std::string_view::npos) {
      note(what, fmt::format("does not say whether it is {} or {}", sides[0], sides[1]));
      return std::nullopt;
    }
    return (*side)[0] == sides[0] ? *degrees : -*degrees;
  }

  void read_position(const Directory& gps) {
    constexpr double kPole = 90;
    constexpr double kFarSide = 180;
    if (const auto datum = text(gps, kMapDatum, "the map datum")) {
      std::string letters;
      std::copy_if(datum->begin(), datum->end(), std::back_inserter(letters),
                   [](char c) { return c != '-' && c != ' ' && c != '_'; });
      if (!letters.starts_with("WGS84") && !letters.starts_with("wgs84")) {
        note("the position", fmt::format("is of another datum than WGS 84: {}", printable(*datum)));
        return;
      }
    }
    exif_.latitude_deg = signed_angle(gps, kLatitude, kLatitudeSide, "NS", "the latitude", kPole);
    exif_.longitude_deg = signed_angle(gps, kLongitude, kLongitudeSide, "EW", "the longitude", kFarSide);
    const auto altitude = number(gps, kAltitude, "the altitude", kGreatestAltitudeM);
    const std::uint64_t side = integer(gps, kAltitudeSide, "the side of the sea").value_or(0);
    if (altitude && side > 3) {  // 0, 2: above; 1, 3: below
      note("the altitude", fmt::format("has the side {}, which is none", side));
    } else if (altitude) {
      exif_.altitude_m = side % 2 == 0 ? *altitude : -*altitude;
    }
  }

  TiffBlock block_;
  Exif exif_;
};

Exif read_exif(HeaderBytes& bytes) {
  const ImageHeader header = read_header(bytes);
  if (!header.exif) {
    return {};
  }
  try {
    return ExifReader(TiffBlock(bytes, header.exif->offset, header.exif->bytes)).read();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::bad_data) {
      throw;
    }
    Exif exif;
    exif.notes.push_back("EXIF: the block cannot be read: " + error.message());
    return exif;
  }
}

}  // namespace

Exif read_exif(std::span<const std::byte> file_content) {
  HeaderBytes bytes(file_content);
  return read_exif(bytes);
}

Exif read_exif(const std::filesystem::path& path) {
  Exif exif;
  with_header_bytes(path, [&](HeaderBytes& bytes) { exif = read_exif(bytes); });
  return exif;
}

}  // namespace verilabel
