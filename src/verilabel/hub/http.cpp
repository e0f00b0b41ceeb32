#include "verilabel/hub/http.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <new>
#include <system_error>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

constexpr std::size_t kMaxHeaderLineBytes = 16 << 10;
constexpr long kReceiveBufferBytes = 512 << 10;

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// Once a process, before any other call; never undone, as other libraries may use it too.
void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) {
    throw Error(ErrorCode::internal, fmt::format("the HTTP library did not start: {}", curl_easy_strerror(started)));
  }
}

HttpFailure::Kind kind_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PROXY:
      return HttpFailure::Kind::unreachable;
    case CURLE_OPERATION_TIMEDOUT:  // in the middle
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_SHUTDOWN_FAILED:
      return HttpFailure::Kind::cut;
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return HttpFailure::Kind::certificates;
    default:
      return HttpFailure::Kind::other;
  }
}

/// Of the transfer that just failed.
HttpFailure::Kind kind_of(CURL* curl, CURLcode code) {
  constexpr long kLoginWanted = 407;
  if (long status = 0; curl_easy_getinfo(curl, CURLINFO_HTTP_CONNECTCODE, &status) == CURLE_OK && status >= 300) {
    return status == kLoginWanted ? HttpFailure::Kind::proxy_login : HttpFailure::Kind::unreachable;
  }
  // What a request could have been sent through was not there in time.
  if (curl_off_t ready_us = 0; code == CURLE_OPERATION_TIMEDOUT &&
                               curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &ready_us) == CURLE_OK && ready_us == 0) {
    return HttpFailure::Kind::unreachable;
  }
  return kind_of(code);
}

/// What the callbacks of one request share.
struct Transfer {
  const BodySink& sink;
  const CancelToken& cancel;
  std::uint64_t max_body_bytes;
  HttpResponse response{};
  std::exception_ptr thrown{};
  bool is_too_large = false;
};

std::size_t take_header(char* bytes, std::size_t /*one*/, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(bytes, count);
  if (line.starts_with("HTTP/")) {  // of the answer itself, or after an interim one
    transfer.response.headers.clear();
    transfer.response.status = 0;
    const char* const status = line.data() + std::min(line.find(' '), line.size() - 1) + 1;
    std::from_chars(status, line.data() + line.size(), transfer.response.status);
  } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos && count <= kMaxHeaderLineBytes) {
    transfer.response.headers[in_lower_case(trimmed(line.substr(0, colon)))] = trimmed(line.substr(colon + 1));
  }
  return count;
}

std::size_t take_body(char* bytes, std::size_t /*one*/, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  HttpResponse& response = transfer.response;
  try {
    if (transfer.sink && response.status >= 200 && response.status < 300) {
      transfer.sink(response, {bytes, count});
    } else if (response.body.size() + count > transfer.max_body_bytes) {
      transfer.is_too_large = true;
      return 0;
    } else {
      response.body.append(bytes, count);
    }
    return count;
  } catch (...) {
    transfer.thrown = std::current_exception();  // must not pass through C
    return 0;
  }
}

int look_for_cancel(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(user)->cancel.is_requested() ? 1 : 0;
}

class HeaderList {
 public:
  explicit HeaderList(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      curl_slist* const longer = curl_slist_append(list_, line.c_str());
      if (longer == nullptr) {
        curl_slist_free_all(list_);
        throw std::bad_alloc();
      }
      list_ = longer;
    }
  }
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(list_); }

  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string part_of(const Url& url, CURLUPart part, unsigned int flags) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) {
    return {};
  }
  std::string result(text);
  curl_free(text);
  return result;
}

Url parsed(std::string_view text) {
  start_curl();
  Url url(curl_url(), &curl_url_cleanup);
  if (!url) {
    throw std::bad_alloc();
  }
  if (curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), 0) != CURLUE_OK) {
    url.reset();
  }
  return url;
}

bool is_web(const Url& url) {
  const std::string scheme = in_lower_case(part_of(url, CURLUPART_SCHEME, 0));
  return scheme == "https" || scheme == "http";
}

}  // namespace

std::string HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

class HttpClient::Handle {
 public:
  Handle() {
    start_curl();
    renew();
  }

  HttpResponse get(const HttpRequest& request, const BodySink& sink, const CancelToken& cancel) {
    Transfer transfer{sink, cancel, request.max_body_bytes};
    std::string reason(CURL_ERROR_SIZE, '\0');
    if (has_failed_) {
      renew();  // libcurl may leave the buffer of a transfer that failed in place, and then refuses its size
    }
    curl_easy_reset(curl_.get());  // connections stay
    set(CURLOPT_ERRORBUFFER, reason.data());
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "verilabel");
    set(CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
    const auto seconds = static_cast<long>(request.longest_silence.count());
    set(CURLOPT_CONNECTTIMEOUT, seconds);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes a second
    set(CURLOPT_LOW_SPEED_TIME, seconds);
    // One folder, or several as OpenSSL takes them, with colons in between.
    const std::string first_folder = request.certificates.native().substr(0, request.certificates.native().find(':'));
    if (std::error_code ignored; std::filesystem::is_directory(first_folder, ignored)) {
      set(CURLOPT_CAINFO, static_cast<const char*>(nullptr));  // not the system's beside it
      set(CURLOPT_CAPATH, request.certificates.c_str());
    } else if (!request.certificates.empty()) {
      set(CURLOPT_CAINFO, request.certificates.c_str());
    }
    set(CURLOPT_HEADERFUNCTION, &take_header);
    set(CURLOPT_HEADERDATA, &transfer);
    set(CURLOPT_WRITEFUNCTION, &take_body);
    set(CURLOPT_WRITEDATA, &transfer);
    set(CURLOPT_XFERINFOFUNCTION, &look_for_cancel);
    set(CURLOPT_XFERINFODATA, &transfer);
    set(CURLOPT_NOPROGRESS, 0L);
    HeaderList headers(request.headers);
    set(CURLOPT_HTTPHEADER, headers.get());

    const CURLcode code = curl_easy_perform(curl_.get());
    has_failed_ = code != CURLE_OK;
    if (transfer.thrown) {
      std::rethrow_exception(transfer.thrown);
    }
    if (cancel.is_requested()) {
      throw Error(ErrorCode::interrupted, "the download was interrupted; what has come so far is kept");
    }
    HttpResponse& response = transfer.response;
    if (curl_off_t wait = 0; curl_easy_getinfo(curl_.get(), CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0) {
      response.retry_after = std::chrono::seconds(wait);
    } else if (response.header("retry-after") == "0") {
      response.retry_after = std::chrono::seconds(0);
    }
    if (transfer.is_too_large) {
      response.failure = {HttpFailure::Kind::too_large, fmt::format("the answer has more than {} bytes", request.max_body_bytes)};
    } else if (code != CURLE_OK) {
      reason.resize(reason.find('\0'));
      response.failure = {kind_of(curl_.get(), code), printable(reason.empty() ? curl_easy_strerror(code) : reason)};
    }
    return std::move(response);
  }

 private:
  void renew() {
    curl_.reset(curl_easy_init());
    if (!curl_) {
      throw std::bad_alloc();
    }
  }

  template <typename Value>
  void set(CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(curl_.get(), option, value);
    if (code == CURLE_OUT_OF_MEMORY) {
      throw std::bad_alloc();
    }
    if (code != CURLE_OK) {
      throw Error(ErrorCode::internal,
                  fmt::format("the HTTP library refused option {}: {}", static_cast<int>(option), curl_easy_strerror(code)));
    }
  }

  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl_{nullptr, &curl_easy_cleanup};
  bool has_failed_ = false;
};

HttpClient::HttpClient() : handle_(std::make_unique<Handle>()) {}
HttpClient::~HttpClient() = default;

HttpResponse HttpClient::get(const HttpRequest& request, const BodySink& sink, const CancelToken& cancel) {
  return handle_->get(request, sink, cancel);
}

std::string origin_of(std::string_view text) {
  const Url url = parsed(text);
  if (!url || !is_web(url)) {
    return {};
  }
  return in_lower_case(fmt::format("{}://{}:{}", part_of(url, CURLUPART_SCHEME, 0), part_of(url, CURLUPART_HOST, 0),
                                   part_of(url, CURLUPART_PORT, CURLU_DEFAULT_PORT)));
}

std::string resolved_url(std::string_view base, std::string_view location) {
  const Url url = parsed(base);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, std::string(location).c_str(), 0) != CURLUE_OK || !is_web(url)) {
    return {};
  }
  return part_of(url, CURLUPART_URL, 0);
}

}  // namespace verilabel
