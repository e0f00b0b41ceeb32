#include "verilabel/hub/settings.h"

#include <fstream>
#include <map>
#include <utility>

#include <gtest/gtest.h>
#include <unistd.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

using Values = std::map<std::string, std::string>;

Environment with(Values values) {
  return [values = std::move(values)](const char* name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

fs::path cache_of(Values values) {
  values.emplace("HOME", "/h0");
  return hub_cache_dir_from(with(std::move(values)));
}

TEST(HubSettings, TheCacheIsWhereHuggingFaceHasIt) {
  EXPECT_EQ(cache_of({}), "/h0/.cache/huggingface/hub");
  EXPECT_EQ(cache_of({{"XDG_CACHE_HOME", "/x"}}), "/x/huggingface/hub");
  EXPECT_EQ(cache_of({{"XDG_CACHE_HOME", "/x"}, {"HF_HOME", "/h"}}), "/h/hub");
  EXPECT_EQ(cache_of({{"HF_HOME", "/h"}, {"HUGGINGFACE_HUB_CACHE", "/old"}}), "/old");
  EXPECT_EQ(cache_of({{"HF_HUB_CACHE", "/c"}, {"HUGGINGFACE_HUB_CACHE", "/old"}}), "/c");
  EXPECT_EQ(cache_of({{"HF_HUB_CACHE", ""}, {"HF_HOME", "/h"}}), "/h/hub");
}

TEST(HubSettings, PathsMayNameHomeAndVariables) {
  EXPECT_EQ(cache_of({{"HF_HOME", "~/hf"}}), "/h0/hf/hub");
  EXPECT_EQ(cache_of({{"HF_HOME", "$ROOT/a/${WHO}x"}, {"ROOT", "/r"}, {"WHO", "w"}}), "/r/a/wx/hub");
  EXPECT_EQ(cache_of({{"HF_HOME", "/a/$UNKNOWN/${x/$"}}), "/a/$UNKNOWN/${x/$/hub");
}

TEST(HubSettings, WithoutAnyPlaceItSaysSo) {
  try {
    hub_cache_dir_from(with({}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::wrong_use);
    EXPECT_NE(error.message().find("HF_HOME"), std::string::npos);
  }
  EXPECT_EQ(hub_settings_from(with({{"HF_HUB_CACHE", "/c"}})).cache_dir, "/c");
}

TEST(HubSettings, TheEndpointIsAnAddress) {
  EXPECT_EQ(hub_settings_from(with({{"HOME", "/h"}})).endpoint, "https://huggingface.co");
  EXPECT_EQ(hub_settings_from(with({{"HOME", "/h"}, {"HF_ENDPOINT", "http://localhost:1/hub//"}})).endpoint,
            "http://localhost:1/hub");
  for (const char* value : {"huggingface.co", "ftp://x", "https://", "https://a b", "https://x?y", "https://user@x"}) {
    EXPECT_THROW(hub_settings_from(with({{"HOME", "/h"}, {"HF_ENDPOINT", value}})), Error) << value;
  }
}

TEST(HubSettings, SwitchesAreReadAsHuggingFaceDoes) {
  const auto is_offline = [](Values values) {
    values.emplace("HOME", "/h");
    return hub_settings_from(with(std::move(values))).is_offline;
  };
  for (const char* yes : {"1", "true", "TRUE", "Yes", "on"}) {
    EXPECT_TRUE(is_offline({{"HF_HUB_OFFLINE", yes}})) << yes;
    EXPECT_TRUE(is_offline({{"TRANSFORMERS_OFFLINE", yes}})) << yes;
  }
  for (const char* no : {"", "0", "false", "2", "offline"}) {
    EXPECT_FALSE(is_offline({{"HF_HUB_OFFLINE", no}})) << no;
  }
}

TEST(HubSettings, TimeoutsAreSeconds) {
  const HubSettings settings =
      hub_settings_from(with({{"HOME", "/h"}, {"HF_HUB_ETAG_TIMEOUT", "3"}, {"HF_HUB_DOWNLOAD_TIMEOUT", "60"}}));
  EXPECT_EQ(settings.metadata_timeout.count(), 3);
  EXPECT_EQ(settings.download_timeout.count(), 60);
  for (const char* value : {"0", "-1", "ten", "1.5", "10s", "99999999999"}) {
    EXPECT_THROW(hub_settings_from(with({{"HOME", "/h"}, {"HF_HUB_ETAG_TIMEOUT", value}})), Error) << value;
  }
}

TEST(HubSettings, TheTokenComesFromTheVariableOrItsFile) {
  const fs::path home = fs::temp_directory_path() / ("hub_settings_test-" + std::to_string(::getpid()));
  fs::create_directories(home);
  std::ofstream(home / "token") << " hf_file\n";
  std::ofstream(home / "other") << "hf_other";
  const auto token = [&](Values values) {
    values.emplace("HF_HOME", home.native());
    return hub_settings_from(with(std::move(values))).token;
  };
  EXPECT_EQ(token({}), "hf_file");
  EXPECT_EQ(token({{"HF_TOKEN_PATH", (home / "other").native()}}), "hf_other");
  EXPECT_EQ(token({{"HF_TOKEN_PATH", (home / "missing").native()}}), "");
  EXPECT_EQ(token({{"HF_TOKEN", "hf_variable\r\n"}}), "hf_variable");
  EXPECT_EQ(token({{"HUGGING_FACE_HUB_TOKEN", "hf_old"}}), "hf_old");
  EXPECT_EQ(token({{"HF_TOKEN", "hf_variable"}, {"HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"}}), "");
  EXPECT_EQ(token({{"HF_TOKEN", " \n"}, {"HUGGING_FACE_HUB_TOKEN", "hf_old"}}), "hf_old");
  EXPECT_EQ(token({{"HF_TOKEN", " "}}), "hf_file") << "as huggingface_hub has it";
  EXPECT_THROW(token({{"HF_TOKEN", "hf_a b"}}), Error);
  fs::remove_all(home);
}

}  // namespace
}  // namespace verilabel
