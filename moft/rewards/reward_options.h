// The objectives of a recipe: which reward each is and which range is its
// [0, 1].
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "moft/core/fields.h"
#include "moft/rewards/reward_kind.h"

namespace moft {

// Exactly one of the kinds in reward_kinds() is given.
struct ObjectiveOptions {
  ObjectiveOptions();
  // As a recipe's `kind: settings`. REQUIRES S is the kind's struct. Throws
  // CallerError for a kind that does not exist.
  template <class S>
  ObjectiveOptions(const std::string& kind, S value) : ObjectiveOptions() {
    find(kind).set(std::move(value));
  }

  // One for each entry of reward_kinds() when this was made, in its order.
  std::vector<AnyOptions> settings;
  std::vector<double> range = {0.0, 1.0};

  template <class V>
  void fields(V& v) {
    for (std::size_t k = 0; k < settings.size(); ++k) {
      const RewardKind& kind = reward_kinds()[k];
      v(kind.name, settings[k], Help{kind.help});
    }
    v("range",
      range,
      Help{
          "[low, high]: the raw rewards that count as 0 and 1; affine, never "
          "clipped",
          "raw reward"},
      Count{2});
  }
  void check(const std::string& path) const;

  // The kind that is given, and its settings. REQUIRES check() passes.
  const RewardKind& kind() const;
  const AnyOptions& chosen() const;
  // Null for none. May be called before check().
  const GateOptions* gate() const;
  // The settings of a kind, given or not. Throws CallerError for a kind that
  // does not exist.
  AnyOptions& find(const std::string& kind);

 private:
  std::size_t given() const;  // index of the first kind given
};

// By name, so in alphabetical order: the order of the objectives everywhere.
using Objectives = std::map<std::string, ObjectiveOptions>;

// 1 to 64 letters, digits, '_' and '-'.
bool is_objective_name(const std::string& name);

// What concerns several objectives: there is at least one, names are as
// is_objective_name() has them, and each gate names another objective, which
// has none. `path` is "objectives". Throws CallerError.
void check_objectives(const Objectives& objectives, const std::string& path);

}  // namespace moft
