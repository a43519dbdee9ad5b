// ENUM-1 as a training run sees it: text, a tokenizer, examples, objectives.
//
// Token 0 ends an answer, tokens 1..5 are the letters a..e. An answer of three
// letters is cut off there (max_new_tokens 3), which forces the end: 156
// completions. Prompts are the documents, "abca".
//
// The alphabet has no figures, so the tokenizer spells a weighting's words
// (docs/methods/prompt-conditioning.md) with what there is: a digit d becomes
// the two letters d / 5 and d % 5, ';' the end token, letters a..e stay, and
// everything else is dropped.
//
// Thread safety: immutable.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "moft/data/example.h"
#include "moft/rewards/objectives.h"
#include "moft/tokenizers/tokenizer.h"

#include "verify/enum_task.h"

namespace moft::exact {

inline constexpr std::int64_t kEnumVocabulary = 6;
inline constexpr std::int64_t kEnumMaxTokens = 3;
// In the order of the task's rewards, the first `count` of them. CallerError
// unless 1 <= count <= 3.
std::vector<std::string> enum_objective_names(std::size_t count = 3);

// `closes_prompts`: every prompt ends with the end token, as T5's do.
std::shared_ptr<const Tokenizer> make_enum_tokenizer(bool closes_prompts);

// "abca"; the way back gives the tokens.
std::string enum_text(const Sequence& tokens);

// One example a prompt, in the task's order: field "document".
std::vector<Example> enum_examples(const EnumTask& task);

// The first `count` of R1, R2, R3 of a completion's text, ranges [0, 1] (so
// they are not changed). `task` must outlive the set.
ObjectiveSet enum_objectives(const EnumTask& task, std::size_t count = 3);

// What the model emits for an answer: its letters, and the end token unless it
// is cut off. In the order of task.answers().
std::vector<std::vector<TokenId>> enum_completions(const EnumTask& task);

}  // namespace moft::exact
