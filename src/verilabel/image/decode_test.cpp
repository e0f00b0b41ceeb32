#include "verilabel/image/decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/image/header.h"
#include "verilabel/image/png.h"
#include "verilabel/image/testing_data.h"

namespace verilabel {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  return files;
}

bool is_decoded(const std::string& content) {
  Image image;
  try {
    decode(bytes_of(content), image);
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_data) << error.what();
    return false;
  }
}

TEST(Decode, EveryOddFileIsDecodedOrRefusedWithAReasonAndNothingIsPrinted) {
  const auto data = test_data();
  if (!data) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set";
  }
  int ignored = 0;
  int bad_header = 0;
  int bad_pixels = 0;
  int decoded = 0;
  std::map<std::string, int> reasons;
  testing::internal::CaptureStderr();
  Image image;
  const auto files = files_below(*data / "odd-images");
  for (const auto& file : files) {
    const std::string content = read_file(file);
    if (!is_image_candidate(file, bytes_of(content).first(std::min(content.size(), kSniffBytes)))) {
      ++ignored;
      continue;
    }
    ImageHeader header;
    try {
      header = read_header(file);
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::bad_data || error.code() == ErrorCode::unsupported) << error.what();
      ++bad_header;
      ++reasons["header: " + error.message()];
      continue;
    }
    try {
      decode(file, image);
      EXPECT_EQ(image.width(), header.width) << file;
      EXPECT_EQ(image.height(), header.height) << file;
      ++decoded;
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::bad_data || error.code() == ErrorCode::unsupported) << error.what();
      ++bad_pixels;
      ++reasons[file.filename().native() + ": " + error.message()];
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  for (const auto& [reason, count] : reasons) {
    std::printf("  %3d  %s\n", count, reason.c_str());
  }
  std::printf("%zu files: %d ignored, %d with a header that is refused, %d with broken pixels, %d decoded\n", files.size(), ignored,
              bad_header, bad_pixels, decoded);
  EXPECT_EQ(files.size(), static_cast<std::size_t>(ignored + bad_header + bad_pixels + decoded));
  EXPECT_EQ(ignored, 1) << "the licence";
  EXPECT_GE(decoded, 450);
}

TEST(Decode, ExifOrientationsAgree) {
  const auto data = test_data();
  if (!data) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set";
  }
  for (const std::string series : {"Landscape", "Portrait"}) {
    Image upright;
    decode(*data / "exif" / (series + "_1.jpg"), upright);
    for (int orientation = 0; orientation <= 8; ++orientation) {
      const auto file = *data / "exif" / (series + "_" + std::to_string(orientation) + ".jpg");
      EXPECT_EQ(read_header(file).orientation, std::max(orientation, 1));
      Image image;
      decode(file, image);
      ASSERT_EQ(image.width(), upright.width()) << file;
      ASSERT_EQ(image.height(), upright.height()) << file;
      // Each file of the series was encoded on its own, so fine detail differs; any wrong turn stays far below.
      EXPECT_GE(psnr_db(image, upright), 25) << file;
    }
  }
}

TEST(Decode, PixelsAreThoseOfOpencv) {
  const auto data = test_data();
  const auto python = python_with("PIL,cv2,numpy");
  if (!data || !python) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set, or no OpenCV in " << VERILABEL_VENV;
  }
  std::vector<std::filesystem::path> files;
  for (const char* folder : {"coco128-val/images", "exif", "odd-images"}) {
    for (auto& file : files_below(*data / folder)) {
      files.push_back(std::move(file));
    }
  }
  const TemporaryFolder folder;
  std::string listing;
  for (const auto& file : files) {
    listing += file.native() + '\n';
  }
  replace_file(folder.path() / "list.txt", listing);
  const std::string command = "'" + *python + "' '" VERILABEL_SOURCE_DIR "/src/verilabel/image/reference_pixels.py' decode '" +
                              (folder.path() / "list.txt").native() + "' '" + folder.path().native() + "' 2>/dev/null";
  ASSERT_EQ(std::system(command.c_str()), 0);
  int equal = 0;
  std::map<std::string, int> different;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto reference = folder.path() / (std::to_string(i) + ".bgr");
    Image image;
    try {
      decode(files[i], image);
    } catch (const Error&) {
      continue;
    }
    if (!std::filesystem::exists(reference)) {
      continue;
    }
    const std::string expected = read_file(reference);
    const std::size_t line = expected.find('\n') + 1;
    const bool has_size = expected.substr(0, line) == std::to_string(image.width()) + " " + std::to_string(image.height()) + "\n";
    const bool is_equal = has_size && std::memcmp(expected.data() + line, image.pixels().data(), image.pixels().size()) == 0;
    if (is_equal) {
      ++equal;
      continue;
    }
    const std::string extension = files[i].extension().native();
    ++different[extension];
    std::printf("  differs from OpenCV: %s%s\n", files[i].filename().c_str(), has_size ? "" : " (size)");
    EXPECT_FALSE(files[i].native().find("coco128-val") != std::string::npos || files[i].native().find("exif/") != std::string::npos)
        << files[i];
  }
  std::printf("%d images equal to OpenCV's\n", equal);
  EXPECT_GE(equal, 146 + 400);
}

TEST(Decode, ATruncatedPhotographIsNeverHalfAnImage) {
  const auto data = test_data();
  if (!data) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set";
  }
  const auto try_all = [](const std::filesystem::path& file, int positions) {
    const std::string content = read_file(file);
    ASSERT_TRUE(is_decoded(content)) << file;
    EXPECT_TRUE(is_decoded(content + "harmless bytes behind the image")) << file;
    for (int i = 0; i < positions; ++i) {
      const std::size_t size = content.size() * static_cast<std::size_t>(i) / static_cast<std::size_t>(positions);
      EXPECT_FALSE(is_decoded(content.substr(0, size))) << file << " cut after " << size << " of " << content.size();
    }
    // The last byte may belong to no pixel (padding behind a TIFF's directory): then the image must be whole.
    Image whole;
    Image cut;
    decode(bytes_of(content), whole);
    if (is_decoded(content.substr(0, content.size() - 1))) {
      const std::string shorter = content.substr(0, content.size() - 1);
      decode(bytes_of(shorter), cut);
      EXPECT_TRUE(std::ranges::equal(whole.pixels(), cut.pixels())) << file;
    }
  };
  try_all(files_below(*data / "coco128-val" / "images").front(), 200);
  for (const char* name : {"hopper.jpg", "hopper.png", "hopper.webp", "hopper.ppm", "hopper.bmp", "hopper_lzw.tif", "hopper.tif",
                           "test-card-lossless.jp2"}) {
    const auto files = files_below(*data / "odd-images");
    const auto file = std::ranges::find_if(files, [&](const auto& path) { return path.filename() == name; });
    ASSERT_NE(file, files.end()) << name;
    try_all(*file, 60);
  }
}

TEST(Decode, LargeImagesAreRefusedBeforeAnythingIsAllocated) {
  std::string content = "P5 60000 60000 255\n";
  Image image;
  EXPECT_THROW(decode(bytes_of(content), image), Error);
  EXPECT_TRUE(image.empty());
  content = "P5 4 4 255\n0123456789abcdef";
  EXPECT_THROW(decode(bytes_of(content), image, {.max_pixels = 15}), Error);
  decode(bytes_of(content), image, {.max_pixels = 16});
  EXPECT_EQ(image.width(), 4);
  EXPECT_EQ(image.row(0)[0], '0');
  // However few pixels, what is worked out for each column takes memory.
  const std::string wide = "P5 1048577 1 255\n" + std::string(1048577, 'a');
  EXPECT_THROW(decode(bytes_of(wide), image), Error);
  decode(bytes_of("P5 1048576 1 255\n" + std::string(1048576, 'a')), image);
  EXPECT_EQ(image.width(), 1 << 20);
}

TEST(Decode, EncodedImagesComeBackUnderAnyName) {
  Image image(64, 48);
  for (int y = 0; y < image.height(); ++y) {
    for (int x = 0; x < image.width(); ++x) {
      std::uint8_t* pixel = image.row(y) + 3 * x;
      pixel[0] = static_cast<std::uint8_t>(4 * x);
      pixel[1] = static_cast<std::uint8_t>(5 * y);
      pixel[2] = 40;
    }
  }
  const std::string content = encode_jpeg(image, 95);
  const TemporaryFolder folder;
  Image decoded;
  for (const char* name :
       {"plain.jpg", "with space.jpg", "quote'\".jpg", "new\nline.jpg", "bytes\xFF\xFE.jpg", "wrong.png", "none"}) {
    replace_file(folder.path() / name, content);
    decode(folder.path() / name, decoded);
    ASSERT_EQ(decoded.width(), 64);
    ASSERT_EQ(decoded.height(), 48);
    EXPECT_GE(psnr_db(decoded, image), 35);
  }
  EXPECT_THROW(encode_jpeg(image, 0), Error);
  EXPECT_THROW(encode_jpeg(image, 101), Error);
  EXPECT_THROW(encode_jpeg(Image(), 90), Error);
}

TEST(Png, GivesBackThePixelsThatWereWritten) {
  Image image(5, 3);
  for (std::size_t i = 0; i < image.pixels().size(); ++i) {
    image.pixels()[i] = static_cast<std::uint8_t>(37 * i);
  }
  Image decoded;
  decode(bytes_of(encode_png(image)), decoded);
  EXPECT_EQ(decoded.width(), 5);
  EXPECT_EQ(decoded.height(), 3);
  EXPECT_TRUE(std::ranges::equal(decoded.pixels(), image.pixels()));
  EXPECT_THROW(encode_png(Image()), Error);
}

TEST(Decode, DamagedFilesNeverCrash) {
  const auto data = test_data();
  if (!data) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set";
  }
  std::mt19937 random(3);
  Image image;
  for (const auto& file : files_below(*data / "odd-images")) {
    std::string content = read_file(file);
    if (content.empty() || content.size() > 100000) {
      continue;
    }
    for (int i = 0; i < 3; ++i) {
      content[random() % std::min<std::size_t>(content.size(), 400)] = static_cast<char>(random());
      try {
        decode(bytes_of(content), image, {.max_pixels = 1 << 22});
      } catch (const Error&) {
      }
    }
  }
}

}  // namespace
}  // namespace verilabel
