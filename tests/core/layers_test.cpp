// The folders of moft/ depend one way only (docs/architecture.md).
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = MOFT_SOURCE_DIR;

std::map<std::string, std::set<std::string>> allowed_arrows() {
  std::map<std::string, std::set<std::string>> arrows;
  std::ifstream file(kRoot / "scripts" / "layers.txt");
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    const auto colon = line.find(':');
    auto& targets = arrows[line.substr(0, colon)];
    std::istringstream rest(line.substr(colon + 1));
    for (std::string part; rest >> part;)
      targets.insert(part);
  }
  return arrows;
}

std::vector<std::string> included_parts(const fs::path& file) {
  static const std::regex kInclude(R"re(^\s*#\s*include\s+"moft/([a-z_]+)/)re");
  std::vector<std::string> parts;
  std::ifstream stream(file);
  std::string line;
  std::smatch match;
  while (std::getline(stream, line)) {
    if (std::regex_search(line, match, kInclude)) parts.push_back(match[1]);
  }
  return parts;
}

TEST(Layers, IncludesOnlyPointDownwards) {
  const auto arrows = allowed_arrows();
  ASSERT_GT(arrows.size(), 10u);
  std::size_t seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "moft")) {
    const auto extension = entry.path().extension();
    if (extension != ".h" && extension != ".cpp") continue;
    const std::string part =
        *fs::relative(entry.path(), kRoot / "moft").begin();
    ASSERT_TRUE(arrows.contains(part)) << part << " is not in layers.txt";
    for (const std::string& target : included_parts(entry.path())) {
      ++seen;
      EXPECT_TRUE(target == part || arrows.at(part).contains(target))
          << entry.path() << " includes moft/" << target;
    }
  }
  EXPECT_GT(seen, 100u);
}

// The list itself has no circle: every part stands above what it includes.
TEST(Layers, TheListHasNoCircle) {
  auto arrows = allowed_arrows();
  while (!arrows.empty()) {
    std::string ground;
    for (const auto& [part, targets] : arrows) {
      bool free = true;
      for (const auto& target : targets)
        free &= !arrows.contains(target);
      if (free) ground = part;
    }
    ASSERT_FALSE(ground.empty()) << "the remaining parts form a circle";
    arrows.erase(ground);
  }
}

}  // namespace
