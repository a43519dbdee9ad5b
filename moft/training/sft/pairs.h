// Prompt/completion pairs as token ids.
//
// The prompt is what `moft train` and `moft generate` make of the same
// template: with a beginning-of-sequence token or T5's end token where the
// tokenizer wants one. The completion is encoded on its own. Special tokens
// that the completion template writes are those tokens; in a field's text they
// are ordinary text. A completion whose template ends with an end token has it
// (white space after it is left out); any other is given completion_end.
//
// A dialogue is one pair: up to the assistant's first turn it is the prompt,
// the rest is the completion, of which the assistant's turns alone are learned
// (data/encode_dialogue.h). What follows the last of them is left out.
//
// Thread safety: pure function, plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "moft/data/example.h"
#include "moft/data/fit_prompts.h"
#include "moft/models/language_model.h"
#include "moft/tokenizers/tokenizer.h"
#include "moft/training/sft/options.h"

namespace moft {

struct SftPair {
  TokenIds prompt;      // not empty
  TokenIds completion;  // not empty, the end token last
  // Per token of the completion, 1 for what is learned; empty: all of it. The
  // first and the last are 1.
  std::vector<std::uint8_t> learned = {};

  std::int64_t learned_tokens() const;
};

struct SftPairs {
  std::vector<SftPair> pairs;  // not empty
  LengthReport lengths;        // skipped: prompt or completion too long
};

// The end token of completions that write none: of the model's end tokens the
// last one that the prompt template writes itself (what ends a turn there ends
// the answer too), else the tokenizer's own, else the first. CallerError when
// the model has none.
TokenId completion_end(
    const std::string& prompt_template,
    const Tokenizer& tokenizer,
    const ModelInfo& model);

// CallerError names the example: a field is missing, the prompt or the
// completion has no text, or the pair is too long (too_long: error, or
// nothing is left). truncate_left and truncate_right cut prompts; a pair whose
// completion is too long is left out then, since a cut answer would teach to
// stop in the middle. A dialogue may have max_prompt_tokens and
// max_completion_tokens together, and is never cut.
SftPairs encode_pairs(
    const std::vector<Example>& examples,
    const SftDataOptions& options,
    const Tokenizer& tokenizer,
    const ModelInfo& model);

}  // namespace moft
