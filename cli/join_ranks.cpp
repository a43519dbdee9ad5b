// How the processes of a run find each other and begin alike.
#include "cli/join_ranks.h"

#include <algorithm>
#include <cstdlib>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include "moft/core/files.h"
#include "moft/core/hash_text.h"
#include "moft/core/version.h"
#include "moft/distributed/c10d_group.h"
#include "moft/distributed/together.h"

#include "cli/build_info.h"
#include "cli/signals.h"

namespace moft {
namespace {

// The version, and what tells builds of it apart.
std::string build_name() {
  return fmt::format(
      "{} {} {}",
      MOFT_VERSION_STRING,
      kGitRevision,
      hash_file("/proc/self/exe"));
}

}  // namespace

std::unique_ptr<Group> join_ranks(
    const Launch& launch,
    const std::string& recipe,
    const Compute& compute,
    const DistributedOptions& options) {
  JoinOptions join;
  join.timeout = options.wait();
  join.stop_requested = [] { return interrupted_by() != 0; };
  Handshake own;
  if (launch.size > 1) {
    own.build = build_name();
    own.recipe = hash_text(recipe);
    own.device = c10::DeviceTypeName(compute.load.device.type(), true);
  }
  return join_group(launch, own, join);
}

ComputeOptions share_cores(ComputeOptions options, const Launch& launch) {
  if (options.threads || launch.local_size == 1 ||
      std::getenv("OMP_NUM_THREADS") != nullptr) {
    return options;
  }
  const auto cores = std::int64_t{std::thread::hardware_concurrency()};
  options.threads = std::max<std::int64_t>(1, cores / launch.local_size);
  return options;
}

void compare_inputs(Group& group, const InputHashes& hashes) {
  if (group.size() == 1) return;
  Handshake own;
  own.inputs = hashes;
  std::vector<Handshake> all;
  for (const std::string& text : group.gather(write_handshake(own)))
    all.push_back(read_handshake(text, fmt::format("rank {}", all.size())));
  check_same(all);
}

OpenedOutput open_for_all(
    Group& group,
    const OutputFlags& flags,
    const RunOutput& output,
    const RunPlan& plan) {
  OpenedOutput opened;
  const std::string checkpoint = run_on_first(group, [&] {
    opened.lock = std::make_unique<RunLock>(output.directory);
    opened.resume = open_output(flags, output, plan);
    return opened.resume ? opened.resume->directory.string() : std::string();
  });
  if (checkpoint.empty()) return opened;
  gather_results(group, [&] {
    if (group.rank() != 0) opened.resume = read_intact_checkpoint(checkpoint);
    return std::string();
  });
  return opened;
}

}  // namespace moft
