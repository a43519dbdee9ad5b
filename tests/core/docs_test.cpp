// The pages tell the truth about the tree: links, paths, commands, test names.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = MOFT_SOURCE_DIR;

std::string read(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Everything a clone holds: no hidden folders, nothing that set-up, builds and
// runs have made.
std::vector<fs::path> files_with(const fs::path& top, const std::string& end) {
  static const std::set<std::string> kMade = {
      "build", "models", "runs", "reports"};
  std::vector<fs::path> found;
  auto walk = fs::recursive_directory_iterator(top);
  for (const auto& entry : walk) {
    const std::string name = entry.path().filename();
    const bool made = walk.depth() == 0 && top == kRoot && kMade.contains(name);
    if (entry.is_directory() && (name.front() == '.' || made)) {
      walk.disable_recursion_pending();
    } else if (entry.path().extension() == end) {
      found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<fs::path> pages() {
  return files_with(kRoot, ".md");
}

// First groups of all matches.
std::vector<std::string> matches(
    const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end;
       ++it) {
    found.push_back((*it)[1]);
  }
  return found;
}

bool begins_with_any(
    const std::string& text, const std::vector<std::string>& beginnings) {
  return std::any_of(
      beginnings.begin(), beginnings.end(), [&](const std::string& beginning) {
        return text.starts_with(beginning);
      });
}

std::string without_comments(const std::string& page) {
  std::string text;
  std::size_t at = 0;
  while (true) {
    const std::size_t open = page.find("<!--", at);
    text += page.substr(at, open - at);
    if (open == std::string::npos) return text;
    const std::size_t close = page.find("-->", open);
    if (close == std::string::npos) return text;
    at = close + 3;
  }
}

// The text in backticks, in fences and in indented blocks, one piece
// per line.
std::string code_of(const std::string& page) {
  std::string code;
  bool fenced = false;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      fenced = !fenced;
    } else if (fenced || line.starts_with("    ")) {
      code += line + "\n";
    } else {
      for (const std::string& span : matches(line, "`([^`]+)`"))
        code += span + "\n";
    }
  }
  return code;
}

// GitHub's anchor of a heading.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char c : heading) {
    if (c == ' ') anchor += '-';
    if (c == '-' || c == '_') anchor += c;
    if (std::isalnum(static_cast<unsigned char>(c)))
      anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return anchor;
}

bool has_anchor(const std::string& page, const std::string& anchor) {
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t text = line.find_first_not_of('#');
    if (text == 0 || text == std::string::npos) continue;
    if (anchor_of(line.substr(text + 1)) == anchor) return true;
  }
  return false;
}

TEST(Docs, RelativeLinksPointToFilesAndHeadingsThatExist) {
  std::size_t seen = 0;
  for (const fs::path& page : pages()) {
    const std::string text = without_comments(read(page));
    for (const std::string& link : matches(text, R"(\]\(([^)\s]+)\))")) {
      if (begins_with_any(link, {"http:", "https:", "mailto:"})) continue;
      ++seen;
      const std::size_t hash = std::min(link.find('#'), link.size());
      const std::string path = link.substr(0, hash);
      const fs::path file = path.empty() ? page : page.parent_path() / path;
      EXPECT_TRUE(fs::exists(file)) << page << " links to " << link;
      if (hash < link.size() && file.extension() == ".md") {
        EXPECT_TRUE(has_anchor(read(file), link.substr(hash + 1)))
            << page << " links to " << link;
      }
    }
  }
  EXPECT_GT(seen, 40u);
}

// Paths in folders of a clone; `<..>`, `*` and `..` are not paths.
TEST(Docs, PathsInCodeExist) {
  std::size_t seen = 0;
  for (const fs::path& page : pages()) {
    const std::string code = code_of(without_comments(read(page)));
    const auto paths = matches(
        code,
        R"((?:^|[\s"'(=])((?:scripts|recipes|docs|tests|moft|verify|cli|cmake|examples)/)"
        R"([A-Za-z0-9_./<>*-]*))");
    for (const std::string& path : paths) {
      if (path.find_first_of("<*") != std::string::npos) continue;
      ++seen;
      EXPECT_TRUE(fs::exists(kRoot / path)) << page << " names " << path;
    }
  }
  EXPECT_GT(seen, 30u);
}

TEST(Docs, PathsInTheReadmeExist) {
  const std::string text = without_comments(read(kRoot / "README.md"));
  const auto paths = matches(
      text,
      R"(\b((?:scripts|recipes|docs|examples)/[A-Za-z0-9_/-]+(?:\.[a-z]+)?))");
  EXPECT_GT(paths.size(), 8u);
  for (const std::string& path : paths)
    EXPECT_TRUE(fs::exists(kRoot / path)) << "README.md names " << path;
}

TEST(Docs, CommandsAreCommands) {
  const auto listed = matches(
      read(kRoot / "cli" / "commands.cpp") +
          read(kRoot / "cli" / "recipe_kind.cpp"),
      R"re(\{"([a-z]+)[a-z ]*",)re");
  std::set<std::string> commands(listed.begin(), listed.end());
  ASSERT_GT(commands.size(), 8u);
  commands.insert("help");
  std::size_t seen = 0;
  for (const fs::path& page : pages()) {
    const std::string code = code_of(without_comments(read(page)));
    const auto called = matches(code, R"((?:^|[\s/$])moft +([a-z][a-z_-]*))");
    for (const std::string& command : called) {
      ++seen;
      EXPECT_TRUE(commands.contains(command))
          << page << " calls moft " << command;
    }
  }
  EXPECT_GT(seen, 20u);
}

TEST(Docs, NamedTestsExist) {
  std::set<std::string> tests;
  for (const fs::path& file : files_with(kRoot / "tests", ".cpp")) {
    const std::string text = read(file);
    const std::regex name(R"(\bTEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\))");
    for (std::sregex_iterator it(text.begin(), text.end(), name), end;
         it != end;
         ++it) {
      tests.insert((*it)[1].str() + "." + (*it)[2].str());
    }
  }
  std::size_t seen = 0;
  for (const fs::path& page : files_with(kRoot / "docs", ".md")) {
    const auto named =
        matches(read(page), R"(`([A-Z][A-Za-z]+\.[A-Z][A-Za-z]+)`)");
    for (const std::string& test : named) {
      ++seen;
      EXPECT_TRUE(tests.contains(test)) << page << " names " << test;
    }
  }
  EXPECT_GT(seen, 20u);
}

// The checks see what is wrong.
TEST(Docs, ChecksFindPlantedFaults) {
  EXPECT_EQ(without_comments("a<!-- b\n -->c<!-- d"), "ac");
  EXPECT_EQ(
      code_of("x `moft a` y\n```sh\nmoft b\n```\n    moft c\nmoft d"),
      "moft a\nmoft b\n    moft c\n");
  EXPECT_EQ(anchor_of("What bf16 means: (now)"), "what-bf16-means-now");
  EXPECT_TRUE(has_anchor("# A\n## B c\n", "b-c"));
  EXPECT_FALSE(has_anchor("# A\nb c\n", "b-c"));
}

}  // namespace
