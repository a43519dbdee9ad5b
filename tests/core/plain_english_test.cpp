// Sources, help, docs, recipes and scripts are written in plain English: none
// of the phrases of scripts/plain_english.txt, except on the lines that
// scripts/plain_english_exceptions.txt names.
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "moft/core/pattern.h"

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = MOFT_SOURCE_DIR;
const fs::path kPhrases = kRoot / "scripts" / "plain_english.txt";
const fs::path kExceptions = kRoot / "scripts" / "plain_english_exceptions.txt";

struct Phrase {
  moft::Pattern pattern;
  std::string advice;
};

// Lines of a file that are neither empty nor comments.
std::vector<std::string> entries(const fs::path& file) {
  std::vector<std::string> lines;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && !line.starts_with("# ")) lines.push_back(line);
  }
  return lines;
}

std::vector<Phrase> phrases() {
  std::vector<Phrase> list;
  for (const std::string& line : entries(kPhrases)) {
    const auto arrow = line.find(" => ");
    if (arrow == std::string::npos) {
      ADD_FAILURE() << "no advice: " << line;
      continue;
    }
    list.push_back(
        {moft::Pattern("(?i)" + line.substr(0, arrow), "plain_english.txt"),
         line.substr(arrow + 4)});
  }
  return list;
}

// Everything a clone holds that a person reads, except the samples below.
std::vector<fs::path> texts() {
  static const std::set<std::string> kMade = {
      "build", "models", "runs", "reports"};
  static const std::set<std::string> kKinds = {
      "", ".h", ".cpp", ".md", ".yaml", ".py", ".sh", ".cmake"};
  std::vector<fs::path> found;
  auto walk = fs::recursive_directory_iterator(kRoot);
  for (const auto& entry : walk) {
    const std::string name = entry.path().filename();
    const bool made = walk.depth() == 0 && kMade.contains(name);
    if (entry.is_directory() && (name.front() == '.' || made)) {
      walk.disable_recursion_pending();
    } else if (
        entry.is_regular_file() && name.front() != '.' && name != "LICENSE" &&
        name != "plain_english_test.cpp" &&
        kKinds.contains(entry.path().extension())) {
      found.push_back(entry.path());
    }
  }
  return found;
}

TEST(PlainEnglish, NoPhraseOfTheListIsLeft) {
  const auto list = phrases();
  const auto excepted = entries(kExceptions);
  std::set<std::string> used;
  ASSERT_GT(list.size(), 10u);
  for (const fs::path& file : texts()) {
    const std::string name = fs::relative(file, kRoot);
    std::ifstream stream(file);
    std::int64_t number = 0;
    for (std::string line; std::getline(stream, line);) {
      ++number;
      for (const Phrase& phrase : list) {
        if (!phrase.pattern.found_in(line)) continue;
        bool allowed = false;
        for (const std::string& exception : excepted) {
          const auto colon = exception.find(": ");
          if (exception.substr(0, colon) != name ||
              line.find(exception.substr(colon + 2)) == std::string::npos) {
            continue;
          }
          allowed = true;
          used.insert(exception);
        }
        EXPECT_TRUE(allowed) << name << ":" << number << ": " << line << "\n  "
                             << phrase.pattern.text() << ": " << phrase.advice;
      }
    }
  }
  for (const std::string& exception : excepted)
    EXPECT_TRUE(used.contains(exception)) << "not needed: " << exception;
}

// The list finds what it is for.
TEST(PlainEnglish, TheListFindsTheSamplesOfTheReviews) {
  const auto list = phrases();
  for (const std::string sample : {
           "over so many steps",
           "  // Of the completions drawn",
           "x is no objective",
           "the key stands twice",
           "this mends it",
           "CallerError names the file and the lie",
           "a run that goes on from a checkpoint",
           "starts its later story anew",
           "the model as it came",
       }) {
    bool found = false;
    for (const Phrase& phrase : list)
      found = found || phrase.pattern.found_in(sample);
    EXPECT_TRUE(found) << sample;
  }
}

}  // namespace
