#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace verilabel {

/// Where models come from and where they are kept. What the variables of huggingface_hub say, so that both share one cache.
struct HubSettings {
  std::string endpoint = "https://huggingface.co";  ///< without a slash at its end
  std::string token;                                ///< sent to the endpoint's own origin only; empty for none
  std::filesystem::path cache_dir;                  ///< holds a folder models--ORG--NAME for each repository
  std::filesystem::path certificates;               ///< file, or folders as OpenSSL has them; empty for the system's
  bool is_offline = false;                          ///< nothing is asked of the hub
  bool has_symlinks = true;                         ///< otherwise a snapshot holds the files themselves
  std::chrono::seconds metadata_timeout{10};        ///< longest silence of the hub before an answer
  std::chrono::seconds download_timeout{10};        ///< longest silence within a file
};

/// The value of a variable of the environment; nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const char* name)>;

/// The folder that models are kept in: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or
/// ~/.cache/huggingface/hub. Throws `wrong_use` when nothing says where.
std::filesystem::path hub_cache_dir_from(const Environment& environment);

/// The cache, and HF_ENDPOINT, HF_TOKEN or HUGGING_FACE_HUB_TOKEN or the file HF_TOKEN_PATH, HF_HUB_DISABLE_IMPLICIT_TOKEN,
/// HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE, HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT, HF_HUB_DISABLE_SYMLINKS, and
/// SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE; an empty value is none. Proxies are the HTTP library's
/// business. Throws `wrong_use` for a value that makes no sense, naming the variable; `io` for a file of a token that cannot be
/// read.
HubSettings hub_settings_from(const Environment& environment);

/// The environment of this process.
std::optional<std::string> process_environment(const char* name);

}  // namespace verilabel
