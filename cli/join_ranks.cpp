// The handshake of a run.
#include "cli/join_ranks.h"

#include <span>
#include <string_view>

#include "moft/core/files.h"
#include "moft/core/log_muting.h"
#include "moft/core/version.h"
#include "moft/distributed/c10d_group.h"
#include "moft/distributed/single_group.h"

namespace moft {
namespace {

std::string hash_text(std::string_view text) {
  return hash_bytes(std::as_bytes(std::span(text)));
}

// The version, and what tells builds of it apart.
std::string build_name() {
  return std::string(MOFT_VERSION_STRING) + " " + hash_file("/proc/self/exe");
}

}  // namespace

Launch find_launch() {
  Launch launch = launch_from(process_environment());
  if (launch.rank > 0) mute_log(true);
  return launch;
}

std::unique_ptr<Group> join_ranks(
    const Launch& launch,
    const std::string& recipe,
    const InputHashes& hashes) {
  if (launch.size == 1) return std::make_unique<SingleGroup>();
  return join_group(launch, {build_name(), hash_text(recipe), hashes});
}

}  // namespace moft
