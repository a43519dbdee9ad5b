// Ranks as processes: the test forks itself once for each rank.
//
// The parent must not have used libtorch's threads or started any of its own:
// only the child's own code runs in the child.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "moft/distributed/launch.h"

namespace moft::testing_ranks {

// How a rank ended.
struct Outcome {
  // 0 after its body returned, 1 after an exception; 128 + signal.
  int status = 0;
  // What the body returned, or the exception's words.
  std::string text;
};

class RankProcess {
 public:
  using Body = std::function<std::string(const Launch&)>;

  RankProcess(const Launch& launch, const Body& body);
  RankProcess(RankProcess&& other) noexcept;
  RankProcess& operator=(RankProcess&&) = delete;
  // Kills the process if it has not ended.
  ~RankProcess();

  // Waits for its end.
  Outcome finish();
  void kill_now() const;

 private:
  pid_t process_ = -1;
  int output_ = -1;
};

// `size` launches on 127.0.0.1 and a port that was free a moment ago, as
// mpirun would start them.
std::vector<Launch> local_launches(int size);

// One process for each launch.
std::vector<RankProcess> start_ranks(
    const std::vector<Launch>& launches, const RankProcess::Body& body);

// Their outcomes, by rank.
std::vector<Outcome> run_ranks(int size, const RankProcess::Body& body);

}  // namespace moft::testing_ranks
