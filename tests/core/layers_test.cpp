// The parts depend one way only (docs/architecture.md).
#include <filesystem>
#include <fstream>
#include <iterator>
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
  static const std::regex kInclude(
      R"re(^\s*#\s*include\s+"(?:moft/)?([a-z_]+)/)re");
  std::vector<std::string> parts;
  std::ifstream stream(file);
  std::string line;
  std::smatch match;
  while (std::getline(stream, line)) {
    if (std::regex_search(line, match, kInclude)) parts.push_back(match[1]);
  }
  return parts;
}

// Every folder that holds a part, by the part's name.
std::map<std::string, fs::path> parts() {
  std::map<std::string, fs::path> folders = {
      {"verify", kRoot / "verify"}, {"cli", kRoot / "cli"}};
  for (const auto& entry : fs::directory_iterator(kRoot / "moft")) {
    if (entry.is_directory()) folders[entry.path().filename()] = entry.path();
  }
  return folders;
}

TEST(Layers, IncludesOnlyPointDownwards) {
  const auto arrows = allowed_arrows();
  std::size_t seen = 0;
  for (const auto& [part, folder] : parts()) {
    ASSERT_TRUE(arrows.contains(part)) << part << " is not in layers.txt";
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      for (const std::string& target : included_parts(entry.path())) {
        ++seen;
        EXPECT_TRUE(target == part || arrows.at(part).contains(target))
            << entry.path() << " includes " << target;
      }
    }
  }
  EXPECT_GT(seen, 100u);
}

TEST(Layers, EveryPartOfTheListExists) {
  for (const auto& [part, targets] : allowed_arrows())
    EXPECT_TRUE(parts().contains(part)) << part;
}

// Some part includes no remaining part, again and again until none is left.
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

std::string architecture_page() {
  std::ifstream file(kRoot / "docs" / "architecture.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

// The lines "    3   models" of the drawing.
TEST(Layers, TheArchitecturePageDrawsEveryPartAboveWhatItIncludes) {
  std::map<std::string, int> floors;
  std::istringstream page(architecture_page());
  const std::regex floor(R"(    ([0-9])   ([a-z ]+)(\(.*)?)");
  std::smatch match;
  for (std::string line; std::getline(page, line);) {
    if (!std::regex_match(line, match, floor)) continue;
    std::istringstream names(match[2]);
    for (std::string name; names >> name;)
      floors[name] = std::stoi(match[1]);
  }
  const auto arrows = allowed_arrows();
  for (const auto& [name, number] : floors)
    EXPECT_TRUE(arrows.contains(name)) << name << " is not in layers.txt";
  for (const auto& [part, targets] : arrows) {
    ASSERT_TRUE(floors.contains(part)) << part << " is not drawn";
    for (const std::string& target : targets)
      EXPECT_LT(floors[target], floors[part]) << part << " includes " << target;
  }
}

// Its table has one row for each folder of the tree and each part of moft/.
TEST(Layers, TheArchitecturePageListsEveryFolder) {
  const std::set<std::string> made = {"build", "models", "runs", "reports"};
  std::set<std::string> folders;
  for (const auto& entry : fs::directory_iterator(kRoot)) {
    const std::string name = entry.path().filename();
    if (!entry.is_directory() || name[0] == '.' || made.contains(name) ||
        name == "moft" || name == "docs")
      continue;
    folders.insert(name + "/");
  }
  for (const auto& entry : fs::directory_iterator(kRoot / "moft"))
    if (entry.is_directory())
      folders.insert("moft/" + entry.path().filename().string() + "/");
  std::set<std::string> listed;
  const std::string page = architecture_page();
  const std::regex row(R"(\n\| `([a-z_/]+/)` \|)");
  for (std::sregex_iterator it(page.begin(), page.end(), row), end; it != end;
       ++it)
    EXPECT_TRUE(listed.insert((*it)[1]).second) << (*it)[1] << " twice";
  EXPECT_EQ(listed, folders);
}

// Sources whose declarations are in a header of another name.
const std::set<std::string> kWithoutOwnHeader = {
    // One table of kernels, compiled once per instruction set (simd/table.h).
    "moft/kernels/simd/avx2.cpp",
    "moft/kernels/simd/avx512.cpp",
    "moft/kernels/simd/avx512bf16.cpp",
    "moft/kernels/simd/generic.cpp",
    // The GGUF half of the header without the ending.
    "moft/models/llama/config_gguf.cpp",
    // Members of the model.
    "moft/models/t5/scoring.cpp",
};

TEST(Sources, HaveTheHeaderOfTheirNameAndOpenWithWhatTheyAre) {
  std::set<std::string> without;
  std::size_t seen = 0;
  for (const char* top : {"moft", "verify"}) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / top)) {
      fs::path path = entry.path();
      if (path.extension() != ".cpp") continue;
      ++seen;
      std::string line;
      std::getline(std::ifstream(path), line);
      EXPECT_TRUE(line.starts_with("// ")) << path << " opens with " << line;
      const std::string name = fs::relative(path, kRoot);
      if (!fs::exists(path.replace_extension(".h"))) without.insert(name);
    }
  }
  EXPECT_EQ(without, kWithoutOwnHeader);
  EXPECT_GT(seen, 100u);
}

// Two types of one name would be mixed up without a word when they are linked.
TEST(Sources, TypesOfANamespaceHaveNamesOfTheirOwn) {
  const std::regex opens(R"(^namespace ([a-z_:]+) \{)");
  const std::regex defines(
      R"(^(?:struct|class|enum class) (\w+)(?: final)?(?: :.*)? \{.*)");
  std::map<std::string, std::string> header_of;
  for (const char* top : {"moft", "verify", "cli"}) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / top)) {
      if (entry.path().extension() != ".h") continue;
      const std::string header = fs::relative(entry.path(), kRoot);
      std::ifstream file(entry.path());
      std::string space;
      for (std::string line; std::getline(file, line);) {
        std::smatch found;
        if (std::regex_match(line, found, opens)) space = found[1];
        if (!std::regex_match(line, found, defines)) continue;
        const std::string name = space + "::" + found[1].str();
        const auto [at, is_new] = header_of.emplace(name, header);
        EXPECT_TRUE(is_new)
            << name << " is in " << at->second << " and in " << header;
      }
    }
  }
  EXPECT_GT(header_of.size(), 300u);
}

// Tests of what no single header holds.
const std::set<std::string> kWithoutSubject = {
    // The tree itself.
    "core/docs",
    "core/layers",
    "core/plain_english",
    // Data of the repository; the rewards of its runs.
    "data/posts",
    "rewards/conflict",
    // A support header's oracle, which all estimators are compared with.
    "algorithms/enumerated",
    // Another program's numbers; what gradients lead to, by enumeration.
    "algorithms/bias",
    "algorithms/trl",
    "verify/dpo_optimum",
    // A part's promises as a whole.
    "evaluation/compare",
    "evaluation/text",
    "generation/prompt_conditioning",
    "generation/spm_policy",
    "generation/steered_sets",
    "generation/steering",
    "generation/t5_policy",
    "models/steered_sets",
    "models/weight_files",
    "tokenizers/bad_input",
    "training/combinations",
    "training/conditioned_training",
    "training/gradient_estimates",
    "training/peak_memory",
    "training/resume",
    "training/t5_training",
    "training/ties",
};

// The stems of a folder's headers and the names of its folders.
std::set<std::string> subjects_in(const fs::path& folder) {
  std::set<std::string> subjects;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_directory() || entry.path().extension() == ".h")
      subjects.insert(entry.path().stem());
  }
  return subjects;
}

// tests/PART/SUBJECT_test.cpp, or SUBJECT_ASPECT_test.cpp. Tests of `cli` and
// `end_to_end` run commands, which have no headers.
TEST(Sources, TestsCarryTheNameOfTheirSubject) {
  const std::string ending = "_test.cpp";
  std::set<std::string> without;
  std::size_t seen = 0;
  for (const auto& [part, folder] : parts()) {
    const fs::path tests = kRoot / "tests" / part;
    if (part == "cli" || !fs::is_directory(tests)) continue;
    std::set<std::string> subjects = subjects_in(folder);
    subjects.insert(part);
    for (const auto& entry : fs::directory_iterator(tests)) {
      const std::string file = entry.path().filename();
      if (!file.ends_with(ending)) continue;
      ++seen;
      std::string stem = file.substr(0, file.size() - ending.size());
      const std::string name = part + "/" + stem;
      while (!subjects.contains(stem) && stem.find('_') != std::string::npos)
        stem.resize(stem.rfind('_'));
      if (!subjects.contains(stem)) without.insert(name);
    }
  }
  EXPECT_EQ(without, kWithoutSubject);
  EXPECT_GT(seen, 100u);
}

}  // namespace
