// The fields of a comparison in report.json, listed once for both ways. V is
// the Writer or the Reader of report_json.cpp, which alone includes this.
//
// Thread safety: pure.
#pragma once

#include "moft/evaluation/front.h"

namespace moft {

// Which names a map has. The objectives' come first, in their order.
enum class Names {
  kAll,        // one for each objective
  kAllOrNone,  // the same, or an empty map
  kSome,       // of objectives only
  kAny,        // of objectives and others
  kFree,       // of other things, sorted
};

template <class V>
void fields(V& v, RunCost& cost) {
  v("answers", cost.answers);
  v("parameters", cost.parameters);
  v("share", cost.share);
  v("passes", cost.passes);
  v("tokens_per_second", cost.tokens_per_second);
  v("gradient_tokens", cost.gradient_tokens);
  v("seconds", cost.seconds);
}

template <class V>
void fields(V& v, FrontFigures& f) {
  v("mean_value", f.mean_value);
  v("mean_reward", f.mean_reward);
  v("reach", f.reach);
  v("kendall", f.kendall, Names::kAll);
  v("largest_step", f.largest_step);
  v("value_hypervolume", f.value_hypervolume);
  v("value_hull_hypervolume", f.value_hull_hypervolume);
  v("value_reference_point", f.value_reference_point, Names::kAll);
}

template <class V>
void fields(V& v, Effect& effect) {
  v("mean", effect.mean);
  v("lower", effect.lower);
  v("upper", effect.upper);
  v("seeds", effect.seeds);
}

template <class V>
void fields(V& v, ComparedMethod& method) {
  v("name", method.name);
  v("runs", method.runs);
  v("cost", method.cost);
  v("figures", method.figures);
}

template <class V>
void fields(V& v, ComparedWeighting& weighting) {
  v("weights", weighting.weights, Names::kAll);
  v("alpha", weighting.alpha);
  v("value", weighting.value);
  v("bar", weighting.bar);
}

template <class V>
void fields(V& v, ComparedPair& pair) {
  v("rival", pair.rival);
  v("equal_ledger", pair.equal_ledger);
  v("ledger", pair.ledger);
  v("seeds", pair.seeds);
  v("value", pair.value);
  v("reward", pair.reward);
  v("interior", pair.interior);
  v("vertices", pair.vertices);
  v("reach", pair.reach);
  v("won", pair.won);
  v("tied", pair.tied);
  v("lost", pair.lost);
  v("smallest_bound", pair.smallest_bound);
  v("dominates", pair.dominates);
  v("dominated", pair.dominated);
  v("weightings", pair.weightings);
}

template <class V>
void fields(V& v, AgainstBank& method) {
  v("method", method.method);
  v("share", method.share);
  v("miscalibration", method.miscalibration);
  v("side_effects", method.side_effects);
}

template <class V>
void fields(V& v, Comparison& comparison) {
  v("methods", comparison.methods);
  v("pairs", comparison.pairs);
  v("bank", comparison.bank);
  v("against_bank", comparison.against_bank);
}

}  // namespace moft
