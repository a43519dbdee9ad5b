// The progress line and the time that is left.
#include "moft/training/progress.h"

#include <fmt/format.h>

#include "moft/core/log.h"

namespace moft {

Progress::Progress(
    std::vector<ProgressFigure> figures, std::int64_t steps, std::int64_t done)
    : figures_(std::move(figures)),
      steps_(steps),
      first_(done),
      start_(std::chrono::steady_clock::now()) {}

void Progress::print(const StepResult& result) const {
  LogLine line;
  line.add("step", fmt::format("{}/{}", result.step, steps_));
  for (const ProgressFigure& figure : figures_) {
    const auto metric = result.metrics.find(figure.metric);
    if (metric == result.metrics.end()) continue;
    if (figure.format == ProgressFigure::Format::kNumber) {
      line.add(figure.label, metric->second, figure.digits);
      continue;
    }
    const double total = result.metrics.at("step_time");
    const double percent = total > 0 ? 100.0 * metric->second / total : 0.0;
    line.add(figure.label, fmt::format("{:.0f}%", percent));
  }
  // From what a step has cost so far, saving and evaluation included.
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_)
          .count();
  const auto done = static_cast<double>(result.step - first_);
  const auto left = static_cast<double>(steps_ - result.step);
  line.add("time_left", format_duration(elapsed / done * left));
  line.print();
}

}  // namespace moft
