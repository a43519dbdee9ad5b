// The reward kind `preference`: the score that a reward model gives the answer
// to a prompt.
#pragma once

#include <optional>
#include <string>

#include "moft/core/fields.h"
#include "moft/rewards/gate_options.h"
#include "moft/rewards/reward_kind.h"

namespace moft {

// What the model reads is PreferenceText's (preference_text.h).
struct PreferenceOptions {
  std::string model;
  std::optional<std::string> user;
  std::optional<std::string> system;
  std::optional<std::string> text;
  std::optional<std::string> label;
  std::optional<GateOptions> gate;

  template <class V>
  void fields(V& v) {
    v("model",
      model,
      Help{"the reward model: a Hugging Face directory "
           "(..ForSequenceClassification) with tokenizer.json"},
      Required{},
      Path{});
    v("user",
      user,
      Help{"what the answer answers: {prompt}, or {name} for an example's "
           "field; null: the example's dialogue, else \"{prompt}\""});
    v("system",
      system,
      Help{"the system message for the model's chat template, where a dialogue "
           "has none; null: none"});
    v("text",
      text,
      Help{"the whole text in place of the chat template, as in \"{prompt} "
           "{completion}\""});
    v("label",
      label,
      Help{"the label whose logit is the reward, by name or index; null: the "
           "only one"});
    v("gate", gate, Help{"multiplies the reward; absent: no gate"});
  }
  // Throws CallerError for a text beside messages and for templates that are
  // not well-formed.
  void check(const std::string& path) const;
};

RewardKind preference_kind();

}  // namespace moft
