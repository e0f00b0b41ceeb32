#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/progress.h"

namespace verilabel {

struct HttpRequest {
  std::string url;                                   ///< http or https
  std::vector<std::string> headers = {};             ///< "Name: value"
  std::chrono::seconds longest_silence{10};          ///< also to connect
  std::filesystem::path certificates = {};           ///< file, or folders; empty for the system's
  std::uint64_t max_body_bytes = UINT64_C(1) << 20;  ///< of what is kept in memory; more is a failure
};

/// Why no answer came, or only a part of one.
struct HttpFailure {
  enum class Kind : std::uint8_t {
    unreachable,   ///< no connection: name, address, proxy
    proxy_login,   ///< the proxy wants a name and a password before it connects
    cut,           ///< the connection ended or fell silent
    certificates,  ///< the other side is not who it should be, or nobody says so
    too_large,     ///< more than `max_body_bytes`
    other,         ///< no such protocol, no such URL, a broken answer
  };
  Kind kind = Kind::other;
  std::string message;
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case; the last of those that repeat
  std::string body;                            ///< what the sink did not take
  std::optional<std::chrono::seconds> retry_after;
  std::optional<HttpFailure> failure;

  /// Empty when there is none.
  std::string header(const std::string& name) const;
};

/// Takes the body of a 2xx answer as it comes, and what is known of the answer so far. What it throws ends the request and is
/// thrown on.
using BodySink = std::function<void(const HttpResponse& response, std::string_view bytes)>;

/// Sends requests one after the other and keeps connections in between. The proxy is what the variables http_proxy, https_proxy,
/// HTTPS_PROXY, all_proxy and no_proxy say. One thread at a time.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Redirects are not followed: they are answers. Without a sink the body is kept. What goes wrong on the way is in the response;
  /// thrown is `interrupted` when `cancel` asks for it.
  HttpResponse get(const HttpRequest& request, const BodySink& sink, const CancelToken& cancel);

 private:
  class Handle;
  std::unique_ptr<Handle> handle_;
};

/// "https://host:443", in lower case, with the port that the scheme has by default; empty for what is no http or https URL.
std::string origin_of(std::string_view url);

/// Where a Location or Link header of an answer from `url` leads; empty for what is no http or https URL.
std::string resolved_url(std::string_view url, std::string_view location);

}  // namespace verilabel
