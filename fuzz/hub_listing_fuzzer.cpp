// A hub's listing of files, and names of models: what is taken stays within the cache.

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "fuzz/fuzzing.h"
#include "verilabel/hub/choice.h"
#include "verilabel/hub/reference.h"
#include "verilabel/hub/repository.h"

namespace {

void require_within(std::string_view path) {
  using verilabel::require;
  const auto normal = std::filesystem::path("/cache") / path;
  require(normal.lexically_normal() == normal, "a path says where it leads");
  require(normal.native().starts_with("/cache/"), "a path stays in its folder");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto reference = parse_hub_reference(text)) {
    require_within(reference->revision);
    require_within(reference->repository.text);
    require(std::ranges::count(reference->repository.text, '/') == 1, "a repository has an owner and a name");
    require(parse_hub_reference(reference->text())->text() == reference->text(), "a name means itself");
  }
  const auto files = unless_refused([&] { return files_from_json(text); });
  if (!files) {
    return 0;
  }
  for (const HubFile& file : *files) {
    require_within(file.path);
    require(file.hash.size() == (file.is_git_blob ? 40 : 64), "a hash is whole");
    require(file.hash.find_first_not_of("0123456789abcdef") == std::string::npos, "a hash is a file's name");
    require(file.size <= UINT64_C(1) << 50, "sizes can be added up");
  }
  const auto chosen = unless_refused([&] { return choose_files(*files, FileChoice()); });
  require(!chosen || !chosen->empty(), "a choice is not empty");
  return 0;
}
