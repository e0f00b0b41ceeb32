#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/digest.h"
#include "verilabel/hub/reference.h"

namespace verilabel {

/// A file of a repository at one commit.
struct HubFile {
  std::string path;         ///< within the repository, with slashes
  std::uint64_t size = 0;   ///< bytes of the content
  std::string hash;         ///< lower-case hexadecimal; names the blob in the cache
  bool is_git_blob = true;  ///< `hash` is git's SHA-1 of the content with its header, else SHA-256 of the content
};

/// The digest that a file's content has to end with `file.hash`; a git blob's header has been added already.
Digest digest_for(const HubFile& file);

/// A revision of a repository that the cache holds, wholly or in part.
struct CachedSnapshot {
  RepositoryId repository;
  std::string commit;
  std::vector<std::string> revisions;  ///< branches and tags that the cache knows for it, sorted
  std::vector<std::string> files;      ///< paths within the repository, sorted
  std::uint64_t size = 0;              ///< bytes of those files
  std::filesystem::path folder;        ///< looks like the repository
};

/// Hugging Face's cache of repositories (https://huggingface.co/docs/huggingface_hub/guides/manage-cache), shared with its own
/// tools: contents lie in `blobs` under their hash, `snapshots/COMMIT` holds relative symbolic links to them, `refs/REVISION` says
/// which commit a branch or tag meant, `.no_exist/COMMIT` which files a commit is known to lack. Only model repositories.
///
/// A blob appears under its name once it is whole, a link once its blob is there, a reference once all files of a pull are: readers
/// see nothing half-written, whatever ends the process.
class HubCache {
 public:
  explicit HubCache(std::filesystem::path folder, bool has_symlinks = true)
      : folder_(std::move(folder)), has_symlinks_(has_symlinks) {}

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path snapshot_folder(const RepositoryId& repository, std::string_view commit) const;
  std::filesystem::path blob(const RepositoryId& repository, std::string_view hash) const;
  /// What has come of a blob so far.
  std::filesystem::path partial_blob(const RepositoryId& repository, std::string_view hash) const;
  /// The lock that whoever fetches a blob holds.
  std::filesystem::path lock_of_blob(const RepositoryId& repository, std::string_view hash) const;

  /// The commit that a revision meant when it was last fetched; a commit means itself. Nothing when the cache does not know.
  std::optional<std::string> commit_of(const RepositoryId& repository, std::string_view revision) const;
  /// The content of a file: its blob, or the file itself in a snapshot without links. Nothing when it is not there or has another
  /// size.
  std::optional<std::filesystem::path> find_content(const RepositoryId& repository, std::string_view commit,
                                                    const HubFile& file) const;
  /// All snapshots of the cache, by repository and commit. What is no repository of models is passed over.
  std::vector<CachedSnapshot> snapshots() const;
  /// Nothing when the cache has no such snapshot.
  std::optional<CachedSnapshot> find_snapshot(const RepositoryId& repository, std::string_view commit) const;

  /// Makes the folders of a repository, and removes what a killed program left among its references; the cache is marked as one for
  /// backup programs, unless only others may write to its top. Throws `io`.
  void prepare(const RepositoryId& repository) const;
  /// Puts a file, whose content is there, into the snapshot. Throws `io`.
  void link(const RepositoryId& repository, std::string_view commit, const HubFile& file) const;
  /// Remembers that the commit lacks a file. Throws `io`.
  void note_absent(const RepositoryId& repository, std::string_view commit, std::string_view path) const;
  /// Remembers what a branch or tag means; nothing for a commit. Throws `io`.
  void set_revision(const RepositoryId& repository, std::string_view revision, std::string_view commit) const;

 private:
  std::filesystem::path repository_folder(const RepositoryId& repository) const;
  /// Where files are made that are then moved to their place: nobody lists what lies there.
  std::filesystem::path workshop(const RepositoryId& repository) const;

  std::filesystem::path folder_;
  bool has_symlinks_;
};

}  // namespace verilabel
