// Examples as pairs of prompt and completion.
#include "moft/training/sft/pairs.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/data/answer_end.h"
#include "moft/data/encode_prompt.h"
#include "moft/data/prompt_template.h"

namespace moft {
namespace {

bool ends(const ModelInfo& model, TokenId token) {
  return std::find(model.end_tokens.begin(), model.end_tokens.end(), token) !=
         model.end_tokens.end();
}

// White space that a template puts after an end token ("<|im_end|>\n") is
// left out: after that token nothing is ever generated.
void cut_after_end(
    TokenIds& completion, const Tokenizer& tokenizer, const ModelInfo& model) {
  std::size_t size = completion.size();
  while (size > 0 && !ends(model, completion[size - 1]) &&
         trimmed(tokenizer.token_bytes(completion[size - 1])).empty()) {
    --size;
  }
  if (size > 0 && ends(model, completion[size - 1])) completion.resize(size);
}

// Whether there is more than end tokens.
bool has_text(const TokenIds& completion, const ModelInfo& model) {
  return std::any_of(completion.begin(), completion.end(), [&](TokenId id) {
    return !ends(model, id);
  });
}

}  // namespace

TokenId completion_end(
    const std::string& prompt_template,
    const Tokenizer& tokenizer,
    const ModelInfo& model) {
  require_end_token(model.end_tokens);
  const auto written = encode_completion(prompt_template, tokenizer);
  const auto last =
      std::find_if(written.rbegin(), written.rend(), [&](TokenId id) {
        return ends(model, id);
      });
  if (last != written.rend()) return *last;
  const auto own = tokenizer.eos();
  return own && ends(model, *own) ? *own : model.end_tokens.front();
}

SftPairs encode_pairs(
    const std::vector<Example>& examples,
    const SftDataOptions& options,
    const Tokenizer& tokenizer,
    const ModelInfo& model) {
  const TokenId end = completion_end(options.prompt_template, tokenizer, model);
  const PromptTemplate prompt(options.prompt_template);
  const PromptTemplate completion(options.completion_template);
  PromptFitter fitter(prompt, tokenizer, options.too_long);
  PromptLimits limits;
  limits.prompt = options.max_prompt_tokens;
  limits.context = model.context;
  SftPairs result;
  for (Example example : examples) {
    SftPair pair;
    pair.completion = encode_completion(completion.fill(example), tokenizer);
    cut_after_end(pair.completion, tokenizer, model);
    if (!has_text(pair.completion, model)) {
      throw_caller_error(
          "{}: the completion is empty; there is nothing to learn from it",
          example.where);
    }
    if (!ends(model, pair.completion.back())) pair.completion.push_back(end);
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
