#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "verilabel/base/error.h"
#include "verilabel/base/progress.h"
#include "verilabel/hub/http.h"
#include "verilabel/hub/reference.h"
#include "verilabel/hub/settings.h"

namespace verilabel {

/// What is asked for, for the words of an error.
struct HubSubject {
  RepositoryId repository;
  std::string revision;
  std::string file;  ///< empty for the repository itself
};

/// Something that went wrong and may go well the next time.
struct TransientFailure {
  Error error;  ///< to be thrown when it does not
  std::optional<std::chrono::seconds> retry_after;
};

/// Waits between attempts at one thing: longer each time that brings nothing, or as long as the hub asks.
class Patience {
 public:
  Patience(const ProgressSink& progress, const CancelToken& cancel) : progress_(progress), cancel_(cancel) {}

  /// Throws the failure's error when too many attempts in a row brought nothing or the hub asks for too long a wait, and
  /// `interrupted`.
  void wait_after(const TransientFailure& failure, bool has_progress);

 private:
  const ProgressSink& progress_;
  const CancelToken& cancel_;
  int failures_in_a_row_ = 0;
};

/// An answer, redirects followed, together with what the hub itself said about the file on the way to it.
struct HubAnswer {
  HttpResponse response;
  std::string commit;  ///< X-Repo-Commit; empty when nobody said it
  std::string hash;    ///< X-Linked-Etag, else ETag of the hub, without quotes; likewise
  std::string size;    ///< X-Linked-Size; likewise
  std::optional<TransientFailure> failure;
};

/// Asks the hub. The token goes to the endpoint's own origin (also over https where the endpoint is http) and nowhere else,
/// whatever redirects say; a redirect never leads from https to http.
///
/// Throws what no repetition mends: `not_found` for a repository, revision or file that is not there or not shown; `conflict` where
/// terms have to be accepted or access is refused, saying where, by a proxy too, and when the settings forbid to ask; `io` for
/// certificates and a hub that was never reached; `bad_data` for an answer that is none of a hub's; `interrupted`.
class HubClient {
 public:
  HubClient(const HubSettings& settings, const ProgressSink& progress, const CancelToken& cancel);

  /// The body of an answer to be read as JSON, repeated while there is hope. Throws also `io` when there is none any more.
  HttpResponse get_document(const std::string& url, const HubSubject& subject);

  /// A file's bytes from `offset` on; one attempt. The sink gets 2xx answers' bodies, and what the hub said so far.
  using FileSink = std::function<void(const HubAnswer& answer, std::string_view bytes)>;
  HubAnswer get_file(const std::string& url, std::uint64_t offset, const HubSubject& subject, const FileSink& sink);

  const HubSettings& settings() const { return settings_; }
  const ProgressSink& progress() const { return progress_; }
  const CancelToken& cancel() const { return cancel_; }

 private:
  bool is_endpoint(const std::string& url) const;
  HubAnswer attempt(const std::string& url, std::chrono::seconds longest_silence, std::uint64_t offset,
                    std::uint64_t max_body_bytes, const HubSubject& subject, const FileSink& sink);

  const HubSettings& settings_;
  const ProgressSink& progress_;
  const CancelToken& cancel_;
  HttpClient http_;
  std::string origin_;
  bool was_reached_ = false;
};

}  // namespace verilabel
