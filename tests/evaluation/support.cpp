#include "tests/evaluation/support.h"

#include <cmath>

#include <unistd.h>

#include "moft/core/random.h"

namespace moft::testing {

Report made_up_report(
    const std::vector<std::string>& objectives,
    const std::vector<std::vector<double>>& weightings,
    std::size_t prompts) {
  Report report;
  report.objectives = objectives;
  for (std::size_t k = 0; k < weightings.size(); ++k) {
    FrontPoint& point = report.points.emplace_back();
    point.alpha = 0.01;
    point.samples = prompts;
    point.words = 8.25;
    point.distinct = 0.95;
    point.finished = 0.9;
    for (std::size_t i = 0; i < objectives.size(); ++i) {
      const double weight = weightings[k][i];
      point.weights[objectives[i]] = weight;
      point.raw_rewards[objectives[i]] = 10 * weight;
      auto& scores = point.per_prompt.rewards[objectives[i]];
      for (std::size_t n = 0; n < prompts; ++n) {
        RandomStream random(
            11,
            Purpose::kTest,
            static_cast<std::uint32_t>(n),
            static_cast<std::uint32_t>(i));
        scores.push_back(
            0.25 + 0.65 * std::sqrt(weight) + 0.1 * random.normal());
      }
    }
    for (std::size_t n = 0; n < prompts; ++n) {
      RandomStream random(12, Purpose::kTest, static_cast<std::uint32_t>(n));
      point.per_prompt.kl.push_back(2 + 0.5 * random.normal());
    }
  }
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    report.reference.per_prompt.rewards[objectives[i]].assign(prompts, 0.3);
    report.reference.raw_rewards[objectives[i]] = 3;
  }
  report.reference.words = 12;
  report.reference.distinct = 1;
  report.reference.finished = 0.8;
  report.reference.samples = prompts;
  return report;
}

std::filesystem::path fresh_folder(const std::string& name) {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("moft-evaluation-" + std::to_string(::getpid())) / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

}  // namespace moft::testing
