// What the prompt settings of a recipe come to for its model and its rows:
// which template, or which chat template and what it reads.
#pragma once

#include <string>
#include <vector>

#include "moft/data/prompt_options.h"

namespace moft {

// The model whose chat template counts: where its tokenizer is.
struct PromptModel {
  std::string key;   // "policy.model", for messages
  std::string path;  // a Hugging Face directory or a GGUF file
};

// The chat templates that options name for a model, and what they read.
// CallerError when there is none.
ChatSettings chat_settings(
    const PromptOptions& options, const PromptModel& model);

// Sets options.settled. The rows are looked at only where there is no
// prompt_template: the first of `train` decides. CallerError when they have
// neither a dialogue nor a text `prompt`, and when a dialogue has no chat
// template.
void settle_prompt(
    PromptOptions& options,
    const PromptModel& model,
    const std::vector<std::string>& train);

}  // namespace moft
