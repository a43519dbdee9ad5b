#include "moft/rewards/reward_options.h"

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {

namespace {

bool is_objective_name(const std::string& name) {
  if (name.empty() || name.size() > 64) return false;
  for (char c : name) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool other = (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!letter && !other) return false;
  }
  return true;
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
  auto found = objectives.find(gate.objective);
  if (found == objectives.end() || gate.objective == owner) {
    auto near = nearest_name(gate.objective, names);
    throw_caller_error(
        "{} is {}, which is no other objective; {}",
        path,
        quote_text(gate.objective),
        near ? "did you mean '" + *near + "'?"
             : "the others are " + join(names, ", "));
  }
  if (found->second.length && found->second.length->gate) {
    throw_caller_error(
        "{} is {}, which has a gate itself; name an objective without one",
        path,
        quote_text(gate.objective));
  }
}

}  // namespace

void GateOptions::check(const std::string& path) const {
  if (zero_at < full_at) return;
  throw_caller_error(
      "{}full_at is {}; give a number above {}zero_at, which is {}",
      path,
      shortest_number(full_at),
      path,
      shortest_number(zero_at));
}

void LengthOptions::check(const std::string& path) const {
  if (full_at != zero_at) return;
  throw_caller_error(
      "{}full_at and zero_at are both {}; give two lengths, the one that gets "
      "1 and the one that gets 0",
      path,
      shortest_number(full_at));
}

void ObjectiveOptions::check(const std::string& path) const {
  int kinds = (similarity ? 1 : 0) + (length ? 1 : 0) + (regex ? 1 : 0) +
              (rouge ? 1 : 0);
  if (kinds != 1) {
    throw_caller_error(
        "{} names {} rewards; give exactly one of similarity, length, regex, "
        "rouge",
        path.substr(0, path.empty() ? 0 : path.size() - 1),
        kinds);
  }
  if (!(range[0] < range[1])) {
    throw_caller_error(
        "{}range is [{}, {}]; give [low, high] with low below high",
        path,
        shortest_number(range[0]),
        shortest_number(range[1]));
  }
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
    if (objective.length && objective.length->gate) {
      check_gate(
          objectives,
          name,
          *objective.length->gate,
          path + "." + name + ".length.gate.objective");
    }
  }
}

}  // namespace moft
