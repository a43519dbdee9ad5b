#include "moft/core/paths.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

class ExpandPath : public testing::Test {
 protected:
  ExpandPath() {
    ::setenv("HOME", "/home/ann", 1);
    ::setenv("MOFT_TEST_DATA", "/data/big", 1);
    ::setenv("MOFT_TEST_EMPTY", "", 1);
    ::unsetenv("MOFT_TEST_UNSET");
  }
  ~ExpandPath() override {
    if (!home_.empty()) ::setenv("HOME", home_.c_str(), 1);
  }

  static std::string refusal(const std::string& path) {
    try {
      return "accepted as " + expand_path(path, "output");
    } catch (const CallerError& error) {
      return error.what();
    }
  }

  std::string home_ = std::getenv("HOME") ? std::getenv("HOME") : "";
};

TEST_F(ExpandPath, HomeAndVariables) {
  const std::pair<const char*, const char*> kCases[] = {
      {"~", "/home/ann"},
      {"~/runs/x", "/home/ann/runs/x"},
      {"$MOFT_TEST_DATA/a.jsonl", "/data/big/a.jsonl"},
      {"${MOFT_TEST_DATA}2/a", "/data/big2/a"},
      {"x/$HOME", "x//home/ann"},
      {"a$$b", "a$b"},
      {"price in $", "price in $"},
      {"$1", "$1"},
      {"runs/a~b/~", "runs/a~b/~"},
      {"plain/path", "plain/path"},
      {"", ""}};
  for (const auto& [written, meant] : kCases)
    EXPECT_EQ(expand_path(written, "it"), meant) << written;
}

TEST_F(ExpandPath, RefusesWhatNobodyKnows) {
  EXPECT_EQ(
      refusal("$MOFT_TEST_UNSET/x"),
      "output is '$MOFT_TEST_UNSET/x', but the environment variable "
      "MOFT_TEST_UNSET is not set; set it, or write the path out ('$$' for a "
      "'$' in a name)");
  EXPECT_NE(
      refusal("${MOFT_TEST_EMPTY}/x").find("is empty"), std::string::npos);
  EXPECT_EQ(
      refusal("~bob/x"),
      "output is '~bob/x'; '~' alone is the home folder: write another user's "
      "out, or './~..' for such a name");
  EXPECT_NE(refusal("${HOME").find("names no variable"), std::string::npos);
  EXPECT_NE(refusal("a/${}").find("names no variable"), std::string::npos);
  EXPECT_NE(refusal("${A-b}").find("names no variable"), std::string::npos);
}

// A run's own recipe holds absolute paths that were expanded before.
TEST_F(ExpandPath, AnAbsolutePathThatExistsIsItself) {
  const fs::path folder = fs::path(testing::TempDir()) / "moft$UNSET_paths";
  fs::create_directories(folder);
  EXPECT_EQ(expand_path(folder.string(), "it"), folder.string());
  const fs::path here = fs::current_path();
  fs::current_path(testing::TempDir());
  EXPECT_EQ(expand_path("moft$UNSET_paths", "it"), "moft$UNSET_paths");
  fs::current_path(here);
  fs::remove(folder);
  EXPECT_THROW(expand_path(folder.string(), "it"), CallerError);
}

TEST(MatchGlob, SortsByBytesAndSkipsHiddenFiles) {
  const fs::path folder = fs::path(testing::TempDir()) / "moft_glob_test";
  fs::create_directories(folder);
  for (const char* name : {"b.jsonl", "a10.jsonl", "a2.jsonl", ".h.jsonl", "x"})
    std::ofstream(folder / name) << "{}";
  const std::string at = folder.string() + "/";
  EXPECT_TRUE(is_glob(at + "*.jsonl"));
  EXPECT_FALSE(is_glob(at + "x"));
  EXPECT_EQ(
      match_glob(at + "*.jsonl"),
      (std::vector<std::string>{
          at + "a10.jsonl", at + "a2.jsonl", at + "b.jsonl"}));
  EXPECT_EQ(match_glob(at + "[xy]"), std::vector<std::string>{at + "x"});
  EXPECT_TRUE(match_glob(at + "none*").empty());
  EXPECT_TRUE(match_glob(at + "none/*").empty());
  EXPECT_TRUE(match_glob(at + "x/*").empty());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace moft
