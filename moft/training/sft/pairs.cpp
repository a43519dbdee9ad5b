#include "moft/training/sft/pairs.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/data/answer_end.h"
#include "moft/data/encode_prompt.h"
#include "moft/data/prompt_template.h"

namespace moft {
namespace {

// What is wrong with a pair's length; nothing to say: empty.
std::string length_fault(
    const SftPair& pair, const SftDataOptions& options, std::int64_t context) {
  const auto prompt = static_cast<std::int64_t>(pair.prompt.size());
  const auto completion = static_cast<std::int64_t>(pair.completion.size());
  if (prompt > options.max_prompt_tokens) {
    return fmt::format(
        "the prompt has {} tokens, more than data.max_prompt_tokens = {}",
        prompt,
        options.max_prompt_tokens);
  }
  if (completion > options.max_completion_tokens) {
    return fmt::format(
        "the completion has {} tokens, more than data.max_completion_tokens = "
        "{}",
        completion,
        options.max_completion_tokens);
  }
  if (prompt + completion > context) {
    return fmt::format(
        "prompt and completion have {} tokens, more than the model's {}",
        prompt + completion,
        context);
  }
  return {};
}

}  // namespace

SftPairs encode_pairs(
    const std::vector<Example>& examples,
    const SftDataOptions& options,
    const Tokenizer& tokenizer,
    const ModelInfo& model) {
  require_end_token(model.end_tokens);
  const PromptTemplate prompt(options.prompt_template);
  const PromptTemplate completion(options.completion_template);
  SftPairs result;
  std::string fault;
  for (const Example& example : examples) {
    SftPair pair;
    pair.prompt = encode_prompt(prompt, example, tokenizer);
    pair.completion = tokenizer.encode(
        completion.render(example),
        EncodeOptions{.parse_special = false, .add_special = false});
    if (pair.completion.empty() || pair.prompt.empty()) {
      throw_caller_error(
          "{}: the {} is empty; there is nothing to learn from it",
          example.where,
          pair.completion.empty() ? "completion" : "prompt");
    }
    pair.completion.push_back(model.end_tokens.front());
    const std::string wrong = length_fault(pair, options, model.context);
    if (wrong.empty()) {
      result.pairs.push_back(std::move(pair));
      continue;
    }
    fault = fmt::format("{}: {}", example.where, wrong);
    if (options.too_long == TooLong::kError) {
      throw_caller_error(
          "{}; raise the limit, shorten the example, or set data.too_long to "
          "skip",
          fault);
    }
    ++result.skipped;
  }
  if (result.pairs.empty()) {
    throw_caller_error("{}; and so are all others too long", fault);
  }
  return result;
}

}  // namespace moft
