// The real program `moft` as a child process, and a tiny run for it to train.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace moft::test {

class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

using Words = std::vector<std::string>;

// `moft` with these arguments in `folder`; killed when the object dies first.
class Program {
 public:
  // max_file_bytes: the largest file it may write; none: no limit.
  // variables: of its environment, "NAME=value", beside those that are there.
  Program(
      const std::filesystem::path& folder,
      Words arguments,
      std::optional<std::uint64_t> max_file_bytes = {},
      Words variables = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(int signal) const;
  bool running();
  // Waits until `condition` holds or the program ends; false in the latter
  // case and after four minutes.
  bool wait_until(const std::function<bool()>& condition);
  // Waits for the end. 128 + signal when a signal ended it.
  int exit_code();
  std::string output() const;  // so far
  std::string errors() const;

 private:
  std::filesystem::path log_;
  pid_t child_ = -1;
  std::optional<int> status_;
};

struct Ended {
  int code = 0;  // as Program::exit_code()
  std::string output;
  std::string errors;
};

// Runs `moft` to its end.
Ended run_program(const std::filesystem::path& folder, const Words& arguments);

bool has(const std::string& text, const std::string& part);
// `more` after `words`.
Words with(Words words, const Words& more);

// Writes a tiny base model, examples and recipe.yaml (run directory "run",
// full copies, every step saved) into `folder`.
void write_tiny_task(const std::filesystem::path& folder);

std::string read_all(const std::filesystem::path& path);
std::size_t count_lines(const std::filesystem::path& path);
// Names in a folder, sorted; none when it is missing.
std::vector<std::string> names_in(const std::filesystem::path& folder);

}  // namespace moft::test
