// What a steering acts on: the steered set S and the mixing amount.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moft/core/fields.h"
#include "moft/weightings/steering.h"

namespace moft {

enum class SteeredSet { kFull, kAttention, kLogits, kPattern, kNone, kLora };
constexpr auto enum_names(SteeredSet) {
  return EnumNames<SteeredSet, 6>{{
      {SteeredSet::kFull, "full"},
      {SteeredSet::kAttention, "attention"},
      {SteeredSet::kLogits, "logits"},
      {SteeredSet::kPattern, "pattern"},
      {SteeredSet::kNone, "none"},
      {SteeredSet::kLora, "lora"},
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

struct AttentionOptions {
  std::optional<std::int64_t> layers;

  template <class V>
  void fields(V& v) {
    v("layers",
      layers,
      Help{
          "number of layers, counted from the first one of each stack (encoder "
          "and decoder), whose attentions are steered; null: all",
          "layers"},
      between(1, 65536));
  }
};

struct PromptConditioningOptions {
  std::int64_t repetitions = 5;
  std::map<std::string, std::string> names;
  bool common_adapter = false;

  template <class V>
  void fields(V& v) {
    v("repetitions",
      repetitions,
      Help{"number of times that each weight is written"},
      between(1, 1000));
    v("names",
      names,
      Help{"what the prompt calls an objective, by its name; default: that "
           "name"});
    v("common_adapter",
      common_adapter,
      Help{"with steered_set: lora; true: every weighting mixes the adapters "
           "in equal parts, so that together they are one adapter of m times "
           "the rank and the words alone steer, false: the weighting mixes "
           "them too"});
  }
};

struct ConditioningOptions {
  SteeredSet steered_set = SteeredSet::kLora;
  AttentionOptions attention;
  std::string pattern;
  bool freeze_shared = false;
  LoraOptions lora;
  std::optional<PromptConditioningOptions> prompt;
  FMix f_mix = FMix::kSoftmdp;
  std::optional<double> alpha_min;

  template <class V>
  void fields(V& v) {
    v("steered_set",
      steered_set,
      Help{"which parameters exist once per objective; full: all of them, "
           "attention: the q, k, v and o of every attention, logits: the "
           "output head, pattern: those that `pattern` names, none: none of "
           "them (the prompt alone steers), lora: low-rank adapters on frozen "
           "weights"});
    v("attention",
      attention,
      Help{"which attentions, with steered_set: attention"});
    v("pattern",
      pattern,
      Help{"with steered_set: pattern, a regular expression; parameters whose "
           "names (Hugging Face's, with .weight or .bias) contain a match are "
           "steered"});
    v("freeze_shared",
      freeze_shared,
      Help{"parameters outside the steered set; true: frozen at the "
           "reference, false: trained, common to all weightings. Under lora "
           "they are always frozen"});
    v("lora", lora, Help{"the adapters, with steered_set: lora"});
    v("prompt",
      prompt,
      Help{"write the weighting as text at the start of the prompt template's "
           "first field; works with any steered set; the reference reads the "
           "plain prompt; null: off; {}: on, with defaults"});
    v("f_mix",
      f_mix,
      Help{"how a KL strength becomes the amount of reference mixed in"});
    v("alpha_min",
      alpha_min,
      Help{"smallest KL strength the policy answers to; null: "
           "training.kl_strength, so that no reference is mixed in there"},
      from_up_to_below(0, 1));
  }

  void check(const std::string& path) const;
};

// The KL strengths that a policy trained at `kl_strength` answers to: from
// alpha_min, or from its training strength where the options give none.
KlRange kl_range(const ConditioningOptions& options, double kl_strength);

}  // namespace moft
