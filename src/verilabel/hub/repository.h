#pragma once

#include <string>
#include <vector>

#include "verilabel/hub/cache.h"
#include "verilabel/hub/client.h"
#include "verilabel/hub/reference.h"

namespace verilabel {

/// What the hub says about a repository at one revision.
struct RepositoryListing {
  RepositoryId repository;
  std::string commit;
  std::string licence;       ///< as its model card names it, "apache-2.0" say, or "mit, openrail"; empty when it does not
  std::string licence_link;  ///< of a licence that is none of the usual; mostly empty
  bool is_gated = false;     ///< terms have to be accepted
  std::vector<HubFile> files;
};

/// Asks the hub for the commit that a revision means and for the files of that commit, page by page. Throws what `HubClient`
/// throws; `bad_data` for an answer that cannot be one, among them paths that would leave the folder they are put into and sizes
/// and hashes that are none.
RepositoryListing list_repository(HubClient& client, const RepositoryId& repository, const std::string& revision);

/// One page of a listing as the hub sends it: a JSON list of files and folders. Throws `bad_data`.
std::vector<HubFile> files_from_json(std::string_view json);

}  // namespace verilabel
