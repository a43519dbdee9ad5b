// What a steering acts on: the steered set S and the mixing amount.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moft/core/fields.h"
#include "moft/weightings/steering.h"

namespace moft {

enum class SteeredSet { kFull, kLora };
constexpr auto enum_names(SteeredSet) {
  return EnumNames<SteeredSet, 2>{{
      {SteeredSet::kFull, "full"},
      {SteeredSet::kLora, "lora"},
  }};
}

constexpr auto enum_names(FMix) {
  return EnumNames<FMix, 2>{{
      {FMix::kSoftmdp, "softmdp"},
      {FMix::kLinear, "linear"},
  }};
}

// The linear maps of a decoder layer; the names are those of
// SteerableLinear::kind.
enum class LinearKind { kQ, kK, kV, kO, kGate, kUp, kDown };
constexpr auto enum_names(LinearKind) {
  return EnumNames<LinearKind, 7>{{
      {LinearKind::kQ, "q"},
      {LinearKind::kK, "k"},
      {LinearKind::kV, "v"},
      {LinearKind::kO, "o"},
      {LinearKind::kGate, "gate"},
      {LinearKind::kUp, "up"},
      {LinearKind::kDown, "down"},
  }};
}

// Layers first..last, both included, counted from 0.
struct LayerRange {
  std::int64_t first = 0;
  std::int64_t last = 0;

  bool contains(std::int64_t layer) const {
    return layer >= first && layer <= last;
  }
};

// "all", "upper_half" (of n layers those from n / 2 on) or "15..29". Throws
// CallerError beginning with `place` for anything else and for a range that
// does not lie in `layers`.
LayerRange parse_layers(
    const std::string& text, std::int64_t layers, const std::string& place);

struct LoraOptions {
  std::int64_t rank = 8;
  double scale = 2.0;
  std::string layers = "all";
  std::vector<LinearKind> modules = {
      LinearKind::kQ,
      LinearKind::kK,
      LinearKind::kV,
      LinearKind::kO,
      LinearKind::kGate,
      LinearKind::kUp,
      LinearKind::kDown};

  template <class V>
  void fields(V& v) {
    v("rank",
      rank,
      Help{"rank of each objective's adapter"},
      between(1, 65536));
    v("scale", scale, Help{"factor s of the update s B A"}, above(0));
    v("layers",
      layers,
      Help{"which layers get adapters: all, upper_half, or a range such as "
           "15..29, both ends included, counted from 0"});
    v("modules",
      modules,
      Help{"which linear maps of a layer get adapters"},
      Required{});
  }

  void check(const std::string& path) const;
};

struct ConditioningOptions {
  SteeredSet steered_set = SteeredSet::kLora;
  LoraOptions lora;
  FMix f_mix = FMix::kSoftmdp;
  std::optional<double> alpha_min;

  template <class V>
  void fields(V& v) {
    v("steered_set",
      steered_set,
      Help{"which parameters exist once per objective; full: all of them, "
           "lora: low-rank adapters on frozen weights"});
    v("lora", lora, Help{"the adapters, with steered_set: lora"});
    v("f_mix",
      f_mix,
      Help{"how a KL strength becomes the amount of reference mixed in"});
    v("alpha_min",
      alpha_min,
      Help{"smallest KL strength the policy answers to; null: "
           "training.kl_strength, so that no reference is mixed in there"},
      from_up_to_below(0, 1));
  }
};

}  // namespace moft
