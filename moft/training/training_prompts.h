// The prompts of training examples, encoded and checked once.
//
// Thread safety: immutable after construction.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "moft/data/encode_prompt.h"
#include "moft/data/prompt_maker.h"
#include "moft/generation/steered_policy.h"

namespace moft {

struct PromptSizes {
  std::int64_t max_prompt_tokens = 512;
  std::int64_t max_new_tokens = 32;  // of an answer
};

class TrainingPrompts {
 public:
  // In the policy's template. `examples` must outlive this. CallerError for a
  // prompt that is too long, a template that does not fit the examples, or a
  // model that names no end token.
  TrainingPrompts(
      const SteeredPolicy& policy,
      const std::vector<Example>& examples,
      const PromptSizes& sizes);

  std::size_t size() const { return ids_.size(); }
  const Example& example(std::size_t i) const { return examples_[i]; }
  const std::vector<TokenIds>& ids() const { return ids_; }
  // With its text in pieces, into which a policy may put words.
  Prompt prompt(std::size_t i) const;
  std::string text(std::size_t i) const;

 private:
  const std::vector<Example>& examples_;
  PromptMaker maker_;
  std::vector<TokenIds> ids_;
};

}  // namespace moft
