// The real program as several ranks on this machine, started as a launcher
// starts them: by variables.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/end_to_end/support.h"

namespace moft::test {

// A port that nobody listened at a moment ago.
int free_port();

// The variables of rank `rank` of `size` as torchrun's, and where the store is.
Words variables_of(int rank, int size, int port);

// The same program as `size` ranks. A rank that fails writes
// <folder>/error-<rank>.json.
class Ranks {
 public:
  Ranks(const std::filesystem::path& folder, const Words& arguments, int size);

  Program& at(std::size_t rank) { return *programs_.at(rank); }
  // All of them end with this code.
  void expect_code(int code);

 private:
  std::vector<std::unique_ptr<Program>> programs_;
};

}  // namespace moft::test
