// Runs the real program the way a shell would, without a shell.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace moft::test {

struct ProgramResult {
  int exit_code = 0;  // 128 + signal when a signal ended it
  std::string out;
  std::string err;
};

// `moft` with these arguments, in `folder` (the source tree unless given),
// with nothing on standard input.
ProgramResult run_moft(
    const std::vector<std::string>& arguments,
    const std::filesystem::path& folder = MOFT_SOURCE_DIR);

// A fresh folder that disappears with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Writes a file and returns its path.
  std::string write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);

}  // namespace moft::test
