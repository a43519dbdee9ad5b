// The checks of a recipe's objectives.
#include "moft/rewards/reward_options.h"

#include <algorithm>
#include <cctype>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {

namespace {

std::vector<std::string> kind_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t k = 0; k < count; ++k)
    names.push_back(reward_kinds()[k].name);
  return names;
}

void check_gate(
    const Objectives& objectives,
    const std::string& owner,
    const GateOptions& gate,
    const std::string& path) {
  std::vector<std::string> names;
  for (const auto& [name, objective] : objectives) {
    if (name != owner) names.push_back(name);
  }
  const auto found = objectives.find(gate.objective);
  if (found == objectives.end() || gate.objective == owner) {
    const auto near = nearest_name(gate.objective, names);
    throw_caller_error(
        "{} is {}, which is not another objective; {}",
        path,
        quote_text(gate.objective),
        near ? "did you mean '" + *near + "'?"
             : "the others are " + join(names, ", "));
  }
  if (found->second.gate()) {
    throw_caller_error(
        "{} is {}, which has a gate itself; name an objective without one",
        path,
        quote_text(gate.objective));
  }
}

}  // namespace

ObjectiveOptions::ObjectiveOptions() {
  for (const RewardKind& kind : reward_kinds())
    settings.push_back(kind.absent);
}

void ObjectiveOptions::check(const std::string& path) const {
  const auto kinds =
      std::count_if(settings.begin(), settings.end(), [](const auto& given) {
        return static_cast<bool>(given);
      });
  if (kinds != 1) {
    throw_caller_error(
        "{} has {} reward kinds; give exactly one of {}",
        path.substr(0, path.empty() ? 0 : path.size() - 1),
        kinds,
        join(kind_names(settings.size()), ", "));
  }
  if (!(range[0] < range[1])) {
    throw_caller_error(
        "{}range is [{}, {}]; give [low, high] with low below high",
        path,
        shortest_number(range[0]),
        shortest_number(range[1]));
  }
}

std::size_t ObjectiveOptions::given() const {
  std::size_t k = 0;
  while (k < settings.size() && !settings[k])
    ++k;
  return k;
}

const RewardKind& ObjectiveOptions::kind() const {
  return reward_kinds().at(given());
}

const AnyOptions& ObjectiveOptions::chosen() const {
  return settings.at(given());
}

const GateOptions* ObjectiveOptions::gate() const {
  const std::size_t k = given();
  return k == settings.size() ? nullptr : reward_kinds()[k].gate(settings[k]);
}

AnyOptions& ObjectiveOptions::find(const std::string& kind) {
  for (std::size_t k = 0; k < settings.size(); ++k) {
    if (reward_kinds()[k].name == kind) return settings[k];
  }
  throw_caller_error(
      "reward kind {} does not exist; give one of {}",
      quote_text(kind),
      join(kind_names(settings.size()), ", "));
}

bool is_objective_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

void check_objectives(const Objectives& objectives, const std::string& path) {
  if (objectives.empty()) {
    throw_caller_error("{} is empty; give at least one objective", path);
  }
  for (const auto& [name, objective] : objectives) {
    if (!is_objective_name(name)) {
      throw_caller_error(
          "{} holds the name {}; names are 1 to 64 letters, digits, '_' and "
          "'-'",
          path,
          quote_text(name));
    }
    if (const GateOptions* gate = objective.gate()) {
      check_gate(
          objectives,
          name,
          *gate,
          path + "." + name + "." + objective.kind().name + ".gate.objective");
    }
  }
}

}  // namespace moft
