// `moft version`: what a bug report needs.
#include "moft/core/version.h"

#include <thread>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <torch/version.h>

#include "cli/build_info.h"
#include "cli/command.h"

namespace moft {

namespace {

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string operating_system() {
  utsname name{};
  if (uname(&name) != 0) return "unknown";
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

std::string devices() {
  if (!at::hasCUDA()) return "cpu";
  return fmt::format(
      "cpu, {} CUDA device(s)", at::detail::getCUDAHooks().getNumGPUs());
}

class VersionCommand : public Command {
 public:
  void declare(Parser&) override {}

  bool runs_over_ranks() const override { return true; }

  int run() override {
    fmt::print("moft            {}\n", MOFT_VERSION_STRING);
    fmt::print("revision        {}\n", kGitRevision);
    fmt::print("build           {}, {}\n", kBuildType, compiler());
    fmt::print("libtorch        {}\n", TORCH_VERSION);
    fmt::print("devices         {}\n", devices());
    fmt::print("cpu capability  {}\n", at::get_cpu_capability());
    fmt::print(
        "threads         {} of {}\n",
        at::get_num_threads(),
        std::thread::hardware_concurrency());
    fmt::print("system          {}\n", operating_system());
    return 0;
  }
};

}  // namespace

std::unique_ptr<Command> make_version_command() {
  return std::make_unique<VersionCommand>();
}

}  // namespace moft
