// Writing the product of a run.
#include "moft/training/publisher.h"

#include "moft/core/atomic_files.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/core/log.h"
#include "moft/generation/export.h"
#include "moft/generation/policy_directory.h"
#include "moft/training/metrics_writer.h"

namespace moft {
namespace {

std::map<std::string, double> metrics_of(std::string_view line) {
  std::map<std::string, double> metrics;
  const auto json = parse_json(line, kMetricsFile);
  for (const auto& [key, value] : json.items()) {
    if (value.is_number()) metrics[key] = value.get<double>();
  }
  return metrics;
}

// The figures of the first and the last step logged.
void read_figures(const std::filesystem::path& run, ModelCard& card) {
  const MappedFile file(run / kMetricsFile);
  std::string_view text = file.text();
  if (text.ends_with('\n')) text.remove_suffix(1);
  card.first_metrics = metrics_of(text.substr(0, text.find('\n')));
  card.last_metrics = metrics_of(text.substr(text.rfind('\n') + 1));
}

}  // namespace

void PolicyPublisher::require_finite() {
  require_finite_policy(*product_.policy, product_.prompt);
}

void PolicyPublisher::publish(const FinishedRun& run) {
  SteeredPolicy& policy = *product_.policy;
  ModelCard card = product_.card;
  card.steps = run.steps;
  card.alarm = run.alarm;
  read_figures(run.directory, card);
  for (const std::string& warning : steering_warnings(policy, product_.prompt))
    log_warning("{}", warning);
  policy.record_training(run.steps, run.steps * product_.answers_per_step);
  save_policy(
      policy, product_.base_path, run.product, model_card_text(card, policy));
}

void ModelPublisher::publish(const FinishedRun& run) {
  export_policy(
      policy_,
      base_path_,
      steering_,
      run.product,
      {.if_exists = IfExists::kReplace});
}

}  // namespace moft
