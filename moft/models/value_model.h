// A value network: a language model whose logits of the first tokens, where a
// completion's first token is predicted, are read as values of a prompt (CLP,
// arXiv 2407.15762, appendix B.1).
//
//   V(x)_i = logit of token id i after the prompt x,  i < outputs
//
// Only those rows of the output head exist: a matrix of its own, named
// "value_head.weight", that starts as the rows of the model's head (of the
// embedding where they are tied). Every parameter is trained.
//
// Logits are far from any reward. Where that does harm, each value is instead
//
//   V(x)_i = logit of token id i - logit of row outputs + i,
//
// the matrix having every row twice at first: V is 0 then, and both rows are as
// large as a model's, which Adafactor's relative steps need.
#pragma once

#include <cstdint>
#include <memory>

#include "moft/models/headed_model.h"
#include "moft/models/language_model.h"

namespace moft {

// What the values are before training.
enum class FirstValues { kLogits, kZero };

// `model` is a plain one, without conditioning, and is changed for good.
// CallerError when its vocabulary has fewer than `outputs` tokens. With kZero
// its forward() has 2 outputs columns, of which values_of() makes the values.
HeadedModel make_value_model(
    std::shared_ptr<LanguageModel> model,
    std::int64_t outputs,
    FirstValues first = FirstValues::kLogits);

// Values [n, outputs] from what the head gives, [n, outputs or 2 outputs].
at::Tensor values_of(const at::Tensor& logits, FirstValues first);

// What the head gives along completions: after the prompt and the tokens before
// each token of a completion, rows one after the other: [sum of completion
// lengths, columns], float32. `model` is what a value model was made of;
// differentiable as HeadedModel::forward().
at::Tensor completion_values(LanguageModel& model, const ScoreBatch& batch);

}  // namespace moft
