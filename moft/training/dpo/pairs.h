// Rows of data as pairs of answers to one prompt, with their scores by
// objective.
//
// The prompt is what `moft train` makes of the same settings. An answer is
// encoded on its own, as a completion, and given the end token that sampled
// answers have (sft/pairs.h: completion_end; with a chat template what ends its
// turns).
//
// Errors: CallerError naming the row: a field that is missing or of another
// kind, an answer without text, what is too long (too_long: error).
// Thread safety: pure functions, plain data.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "moft/data/encode_prompt.h"
#include "moft/data/example.h"
#include "moft/data/fit_prompts.h"
#include "moft/models/language_model.h"
#include "moft/training/dpo/options.h"

namespace moft {

struct DpoPair {
  Prompt prompt;  // not empty
  // The chosen and the rejected answer: not empty, an end token last.
  std::array<TokenIds, 2> answers;
  // Their scores by objective, mapped, [m] each.
  std::array<std::vector<double>, 2> scores;

  std::int64_t tokens() const;  // of both answers
};

struct DpoPairs {
  std::vector<DpoPair> pairs;  // not empty
  LengthReport lengths;        // skipped or cut: too long
};

// Mapped scores [2][m] of a row, in the order of the objectives.
std::array<std::vector<double>, 2> preference_scores(
    const Example& example, const PreferenceObjectives& objectives);

// `words`: longest_prompt_words() of the policy, which count as part of its
// prompts.
struct DpoReading {
  const DpoDataOptions& data;  // its prompts settled
  const PreferenceObjectives& objectives;
  const Tokenizer& tokenizer;
  const ModelInfo& model;
  std::string words = {};
};

DpoPairs encode_dpo_pairs(
    const std::vector<Example>& examples, const DpoReading& reading);

}  // namespace moft
