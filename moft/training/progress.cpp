#include "moft/training/progress.h"

#include <fmt/format.h>

#include "moft/core/log.h"

namespace moft {

Progress::Progress(
    std::int64_t steps, std::int64_t done, std::vector<std::string> objectives)
    : steps_(steps),
      first_(done),
      objectives_(std::move(objectives)),
      start_(std::chrono::steady_clock::now()) {}

void Progress::print(const StepResult& result) {
  const auto& metrics = result.metrics;
  LogLine line;
  line.add("step", fmt::format("{}/{}", result.step, steps_));
  line.add("reward", metrics.at("reward"));
  for (const std::string& name : objectives_)
    line.add(name, metrics.at("rewards/" + name + "/mean"));
  line.add("kl", metrics.at("kl"));
  line.add("tokens_per_second", metrics.at("tokens_per_second"));
  const double total = result.times.total();
  const auto share = [&](const char* key, double seconds) {
    const double percent = total > 0 ? 100.0 * seconds / total : 0.0;
    line.add(key, fmt::format("{:.0f}%", percent));
  };
  share("rollout", result.times.rollout);
  share("rewards", result.times.rewards);
  share("reference", result.times.reference);
  share("policy", result.times.policy);
  if (result.times.value > 0) share("value", result.times.value);
  share("optimizer", result.times.optimizer);
  // What a step has cost so far, saving and evaluation included.
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_)
          .count();
  const auto done = static_cast<double>(result.step - first_);
  const auto left = static_cast<double>(steps_ - result.step);
  line.add("time_left", format_duration(elapsed / done * left));
  line.print();
}

}  // namespace moft
