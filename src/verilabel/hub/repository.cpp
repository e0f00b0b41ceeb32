#include "verilabel/hub/repository.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxFiles = 200'000;
constexpr std::size_t kMaxPages = 1'000;

Error odd_listing(const std::string& what, std::string_view value) {
  constexpr std::size_t kMaxShown = 200;
  return {ErrorCode::bad_data,
          fmt::format("the hub's listing of files is not right: {}", what),
          {{"value", printable(value.substr(0, kMaxShown))}}};
}

json parsed(std::string_view text, json::value_t kind, std::string_view what) {
  json document = json::parse(text, nullptr, false);
  if (document.type() != kind) {
    throw Error(ErrorCode::bad_data,
                fmt::format("the hub's answer is no {}; is HF_ENDPOINT right, and is there a proxy or a portal in between?", what),
                {{"begins", printable(text.substr(0, 80))}});
  }
  return document;
}

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t size_at(const json& object, const std::string& path) {
  constexpr std::uint64_t kMaxBytes = UINT64_C(1) << 50;
  const auto found = object.find("size");
  if (found == object.end() || !found->is_number_unsigned() || found->get<std::uint64_t>() > kMaxBytes) {
    throw odd_listing(fmt::format("{} has no size that a file can have", printable(path)),
                      found == object.end() ? std::string() : found->dump(-1, ' ', false, json::error_handler_t::replace));
  }
  return found->get<std::uint64_t>();
}

std::string hash_at(const json& object, std::size_t digits, const std::string& path) {
  std::string hash = text_at(object, "oid");
  if (hash.size() != digits ||
      !std::ranges::all_of(hash, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); })) {
    throw odd_listing(fmt::format("{} has no hash of {} hexadecimal digits", printable(path), digits), hash);
  }
  return hash;
}

HubFile file_from(const json& entry) {
  constexpr std::size_t kSha1Digits = 40;
  constexpr std::size_t kSha256Digits = 64;
  HubFile file;
  file.path = text_at(entry, "path");
  if (!is_safe_repository_path(file.path)) {
    throw odd_listing("a path that would leave the folder of the model", file.path);
  }
  const auto lfs = entry.find("lfs");
  file.is_git_blob = lfs == entry.end() || !lfs->is_object();
  const json& content = file.is_git_blob ? entry : *lfs;
  file.size = size_at(content, file.path);
  file.hash = hash_at(content, file.is_git_blob ? kSha1Digits : kSha256Digits, file.path);
  return file;
}

/// The URL of rel="next" in a Link header (RFC 8288); empty when there is none.
std::string next_page_of(const std::string& link) {
  for (std::size_t begin = link.find('<'); begin != std::string::npos; begin = link.find('<', begin + 1)) {
    const std::size_t end = link.find('>', begin);
    const std::size_t comma = link.find(",", std::min(end, link.size()));
    if (end != std::string::npos && link.substr(end, comma - end).find("rel=\"next\"") != std::string::npos) {
      return link.substr(begin + 1, end - begin - 1);
    }
  }
  return {};
}

/// A mirror may hand on the addresses of the hub that it mirrors.
std::string at_endpoint(std::string url, const std::string& endpoint) {
  const std::string usual = HubSettings().endpoint;
  return url.starts_with(usual + "/") ? endpoint + url.substr(usual.size()) : url;
}

/// No path twice, and none that is a file and a folder.
void check_paths(const std::vector<HubFile>& files) {
  std::set<std::string_view> paths;
  for (const HubFile& file : files) {
    if (!paths.insert(file.path).second) {
      throw odd_listing("a path that occurs twice", file.path);
    }
  }
  for (const std::string_view path : paths) {
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
      if (paths.contains(path.substr(0, slash))) {
        throw odd_listing("a path that is a file and a folder", path.substr(0, slash));
      }
    }
  }
}

/// Of a repository under several all of them, with commas in between.
void read_licence(const json& info, RepositoryListing& listing) {
  constexpr std::string_view kTag = "license:";
  std::vector<std::string> licences;
  const auto card = info.find("cardData");
  if (card != info.end() && card->is_object()) {
    const auto licence = card->find("license");
    if (licence != card->end() && licence->is_array()) {
      for (const json& name : *licence) {
        licences.push_back(name.is_string() ? name.get<std::string>() : std::string());
      }
    } else {
      licences.push_back(text_at(*card, "license"));
    }
    if (const std::string name = text_at(*card, "license_name"); !name.empty()) {
      std::ranges::replace(licences, std::string("other"), name);
    }
    listing.licence_link = printable(text_at(*card, "license_link"));
  }
  std::erase(licences, "");
  const auto tags = info.find("tags");
  if (licences.empty() && tags != info.end() && tags->is_array()) {
    for (const json& tag : *tags) {
      if (tag.is_string() && tag.get_ref<const std::string&>().starts_with(kTag)) {
        licences.push_back(tag.get_ref<const std::string&>().substr(kTag.size()));
      }
    }
  }
  listing.licence = printable(fmt::format("{}", fmt::join(licences, ", ")));
}

}  // namespace

std::vector<HubFile> files_from_json(std::string_view text) {
  std::vector<HubFile> files;
  for (const json& entry : parsed(text, json::value_t::array, "list of files")) {
    if (!entry.is_object()) {
      throw odd_listing("an entry that is no object", entry.dump(-1, ' ', false, json::error_handler_t::replace));
    }
    if (text_at(entry, "type") == "file") {
      files.push_back(file_from(entry));
    }
  }
  return files;
}

RepositoryListing list_repository(HubClient& client, const RepositoryId& repository, const std::string& revision) {
  const std::string& endpoint = client.settings().endpoint;
  const HubSubject subject{repository, revision, ""};
  const std::string api = fmt::format("{}/api/models/{}", endpoint, repository.text);
  const std::string about = client.get_document(fmt::format("{}/revision/{}", api, percent_encoded(revision, false)), subject).body;
  const json info = parsed(about, json::value_t::object, "description of a repository");
  RepositoryListing listing;
  listing.repository = repository;
  listing.commit = text_at(info, "sha");
  if (!is_commit(listing.commit)) {
    throw Error(ErrorCode::bad_data,
                "this is no answer of a hub: it does not say which commit the revision is; is HF_ENDPOINT right?",
                {{"repository", repository.text}, {"revision", revision}, {"sha", printable(listing.commit)}});
  }
  const auto gated = info.find("gated");
  listing.is_gated = gated != info.end() && (gated->is_string() || (gated->is_boolean() && gated->get<bool>()));
  read_licence(info, listing);

  std::string url = fmt::format("{}/tree/{}?recursive=true&expand=false", api, listing.commit);
  for (std::size_t pages = 0; !url.empty(); ++pages) {
    const HttpResponse page = client.get_document(url, subject);
    std::vector<HubFile> files = files_from_json(page.body);
    listing.files.insert(listing.files.end(), std::move_iterator(files.begin()), std::move_iterator(files.end()));
    if (listing.files.size() > kMaxFiles || pages == kMaxPages) {
      throw odd_listing("it does not end", std::to_string(listing.files.size()));
    }
    const std::string next = next_page_of(page.header("link"));
    url = next.empty() ? next : at_endpoint(resolved_url(url, next), endpoint);
  }
  check_paths(listing.files);
  return listing;
}

}  // namespace verilabel
