// The value network as recipes describe it (training.value).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "moft/algorithms/choices.h"
#include "moft/core/fields.h"
#include "moft/training/optimizer_options.h"

namespace moft {

enum class ValueTarget { kObjectives, kReward };
constexpr auto enum_names(ValueTarget) {
  return EnumNames<ValueTarget, 2>{{
      {ValueTarget::kObjectives, "objectives"},
      {ValueTarget::kReward, "reward"},
  }};
}

enum class ValuePrompt { kPlain, kConditioned };
constexpr auto enum_names(ValuePrompt) {
  return EnumNames<ValuePrompt, 2>{{
      {ValuePrompt::kPlain, "plain"},
      {ValuePrompt::kConditioned, "conditioned"},
  }};
}

struct ValueOptions {
  std::optional<std::string> model;
  ValueTarget target = ValueTarget::kObjectives;
  ValueScale scale = ValueScale::kReward;
  ValuePrompt prompt = ValuePrompt::kPlain;
  double learning_rate = 1e-4;
  std::int64_t warmup_steps = 0;
  AdafactorOptions adafactor;

  template <class V>
  void fields(V& v) {
    v("model",
      model,
      Help{"what the value network starts from, a Hugging Face directory or a "
           "GGUF file with the policy's tokenizer; null: policy.model"},
      Path{});
    v("target",
      target,
      Help{"what it predicts from the prompt; objectives: the mean reward of "
           "each objective, over weightings and completions, as in the paper; "
           "reward: the one number that training maximises, KL included"});
    v("scale",
      scale,
      Help{"with target: objectives, the baseline made of the values V_i; "
           "reward: (1 - alpha) w.V, so that it has the rewards' share of the "
           "value at every alpha, literal: w.V, as the paper prints it"});
    v("prompt",
      prompt,
      Help{"what it reads; plain: the prompt, so that it knows neither "
           "weighting nor alpha, conditioned: with the words of "
           "conditioning.prompt in it"});
    v("learning_rate",
      learning_rate,
      Help{"constant; relative to the parameter, see adafactor"},
      above(0));
    v("warmup_steps",
      warmup_steps,
      Help{
          "number of steps that train the value network alone, before the "
          "first update of the policy; 0: none",
          "steps"},
      at_least(0));
    v("adafactor", adafactor, Help{"its optimizer is always adafactor"});
  }
};

}  // namespace moft
