// Shared by the tests of evaluation: fixtures and small made-up reports.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/evaluation/front.h"

namespace moft::testing {

inline nlohmann::json fixture(const std::string& name) {
  std::ifstream in(
      std::string(MOFT_SOURCE_DIR) + "/tests/reference/evaluation/" + name);
  return nlohmann::json::parse(in);
}

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// A report of `points` weightings over the given objectives with believable
// per-prompt scores (seeded), not yet completed.
Report made_up_report(
    const std::vector<std::string>& objectives,
    const std::vector<std::vector<double>>& weightings,
    std::size_t prompts);

// An empty folder of this process below the system's temporary folder.
std::filesystem::path fresh_folder(const std::string& name);

// Five weightings of two objectives, and a report on them with every part.
inline const std::vector<std::vector<double>> kFive{
    {0, 1}, {.25, .75}, {.5, .5}, {.75, .25}, {1, 0}};
Report complete_pair();

}  // namespace moft::testing
