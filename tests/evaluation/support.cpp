// Made-up reports, and folders to write them to.
#include "tests/evaluation/support.h"

#include <cmath>

#include <unistd.h>

#include "moft/core/random.h"
#include "moft/evaluation/notes.h"
#include "moft/evaluation/summarise.h"

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

Report complete_pair() {
  Report report = made_up_report({"zeal", "brevity"}, kFive, 40);
  report.title = "A test";
  report.cost = {{"seconds", 12.5}};
  report.provenance = {{"seed", "3"}};
  complete_report(report);
  SampleText text{"A prompt.", "An answer.", SampleAnswer{"Ref.", {}}, {}};
  for (int k = 0; k < 5; ++k) {
    text.answers.push_back({"Answer " + std::to_string(k), {{"zeal", .5}}});
  }
  report.texts = {text};
  report.training = {{1, {{"zeal", .1}}, .5, {}, 12.0}, {2, {}, .6, 1.0, {}}};
  report.notes = automatic_notes(report);
  report.policy = PolicyFacts{
      "base", "model.safetensors 0a1b", "{post}", 0.6, 0.01, 54, 1296};
  report.data = EvaluationData{"final", "final.jsonl", "0c2d", 40, 0};
  return report;
}

}  // namespace moft::testing
