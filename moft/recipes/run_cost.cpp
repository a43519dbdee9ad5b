// Sums over a run's log.
#include "moft/recipes/run_cost.h"

#include <cmath>
#include <map>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/files.h"

namespace moft {
namespace {

std::optional<double> finite(const nlohmann::json& row, const char* key) {
  const auto found = row.find(key);
  if (found == row.end() || !found->is_number()) return std::nullopt;
  const double x = found->get<double>();
  return std::isfinite(x) && x >= 0 ? std::optional(x) : std::nullopt;
}

// A step that was done twice counts by its last line.
struct StepCost {
  std::optional<double> seconds;
  std::optional<double> tokens;
};

std::map<double, StepCost> step_costs(const std::filesystem::path& log) {
  std::map<double, StepCost> costs;
  std::istringstream in(read_text(log));
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (in.eof() || line.empty()) continue;  // cut short, or blank
    const auto row = nlohmann::json::parse(line, nullptr, false);
    if (!row.is_object()) {
      throw_caller_error(
          "{}:{}: not a JSON object; every line of a metrics file is one",
          log.string(),
          number);
    }
    const auto step = finite(row, "step");
    if (!step) continue;
    StepCost& cost = costs[*step];
    cost.seconds = finite(row, "step_time");
    const auto speed = finite(row, "tokens_per_second");
    cost.tokens = cost.seconds && speed ? std::optional(*cost.seconds * *speed)
                                        : std::nullopt;
  }
  return costs;
}

std::optional<double> total(
    const std::map<double, StepCost>& costs,
    std::int64_t steps,
    std::optional<double> StepCost::*part) {
  double sum = 0;
  std::int64_t found = 0;
  for (const auto& [step, cost] : costs) {
    if (step > static_cast<double>(steps) || !(cost.*part)) continue;
    sum += *(cost.*part);
    ++found;
  }
  return found == steps ? std::optional(sum) : std::nullopt;
}

}  // namespace

RunCost read_run_cost(const EvaluatedRun& run) {
  RunCost cost;
  if (run.facts.answers) cost.answers = static_cast<double>(*run.facts.answers);
  const std::filesystem::path log = run.directory / "metrics.jsonl";
  if (!run.facts.steps || !std::filesystem::exists(log)) return cost;
  const auto costs = step_costs(log);
  cost.seconds = total(costs, *run.facts.steps, &StepCost::seconds);
  cost.gradient_tokens = total(costs, *run.facts.steps, &StepCost::tokens);
  return cost;
}

}  // namespace moft
