#include "tests/cli/support.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace moft::test {

namespace fs = std::filesystem;

namespace {

void redirect(const fs::path& file, int flags, int descriptor) {
  int opened = ::open(file.c_str(), flags, 0600);
  if (opened < 0 || ::dup2(opened, descriptor) < 0) ::_exit(126);
  ::close(opened);
}

[[noreturn]] void become(
    const std::vector<std::string>& arguments,
    const fs::path& folder,
    const fs::path& output) {
  redirect("/dev/null", O_RDONLY, STDIN_FILENO);
  redirect(output / "out", O_WRONLY | O_CREAT, STDOUT_FILENO);
  redirect(output / "err", O_WRONLY | O_CREAT, STDERR_FILENO);
  if (::chdir(folder.c_str()) != 0) ::_exit(126);
  std::string program = std::string(MOFT_BINARY_DIR) + "/bin/moft";
  std::vector<char*> argv = {program.data()};
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  ::_exit(127);
}

}  // namespace

ProgramResult run_moft(
    const std::vector<std::string>& arguments, const fs::path& folder) {
  TemporaryFolder output;
  pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) become(arguments, folder, output.path());
  int status = 0;
  if (::waitpid(child, &status, 0) != child) {
    throw std::runtime_error("waitpid failed");
  }
  ProgramResult result;
  result.exit_code =
      WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = read_file(output.path() / "out");
  result.err = read_file(output.path() / "err");
  return result;
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "moft_cli_XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp failed");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string TemporaryFolder::write(
    const std::string& name, const std::string& text) const {
  std::filesystem::create_directories((path_ / name).parent_path());
  std::ofstream file(path_ / name, std::ios::binary);
  file << text;
  return (path_ / name).string();
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace moft::test
