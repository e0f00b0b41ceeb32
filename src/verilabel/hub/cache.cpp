#include "verilabel/hub/cache.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFolderPrefix = "models--";
constexpr std::uint64_t kMaxReferenceBytes = 4096;

/// Of the Cache Directory Tagging Specification (https://bford.info/cachedir/).
constexpr std::string_view kCacheTag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file marks a folder of copies that can be fetched again; backup programs may pass it over.\n";

std::string folder_name(const RepositoryId& repository) {
  std::string name(kFolderPrefix);
  for (const char c : repository.text) {
    c == '/' ? name += "--" : name += c;
  }
  return name;
}

std::optional<RepositoryId> repository_of(std::string_view folder_name) {
  if (!folder_name.starts_with(kFolderPrefix)) {
    return std::nullopt;
  }
  std::string text(folder_name.substr(kFolderPrefix.size()));
  if (const auto at = text.find("--"); at != std::string::npos) {
    text.replace(at, 2, "/");
  }
  const auto reference = parse_hub_reference(text);
  return reference ? std::optional(reference->repository) : std::nullopt;
}

void make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw io_error("cannot make a folder of the model cache", folder.native(), error.value());
  }
}

/// A cache may be shared: a link that somebody has put there is replaced, and what it leads to is left alone. Made in `made_in`,
/// for huggingface_hub takes each file of the cache, of `refs` and of a snapshot for what it looks for there.
template <typename Content>
void put_file(const fs::path& place, const Content& content, const fs::path& made_in) {
  if (std::error_code ignored; fs::is_symlink(place, ignored)) {
    fs::remove(place, ignored);
  }
  replace_file(place, content, made_in);
}

/// What it says, without blanks at the end; nothing where it is too long to be one.
std::string text_of_reference(const fs::path& file) {
  if (std::error_code error; fs::file_size(file, error) > kMaxReferenceBytes && !error) {
    return {};
  }
  std::string text = read_file(file, kMaxReferenceBytes);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') {
    text.pop_back();
  }
  return text;
}

/// Likewise; nothing also where it cannot be read, as a reference of somebody else's perhaps.
std::optional<std::string> text_if_readable(const fs::path& file) {
  try {
    return text_of_reference(file);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Removes what a killed program left beside references, NAME.XXXXXX without a commit in it: huggingface_hub takes it for one.
void remove_leftovers(const fs::path& references) {
  constexpr std::size_t kEndingLength = 7;
  const auto is_random = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  std::vector<fs::path> leftovers;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(references, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    const std::string ending = name.substr(name.size() - std::min(kEndingLength, name.size()));
    if (std::error_code ignored; name.size() > kEndingLength && ending.front() == '.' &&
                                 std::all_of(ending.begin() + 1, ending.end(), is_random) && entry->is_regular_file(ignored)) {
      if (const auto text = text_if_readable(entry->path()); text && !is_commit(*text)) {
        leftovers.push_back(entry->path());
      }
    }
  }
  for (const fs::path& leftover : leftovers) {
    std::error_code ignored;
    fs::remove(leftover, ignored);
  }
}

/// Branches and tags by commit, without those that cannot be read.
std::map<std::string, std::vector<std::string>> revisions_of(const fs::path& references) {
  std::map<std::string, std::vector<std::string>> revisions;
  std::error_code error;
  constexpr auto kPassing = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator entry(references, kPassing, error), end; !error && entry != end; entry.increment(error)) {
    if (std::error_code ignored; entry->is_regular_file(ignored)) {
      if (const auto commit = text_if_readable(entry->path())) {
        revisions[*commit].push_back(entry->path().lexically_relative(references).generic_string());
      }
    }
  }
  for (auto& [commit, names] : revisions) {
    std::ranges::sort(names);
  }
  return revisions;
}

CachedSnapshot snapshot_at(const RepositoryId& repository, const fs::path& folder, std::vector<std::string> revisions) {
  CachedSnapshot snapshot{repository, folder.filename().native(), std::move(revisions), {}, 0, folder};
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_regular_file(ignored)) {  // follows the link; one that leads nowhere is no file
      snapshot.files.push_back(entry->path().lexically_relative(folder).generic_string());
      snapshot.size += entry->file_size(ignored);
    }
  }
  std::ranges::sort(snapshot.files);
  return snapshot;
}

bool shows(const fs::path& place, const fs::path& content) {
  std::error_code ignored;
  return fs::equivalent(place, content, ignored);
}

/// Whether `place` holds the file's content itself, as where a file system knows no links.
bool is_copy(const HubFile& file, const fs::path& place) {
  std::error_code error;
  return fs::is_regular_file(fs::symlink_status(place, error)) && fs::hard_link_count(place, error) == 1 &&
         fs::file_size(place, error) == file.size && !error && with_file(digest_for(file), place).finish() == file.hash;
}

/// Whether `make`, which is tried, has put something at `place` that shows `content`.
template <typename Make>
bool has_put(const fs::path& place, const fs::path& content, const Make& make) {
  std::error_code error;
  make(error);
  if (error == std::errc::file_exists && !shows(place, content)) {
    fs::remove(place, error);  // another content, or a link that leads nowhere
    make(error);
  }
  return shows(place, content);
}

}  // namespace

Digest digest_for(const HubFile& file) {
  Digest digest(file.is_git_blob ? Digest::Kind::sha1 : Digest::Kind::sha256);
  if (file.is_git_blob) {
    const std::string header = fmt::format("blob {}", file.size);
    digest.add({header.c_str(), header.size() + 1});  // with the zero at its end
  }
  return digest;
}

fs::path HubCache::repository_folder(const RepositoryId& repository) const {
  return folder_ / folder_name(repository);
}

fs::path HubCache::workshop(const RepositoryId& repository) const {
  return repository_folder(repository) / "blobs";
}

fs::path HubCache::snapshot_folder(const RepositoryId& repository, std::string_view commit) const {
  return repository_folder(repository) / "snapshots" / commit;
}

fs::path HubCache::blob(const RepositoryId& repository, std::string_view hash) const {
  return repository_folder(repository) / "blobs" / hash;
}

fs::path HubCache::partial_blob(const RepositoryId& repository, std::string_view hash) const {
  return repository_folder(repository) / "blobs" / fmt::format("{}.incomplete", hash);
}

fs::path HubCache::lock_of_blob(const RepositoryId& repository, std::string_view hash) const {
  return folder_ / ".locks" / folder_name(repository) / fmt::format("{}.lock", hash);
}

std::optional<std::string> HubCache::commit_of(const RepositoryId& repository, std::string_view revision) const {
  if (is_commit(revision)) {
    return std::string(revision);
  }
  const fs::path file = repository_folder(repository) / "refs" / revision;
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) {
    return std::nullopt;
  }
  std::string commit = text_of_reference(file);
  if (!is_commit(commit)) {
    throw Error(ErrorCode::bad_data,
                "the model cache is damaged: this file should hold a commit; remove it and pull the model again",
                {{"path", file.native()}});
  }
  return commit;
}

std::optional<fs::path> HubCache::find_content(const RepositoryId& repository, std::string_view commit, const HubFile& file) const {
  for (const fs::path& path : {blob(repository, file.hash), snapshot_folder(repository, commit) / file.path}) {
    std::error_code error;
    if (fs::is_regular_file(path, error) && fs::file_size(path, error) == file.size && !error) {
      return path;
    }
  }
  return std::nullopt;
}

std::vector<CachedSnapshot> HubCache::snapshots() const {
  std::vector<CachedSnapshot> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const auto repository = repository_of(entry.path().filename().native());
    if (!repository) {
      continue;
    }
    const auto revisions = revisions_of(entry.path() / "refs");
    for (const auto& snapshot : fs::directory_iterator(entry.path() / "snapshots", error)) {
      const std::string commit = snapshot.path().filename().native();
      if (is_commit(commit)) {
        const auto names = revisions.find(commit);
        found.push_back(
            snapshot_at(*repository, snapshot.path(), names == revisions.end() ? std::vector<std::string>() : names->second));
      }
    }
  }
  std::ranges::sort(found, {}, [](const CachedSnapshot& snapshot) { return std::pair(snapshot.repository.text, snapshot.commit); });
  return found;
}

std::optional<CachedSnapshot> HubCache::find_snapshot(const RepositoryId& repository, std::string_view commit) const {
  const fs::path folder = snapshot_folder(repository, commit);
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return std::nullopt;
  }
  auto revisions = revisions_of(repository_folder(repository) / "refs");
  return snapshot_at(repository, folder, std::move(revisions[std::string(commit)]));
}

void HubCache::prepare(const RepositoryId& repository) const {
  for (const char* name : {"blobs", "refs", "snapshots"}) {
    make_folders(repository_folder(repository) / name);
  }
  make_folders(folder_ / ".locks" / folder_name(repository));
  if (std::error_code ignored; !fs::exists(folder_ / "CACHEDIR.TAG", ignored) && ::access(folder_.c_str(), W_OK) == 0) {
    put_file(folder_ / "CACHEDIR.TAG", kCacheTag, workshop(repository));
  }
  remove_leftovers(repository_folder(repository) / "refs");
}

void HubCache::link(const RepositoryId& repository, std::string_view commit, const HubFile& file) const {
  const fs::path blob_path = blob(repository, file.hash);
  const fs::path place = snapshot_folder(repository, commit) / file.path;
  std::error_code error;
  // The blob may itself be a link, into huggingface_hub's store of blobs that repositories share.
  const fs::path content = fs::canonical(blob_path, error);
  if (error) {
    return;  // a cache without links has it in the snapshot
  }
  if (is_copy(file, place)) {
    return;
  }
  make_folders(place.parent_path());
  const auto make_link = [&](std::error_code& failure) {
    fs::create_symlink(blob_path.lexically_relative(place.parent_path()), place, failure);
  };
  const auto make_hard_link = [&](std::error_code& failure) { fs::create_hard_link(content, place, failure); };
  if ((!has_symlinks_ || !has_put(place, content, make_link)) && !has_put(place, content, make_hard_link)) {
    put_file(place, [&](int descriptor) { write_all(descriptor, MappedFile::open(content).bytes(), place); }, workshop(repository));
  }
}

void HubCache::note_absent(const RepositoryId& repository, std::string_view commit, std::string_view path) const {
  const fs::path place = repository_folder(repository) / ".no_exist" / commit / path;
  if (std::error_code ignored; !fs::exists(place, ignored)) {
    make_folders(place.parent_path());
    put_file(place, "", workshop(repository));
  }
}

void HubCache::set_revision(const RepositoryId& repository, std::string_view revision, std::string_view commit) const {
  if (revision == commit) {
    return;
  }
  const fs::path place = repository_folder(repository) / "refs" / revision;
  for (fs::path part = place; part.filename() != "refs"; part = part.parent_path()) {
    if (std::error_code ignored; part == place ? fs::is_directory(part, ignored) : fs::is_regular_file(part, ignored)) {
      throw Error(ErrorCode::conflict,
                  "the model cache has another revision where this one would stand: a name cannot be the beginning of another's "
                  "path; remove the old one, then pull again",
                  {{"path", part.native()}, {"revision", std::string(revision)}});
    }
  }
  make_folders(place.parent_path());
  if (std::error_code ignored;
      fs::is_symlink(place, ignored) || !fs::is_regular_file(place, ignored) || text_if_readable(place) != commit) {
    put_file(place, commit, workshop(repository));
  }
}

}  // namespace verilabel
