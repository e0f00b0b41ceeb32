#include "verilabel/hub/client.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

constexpr int kMaxRedirects = 10;
constexpr std::uint64_t kMaxDocumentBytes = UINT64_C(64) << 20;
constexpr std::uint64_t kMaxErrorBodyBytes = UINT64_C(1) << 20;

/// Waits between attempts that brought nothing; as many as there are.
constexpr std::array kWaits{std::chrono::milliseconds(500), std::chrono::milliseconds(1000), std::chrono::milliseconds(2000),
                            std::chrono::milliseconds(4000), std::chrono::milliseconds(8000)};
/// The hub counts requests in windows of five minutes.
constexpr std::chrono::seconds kLongestWait{300};
constexpr std::chrono::milliseconds kWaitStep{100};

/// Without what follows the path, which may be a signature that grants access.
std::string shown(std::string_view url) {
  return printable(url.substr(0, url.find_first_of("?#")));
}

std::string without_quotes(std::string_view tag) {
  if (tag.starts_with("W/")) {
    tag.remove_prefix(2);
  }
  if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"') {
    tag = tag.substr(1, tag.size() - 2);
  }
  return std::string(tag);
}

/// What the hub says in its header, if anything, for people.
std::string said(const HttpResponse& response) {
  constexpr std::size_t kMaxLength = 300;
  const std::string message = response.header("x-error-message");
  return message.empty() ? "" : fmt::format(" (the hub says: {})", printable(std::string_view(message).substr(0, kMaxLength)));
}

ErrorContext context_of(const HubSubject& subject, const std::string& url) {
  ErrorContext context{{"repository", subject.repository.text}, {"revision", subject.revision}};
  if (!subject.file.empty()) {
    context.emplace_back("file", subject.file);
  }
  context.emplace_back("url", shown(url));
  return context;
}

Error refused(const HttpResponse& response, const HubSubject& subject, const std::string& url, const HubSettings& settings) {
  const std::string& repository = subject.repository.text;
  const bool has_token = !settings.token.empty();
  const auto error = [&](ErrorCode code, const std::string& message) {
    return Error(code, message + said(response), context_of(subject, url));
  };
  if (response.header("x-error-code") == "GatedRepo") {
    const std::string where = fmt::format("{}/{}", settings.endpoint, repository);
    return error(ErrorCode::conflict,
                 has_token
                     ? fmt::format("the model's authors have not let the account of this token in: ask for access at {}, or set "
                                   "HF_TOKEN to the token of an account that has it",
                                   where)
                     : fmt::format("the model's authors want their terms accepted: do so at {}, then set HF_TOKEN to a token of "
                                   "that account (from {}/settings/tokens)",
                                   where, settings.endpoint));
  }
  if (response.status == 401 && response.header("x-error-message").starts_with("Invalid credentials")) {
    return error(ErrorCode::conflict, "the hub does not take the token; see HF_TOKEN, or the file that HF_TOKEN_PATH names");
  }
  if (response.status == 401 && has_token) {
    return error(ErrorCode::not_found, "the hub shows the account of this token no such repository; check the name and HF_TOKEN");
  }
  if (response.status == 401) {
    return error(
        ErrorCode::not_found,
        fmt::format("the hub shows no such repository to everybody; check the name, or, if it is private, set HF_TOKEN to a "
                    "token that may read it (from {}/settings/tokens)",
                    settings.endpoint));
  }
  return error(ErrorCode::conflict, has_token ? "the hub refuses access to the account of this token; see HF_TOKEN"
                                              : "the hub refuses access; a token that may read the repository goes into HF_TOKEN");
}

Error absent(const HttpResponse& response, const HubSubject& subject, const std::string& url) {
  const std::string code = response.header("x-error-code");
  const ErrorContext context = context_of(subject, url);
  if (code == "RevisionNotFound") {
    return {ErrorCode::not_found, fmt::format("the repository has no revision '{}'", subject.revision), context};
  }
  if (code == "EntryNotFound" || (code.empty() && !subject.file.empty())) {
    return {ErrorCode::not_found, "the repository has no such file at this revision", context};
  }
  return {ErrorCode::not_found, "the hub has no such repository, or no such revision of it", context};
}

Error proxy_refused(const HubSubject& subject, const std::string& url) {
  return {ErrorCode::conflict,
          "the proxy wants to know who asks: give it a name and a password in https_proxy or http_proxy, as "
          "http://NAME:PASSWORD@HOST:PORT",
          context_of(subject, url)};
}

Error unreached(const HttpFailure& failure, const HubSubject& subject, const std::string& url) {
  const ErrorContext context = context_of(subject, url);
  switch (failure.kind) {
    case HttpFailure::Kind::proxy_login:
      return proxy_refused(subject, url);
    case HttpFailure::Kind::certificates:
      return {
          ErrorCode::io,
          fmt::format("the other side cannot prove that it is the hub: {}. Where a proxy of your own opens connections, name its "
                      "certificates in SSL_CERT_FILE",
                      failure.message),
          context};
    case HttpFailure::Kind::unreachable:
      return {
          ErrorCode::io,
          fmt::format("the hub cannot be reached: {}. See HF_ENDPOINT, and https_proxy where a proxy is needed", failure.message),
          context};
    case HttpFailure::Kind::too_large:
      return {ErrorCode::bad_data, fmt::format("this is no answer of a hub: {}; is HF_ENDPOINT right?", failure.message), context};
    default:
      return {ErrorCode::io, fmt::format("the hub's answer did not come through: {}", failure.message), context};
  }
}

/// Keeps what an answer on the way says about the file. A plain ETag of a store beside the hub means something else.
void note_file(HubAnswer& answer, const HttpResponse& response, bool is_hub) {
  if (response.status >= 400) {
    return;
  }
  const auto keep = [](std::string& value, std::string text) {
    if (value.empty()) {
      value = std::move(text);
    }
  };
  keep(answer.commit, response.header("x-repo-commit"));
  keep(answer.size, response.header("x-linked-size"));
  keep(answer.hash, without_quotes(response.header("x-linked-etag")));
  if (is_hub && response.status >= 200 && response.status < 300) {
    keep(answer.hash, without_quotes(response.header("etag")));
  }
}

/// How long to wait, as Retry-After or RateLimit (draft-ietf-httpapi-ratelimit-headers-09: `"api";r=0;t=55`) say.
std::optional<std::chrono::seconds> wait_asked_for(const HttpResponse& response) {
  const std::string limit = response.header("ratelimit");
  const std::size_t at = limit.find(";t=");
  if (response.retry_after || response.status != 429 || at == std::string::npos) {
    return response.retry_after;
  }
  int seconds = 0;
  const char* const end = limit.data() + limit.size();
  return std::from_chars(limit.data() + at + 3, end, seconds).ec == std::errc() && seconds >= 0
             ? std::optional(std::chrono::seconds(seconds))
             : std::nullopt;
}

bool may_go_well_next_time(int status) {
  return status == 408 || status == 429 || status >= 500;
}

}  // namespace

void Patience::wait_after(const TransientFailure& failure, bool has_progress) {
  failures_in_a_row_ = has_progress ? 1 : failures_in_a_row_ + 1;
  if (failures_in_a_row_ > static_cast<int>(kWaits.size())) {
    throw Error(failure.error);
  }
  std::chrono::milliseconds wait = kWaits[static_cast<std::size_t>(failures_in_a_row_ - 1)];
  if (failure.retry_after) {
    wait = *failure.retry_after;
    if (wait > kLongestWait) {
      throw failure.error.with("retry_after_seconds", std::to_string(failure.retry_after->count()));
    }
  }
  const auto begun = std::chrono::steady_clock::now();
  for (auto passed = wait - wait; passed < wait;) {
    if (progress_) {
      const auto seconds = [](auto time) { return std::chrono::duration_cast<std::chrono::seconds>(time).count(); };
      progress_({"waiting for the hub", seconds(passed), 0, seconds(wait), "seconds"});
    }
    if (cancel_.is_requested()) {
      throw Error(ErrorCode::interrupted, "the download was interrupted; what has come so far is kept");
    }
    std::this_thread::sleep_for(std::min(kWaitStep, wait - passed));
    passed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  }
}

HubClient::HubClient(const HubSettings& settings, const ProgressSink& progress, const CancelToken& cancel)
    : settings_(settings), progress_(progress), cancel_(cancel), origin_(origin_of(settings.endpoint)) {
  if (origin_.empty()) {
    throw Error(ErrorCode::wrong_use, "HF_ENDPOINT must be the hub's address, https://HOST", {{"value", settings.endpoint}});
  }
}

bool HubClient::is_endpoint(const std::string& url) const {
  const std::string origin = origin_of(url);
  // The same host, asked for without encryption, may insist on it.
  const auto host_of = [](std::string_view text) { return text.substr(text.find("//"), text.rfind(':') - text.find("//")); };
  return origin == origin_ || (origin_ == origin_of("http:" + std::string(host_of(origin_))) &&
                               origin == origin_of("https:" + std::string(host_of(origin_))));
}

HubAnswer HubClient::attempt(const std::string& first_url, std::chrono::seconds longest_silence, std::uint64_t offset,
                             std::uint64_t max_body_bytes, const HubSubject& subject, const FileSink& sink) {
  if (settings_.is_offline) {
    throw Error(ErrorCode::conflict, "nothing is asked of the hub while HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set",
                context_of(subject, first_url));
  }
  HubAnswer answer;
  std::string url = first_url;
  for (int redirects = 0;; ++redirects) {
    const bool is_hub = is_endpoint(url);
    HttpRequest request{url, {"Accept-Encoding: identity"}, longest_silence, settings_.certificates, max_body_bytes};
    if (is_hub && !settings_.token.empty()) {
      request.headers.push_back("Authorization: Bearer " + settings_.token);
    }
    if (offset > 0) {
      request.headers.push_back(fmt::format("Range: bytes={}-", offset));
    }
    BodySink take;
    if (sink) {
      take = [&](const HttpResponse& response, std::string_view bytes) {
        if (answer.response.status == 0) {
          note_file(answer, response, is_hub);
          answer.response.status = response.status;
          answer.response.headers = response.headers;
        }
        sink(answer, bytes);
      };
    }
    HttpResponse response = http_.get(request, take, cancel_);
    note_file(answer, response, is_hub);
    was_reached_ = was_reached_ || response.status != 0;
    if (response.failure) {
      Error error = unreached(*response.failure, subject, url);
      const bool has_hope = response.failure->kind == HttpFailure::Kind::cut ||
                            (response.failure->kind == HttpFailure::Kind::unreachable && was_reached_);
      if (!has_hope) {
        throw Error(error);
      }
      answer.failure = TransientFailure{std::move(error), std::nullopt};
      return answer;
    }
    if (response.status >= 300 && response.status < 400) {
      const std::string next = resolved_url(url, response.header("location"));
      if (next.empty() || (url.starts_with("https:") && !next.starts_with("https:"))) {
        throw Error(ErrorCode::bad_data,
                    "the hub redirects to where nothing is fetched from: no address, or one without encryption",
                    context_of(subject, url));
      }
      if (redirects == kMaxRedirects) {
        throw Error(ErrorCode::bad_data,
                    fmt::format("more than {} redirects, one after the other; is HF_ENDPOINT right?", kMaxRedirects),
                    context_of(subject, url));
      }
      url = next;
      continue;
    }
    if (response.status < 200 || response.status >= 300) {
      const ErrorContext context = context_of(subject, url);
      // A store beside the hub refuses what was signed for a time that has passed; the next attempt is signed anew.
      const bool is_stale = !is_hub && (response.status == 401 || response.status == 403);
      if (may_go_well_next_time(response.status) || is_stale) {
        const std::string message = response.status == 429
                                        ? std::string(
                                              "the hub was asked too often and wants to be left alone for a while; try again "
                                              "later, or set HF_TOKEN, which raises the limit")
                                        : fmt::format("the hub answers with status {}; try again later", response.status);
        answer.failure = TransientFailure{Error(ErrorCode::io, message + said(response), context), wait_asked_for(response)};
        answer.response = std::move(response);
        return answer;
      }
      if (response.status == 416 && offset > 0) {
        answer.response = std::move(response);
        return answer;
      }
      if (response.status == 401 || response.status == 403) {
        throw refused(response, subject, url, settings_);
      }
      if (response.status == 404 || response.status == 410) {
        throw absent(response, subject, url);
      }
      if (response.status == 407) {
        throw proxy_refused(subject, url);
      }
      throw Error(ErrorCode::bad_data,
                  fmt::format("a hub does not answer with status {}{}; is HF_ENDPOINT right?", response.status, said(response)),
                  context);
    }
    answer.response = std::move(response);
    return answer;
  }
}

HttpResponse HubClient::get_document(const std::string& url, const HubSubject& subject) {
  for (Patience patience(progress_, cancel_);;) {
    HubAnswer answer = attempt(url, settings_.metadata_timeout, 0, kMaxDocumentBytes, subject, nullptr);
    if (!answer.failure) {
      return std::move(answer.response);
    }
    patience.wait_after(*answer.failure, false);
  }
}

HubAnswer HubClient::get_file(const std::string& url, std::uint64_t offset, const HubSubject& subject, const FileSink& sink) {
  return attempt(url, settings_.download_timeout, offset, kMaxErrorBodyBytes, subject, sink);
}

}  // namespace verilabel
