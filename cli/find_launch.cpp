// The launcher's variables of this process.
#include "cli/find_launch.h"

#include "moft/core/errors.h"
#include "moft/core/log_muting.h"

namespace moft {

Launch find_launch() {
  Launch launch = launch_from(process_environment());
  if (launch.rank > 0) mute_log(true);
  return launch;
}

void refuse_several_ranks(const std::string& command) {
  const Launch launch = find_launch();
  if (launch.size == 1) return;
  throw_caller_error(
      "rank {}: {} started {} processes, but `moft {}` runs in one; start it "
      "without the launcher",
      launch.rank,
      name_of(launch.launcher),
      launch.size,
      command);
}

}  // namespace moft
