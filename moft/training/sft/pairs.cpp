#include "moft/training/sft/pairs.h"

#include <utility>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/data/prompt_template.h"

namespace moft {

SftPairs encode_pairs(
    const std::vector<Example>& examples,
    const SftDataOptions& options,
    const Tokenizer& tokenizer,
    const ModelInfo& model) {
  if (model.end_tokens.empty()) {
    throw_caller_error(
        "the model names no end token, so that no completion could end; add "
        "eos_token_id to its config.json");
  }
  const PromptTemplate prompt(options.prompt_template);
  const PromptTemplate completion(options.completion_template);
  PromptFitter fitter(prompt, tokenizer, options.too_long);
  PromptLimits limits;
  limits.prompt = options.max_prompt_tokens;
  limits.context = model.context;
  SftPairs result;
  for (Example example : examples) {
    SftPair pair;
    pair.completion = tokenizer.encode(
        completion.render(example),
        EncodeOptions{.parse_special = false, .add_special = false});
    if (pair.completion.empty()) {
      throw_caller_error(
          "{}: the completion is empty; there is nothing to learn from it",
          example.where);
    }
    pair.completion.push_back(model.end_tokens.front());
    limits.answer = static_cast<std::int64_t>(pair.completion.size());
    if (limits.answer > options.max_completion_tokens) {
      fitter.refuse(
          example,
          fmt::format(
              "the completion has {} tokens, more than "
              "data.max_completion_tokens = {}",
              limits.answer,
              options.max_completion_tokens));
      continue;
    }
    auto ids = fitter.fit(example, limits);
    if (!ids) continue;
    pair.prompt = std::move(*ids);
    result.pairs.push_back(std::move(pair));
  }
  result.lengths = fitter.finish();
  return result;
}

}  // namespace moft
