#include "verilabel/models/text_cache.h"

#include <algorithm>
#include <string_view>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

/// Begins a file; then the SHA-256 of all that follows, in hexadecimal.
constexpr std::string_view kMagic = "verilabel texts 2\n";
constexpr std::size_t kHashCharacters = 64;
constexpr std::size_t kMostBytes = std::size_t{1} << 30;
constexpr std::uint32_t kMostNumbers = 1 << 20;  // of one row, a bound for damaged files

template <typename Number>
void append(std::string& bytes, std::span<const Number> numbers) {
  const auto count = static_cast<std::uint32_t>(numbers.size());
  bytes.append(reinterpret_cast<const char*>(&count), sizeof(count));
  bytes.append(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes());
}

/// Takes a list off the front; nothing when there is no whole one.
template <typename Number>
std::optional<std::vector<Number>> take(std::string_view& bytes) {
  std::uint32_t count = 0;
  if (bytes.size() < sizeof(count)) {
    return std::nullopt;
  }
  std::copy_n(bytes.begin(), sizeof(count), reinterpret_cast<char*>(&count));
  bytes.remove_prefix(sizeof(count));
  if (count > kMostNumbers || bytes.size() < count * sizeof(Number)) {
    return std::nullopt;
  }
  std::vector<Number> numbers(count);
  std::copy_n(bytes.begin(), count * sizeof(Number), reinterpret_cast<char*>(numbers.data()));
  bytes.remove_prefix(count * sizeof(Number));
  return numbers;
}

}  // namespace

TextCache::TextCache(const std::filesystem::path& folder, const std::string& key) {
  if (!folder.empty()) {
    file_ = folder / (sha256_of(key).substr(0, 32) + ".texts");
    load();
  }
}

void TextCache::load() {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file_, ignored)) {
    return;
  }
  std::string content;
  try {
    content = read_file(file_, kMostBytes);
  } catch (const Error&) {
    return;
  }
  std::string_view bytes = content;
  if (!bytes.starts_with(kMagic)) {
    return;
  }
  bytes.remove_prefix(kMagic.size());
  const std::string_view hash = bytes.substr(0, kHashCharacters);
  bytes.remove_prefix(hash.size());
  if (sha256_of(bytes) != hash) {
    return;
  }
  while (!bytes.empty()) {
    auto tokens = take<std::int64_t>(bytes);
    auto features = tokens ? take<float>(bytes) : std::nullopt;
    if (!features || features->empty() || (!rows_.empty() && features->size() != rows_.begin()->second.size())) {
      rows_.clear();
      return;
    }
    rows_.insert_or_assign(std::move(*tokens), std::move(*features));
  }
}

std::optional<std::span<const float>> TextCache::find(const std::vector<std::int64_t>& tokens) const {
  const auto found = rows_.find(tokens);
  return found == rows_.end() ? std::nullopt : std::optional<std::span<const float>>(found->second);
}

void TextCache::add(const std::vector<std::int64_t>& tokens, std::span<const float> features) {
  rows_.insert_or_assign(tokens, std::vector<float>(features.begin(), features.end()));
  has_new_ = true;
}

void TextCache::store() const {
  if (file_.empty() || !has_new_) {
    return;
  }
  std::string rows;
  for (const auto& [tokens, features] : rows_) {
    append(rows, std::span<const std::int64_t>(tokens));
    append(rows, std::span<const float>(features));
  }
  const std::string head = std::string(kMagic) + sha256_of(rows);
  try {
    std::filesystem::create_directories(file_.parent_path());
    replace_file(file_, [&](int descriptor) {
      write_all(descriptor, std::as_bytes(std::span(head)), file_);
      write_all(descriptor, std::as_bytes(std::span(rows)), file_);
    });
  } catch (const std::exception&) {
    return;
  }
}

}  // namespace verilabel
