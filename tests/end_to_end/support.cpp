// The real program as a child process.
#include "tests/end_to_end/support.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/tiny_model.h"

namespace moft::test {

namespace fs = std::filesystem;

namespace {

void redirect(const fs::path& file, int flags, int descriptor) {
  const int opened = ::open(file.c_str(), flags, 0600);
  if (opened < 0 || ::dup2(opened, descriptor) < 0) ::_exit(126);
  ::close(opened);
}

constexpr const char* kRecipe = R"(format_version: 1
name: tiny
output: run
device: cpu
threads: 1
policy:
  model: base
data:
  train: train.jsonl
  evaluation: heldout.jsonl
  prompt_template: "{word} is "
objectives:
  a:
    regex:
      pattern: a
  b:
    regex:
      pattern: b
conditioning:
  steered_set: full
training:
  steps: 40
  max_new_tokens: 6
  optimizer:
    learning_rate: 0.01
  guards:
    kl_ceiling: null
    distinct_floor: null
  checkpoint:
    every: 1
    keep: 2
)";

}  // namespace

Scratch::Scratch() {
  std::string pattern =
      (fs::temp_directory_path() / "moft-end-to-end-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Program::Program(
    const fs::path& folder,
    Words arguments,
    std::optional<std::uint64_t> max_file_bytes,
    Words variables) {
  static int count = 0;
  log_ = folder / ("log" + std::to_string(count++));
  fs::create_directories(log_);
  std::string program = MOFT_BINARY_DIR "/bin/moft";
  std::vector<char*> argv = {program.data()};
  for (std::string& argument : arguments)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  child_ = ::fork();
  if (child_ < 0) throw std::runtime_error("fork failed");
  if (child_ > 0) return;
  redirect("/dev/null", O_RDONLY, STDIN_FILENO);
  redirect(log_ / "out", O_WRONLY | O_CREAT, STDOUT_FILENO);
  redirect(log_ / "err", O_WRONLY | O_CREAT, STDERR_FILENO);
  if (max_file_bytes) {
    const rlimit limit{*max_file_bytes, *max_file_bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  for (std::string& variable : variables)
    ::putenv(variable.data());
  if (::chdir(folder.c_str()) != 0) ::_exit(126);
  ::execv(program.c_str(), argv.data());
  ::_exit(127);
}

Program::~Program() {
  if (!running()) return;
  send(SIGKILL);
  exit_code();
}

void Program::send(int signal) const {
  if (!status_) ::kill(child_, signal);
}

bool Program::running() {
  int status = 0;
  if (!status_ && ::waitpid(child_, &status, WNOHANG) == child_)
    status_ = status;
  return !status_;
}

bool Program::wait_until(const std::function<bool()>& condition) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::minutes(4);
  while (!condition()) {
    if (!running() || Clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

int Program::exit_code() {
  int status = 0;
  if (!status_ && ::waitpid(child_, &status, 0) == child_) status_ = status;
  if (!status_) throw std::runtime_error("waitpid failed");
  return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : 128 + WTERMSIG(*status_);
}

std::string Program::output() const {
  return read_all(log_ / "out");
}

std::string Program::errors() const {
  return read_all(log_ / "err");
}

Ended run_program(const fs::path& folder, const Words& arguments) {
  Program program(folder, arguments);
  const int code = program.exit_code();
  return {code, program.output(), program.errors()};
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

void write_tiny_task(const fs::path& folder) {
  TinyModel shape;
  shape.width = 32;
  shape.feed_forward = 64;
  write_tiny_model(folder / "base", shape);
  std::string lines;
  for (const char* word : {"one", "two", "three", "four", "five", "six"})
    lines += std::string(R"({"word": ")") + word + "\"}\n";
  write_tiny_text(folder / "train.jsonl", lines);
  write_tiny_text(
      folder / "heldout.jsonl",
      R"({"word": "nine"})"
      "\n");
  write_tiny_text(folder / "recipe.yaml", kRecipe);
}

std::string read_all(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::size_t count_lines(const fs::path& path) {
  const std::string text = read_all(path);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace moft::test
