#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "verilabel/hub/cache.h"
#include "verilabel/hub/client.h"

namespace verilabel {

/// Told the bytes of a file that lie on disk; it may go down when a part has to be fetched again.
using BytesSink = std::function<void(std::uint64_t bytes)>;

/// The digest of what lies at `path`, for `HubFile::hash`. Throws `not_found`, `io`, `interrupted`.
Digest hashed(const HubFile& file, const std::filesystem::path& path, const ProgressSink& progress, const CancelToken& cancel);

/// Whether the cache has the file's content: by its size, and with `is_hashed` also by its hash. Throws `io`, `interrupted`.
bool has_content(const HubCache& cache, const RepositoryId& repository, const std::string& commit, const HubFile& file,
                 bool is_hashed, const ProgressSink& progress, const CancelToken& cancel);

/// Fetches a file's content into the cache, as its blob, unless `has_content`; a part that an earlier attempt left is gone on with.
/// The blob appears once all bytes are on disk and size and hash are those of the listing. Another process that fetches the same
/// blob, huggingface_hub among them, is waited for. Returns how many bytes came over the network.
///
/// Throws what `HubClient` throws; `bad_data` for a hub whose file has another size, hash or commit than its listing says; `io`.
std::uint64_t download(HubClient& client, const HubCache& cache, const RepositoryId& repository, const std::string& commit,
                       const HubFile& file, bool is_hashed, const BytesSink& bytes);

}  // namespace verilabel
