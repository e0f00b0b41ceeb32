#include "verilabel/hub/settings.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <initializer_list>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxTokenFileBytes = 64 << 10;
constexpr int kLongestTimeoutSeconds = 24 * 3600;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

class Variables {
 public:
  explicit Variables(const Environment& environment) : environment_(environment) {}

  /// The first that is set and not empty.
  std::optional<std::string> text(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      if (auto value = environment_(name); value && !value->empty()) {
        return value;
      }
    }
    return std::nullopt;
  }

  /// As huggingface_hub reads switches: anything but these words is no.
  bool flag(std::initializer_list<const char*> names) const {
    std::string value = text(names).value_or("");
    std::ranges::transform(value, value.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
  }

  std::chrono::seconds seconds(const char* name, std::chrono::seconds otherwise) const {
    const auto value = text({name});
    if (!value) {
      return otherwise;
    }
    int seconds = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), seconds);
    if (error != std::errc() || end != value->data() + value->size() || seconds < 1 || seconds > kLongestTimeoutSeconds) {
      throw Error(ErrorCode::wrong_use, fmt::format("{} must be a number of seconds from 1 to {}", name, kLongestTimeoutSeconds),
                  {{"value", *value}});
    }
    return std::chrono::seconds(seconds);
  }

  /// With ~ and $NAME replaced, as huggingface_hub does.
  std::optional<fs::path> path(std::initializer_list<const char*> names) const {
    const auto value = text(names);
    return value ? std::optional(fs::path(expanded(*value))) : std::nullopt;
  }

  fs::path hf_home() const {
    if (auto home = path({"HF_HOME"})) {
      return *std::move(home);
    }
    const auto cache = path({"XDG_CACHE_HOME"});
    return (cache ? *cache : user_home() / ".cache") / "huggingface";
  }

 private:
  fs::path user_home() const {
    const auto home = text({"HOME"});
    if (!home) {
      throw Error(ErrorCode::wrong_use, "it is not known where models are kept: set HF_HOME to a folder (HOME is not set)");
    }
    return *home;
  }

  std::string expanded(const std::string& text_with_names) const {
    std::string text = text_with_names;
    if (text == "~" || text.starts_with("~/")) {
      text.replace(0, 1, user_home().native());
    }
    std::string result;
    for (std::size_t at = 0; at < text.size();) {
      if (text[at] != '$') {
        result += text[at++];
        continue;
      }
      const bool is_braced = at + 1 < text.size() && text[at + 1] == '{';
      const std::size_t begin = at + (is_braced ? 2 : 1);
      std::size_t end = begin;
      while (end < text.size() && is_name_character(text[end])) {
        ++end;
      }
      const bool is_closed = !is_braced || (end < text.size() && text[end] == '}');
      const auto value = end > begin && is_closed ? environment_(text.substr(begin, end - begin).c_str()) : std::nullopt;
      const std::size_t next = std::max(at + 1, end + (is_braced && is_closed ? 1 : 0));
      result += value ? *value : text.substr(at, next - at);
      at = next;
    }
    return result;
  }

  const Environment& environment_;
};

std::string cleaned_token(std::string token) {
  std::erase_if(token, [](char c) { return c == '\n' || c == '\r'; });
  const auto first = token.find_first_not_of(" \t");
  token = first == std::string::npos ? std::string() : token.substr(first, token.find_last_not_of(" \t") - first + 1);
  if (std::ranges::any_of(token, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; })) {
    throw Error(ErrorCode::wrong_use, "the hub's token holds blanks or control characters, so that it is none; see HF_TOKEN");
  }
  return token;
}

std::string token_from(const Variables& variables) {
  if (variables.flag({"HF_HUB_DISABLE_IMPLICIT_TOKEN"})) {
    return {};
  }
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    if (std::string token = cleaned_token(variables.text({name}).value_or("")); !token.empty()) {
      return token;
    }
  }
  std::optional<fs::path> file = variables.path({"HF_TOKEN_PATH"});
  if (!file && variables.text({"HF_HOME", "XDG_CACHE_HOME", "HOME"})) {
    file = variables.hf_home() / "token";
  }
  std::error_code ignored;
  return file && fs::exists(*file, ignored) ? cleaned_token(read_file(*file, kMaxTokenFileBytes)) : std::string();
}

std::string endpoint_from(const Variables& variables) {
  std::string endpoint = variables.text({"HF_ENDPOINT"}).value_or(HubSettings().endpoint);
  while (endpoint.ends_with('/')) {
    endpoint.pop_back();
  }
  const auto is_usable = [](std::string_view text, std::string_view scheme) {
    return text.starts_with(scheme) && text.size() > scheme.size() && std::ranges::none_of(text, [](char c) {
             return static_cast<unsigned char>(c) <= ' ' || c == '?' || c == '#' || c == '@';
           });
  };
  if (!is_usable(endpoint, "https://") && !is_usable(endpoint, "http://")) {
    throw Error(ErrorCode::wrong_use, "HF_ENDPOINT must be the hub's address, https://HOST", {{"value", endpoint}});
  }
  return endpoint;
}

}  // namespace

fs::path hub_cache_dir_from(const Environment& environment) {
  const Variables variables(environment);
  const auto cache = variables.path({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"});
  return fs::absolute(cache ? *cache : variables.hf_home() / "hub").lexically_normal();
}

HubSettings hub_settings_from(const Environment& environment) {
  const Variables variables(environment);
  HubSettings settings;
  settings.endpoint = endpoint_from(variables);
  settings.cache_dir = hub_cache_dir_from(environment);
  settings.token = token_from(variables);
  settings.certificates = variables.path({"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}).value_or("");
  settings.is_offline = variables.flag({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"});
  settings.has_symlinks = !variables.flag({"HF_HUB_DISABLE_SYMLINKS"});
  settings.metadata_timeout = variables.seconds("HF_HUB_ETAG_TIMEOUT", settings.metadata_timeout);
  settings.download_timeout = variables.seconds("HF_HUB_DOWNLOAD_TIMEOUT", settings.download_timeout);
  return settings;
}

std::optional<std::string> process_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace verilabel
