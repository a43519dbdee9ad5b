#include "moft/training/sft/pairs.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/core/text.h"
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

bool ends(const ModelInfo& model, TokenId token) {
  return std::find(
             model.end_tokens.begin(), model.end_tokens.end(), token) !=
         model.end_tokens.end();
}

// White space that a template puts behind an end token ("<|im_end|>\n") is
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
  if (model.end_tokens.empty()) {
    throw_caller_error(
        "the model names no end token, so that no completion could end; add "
        "eos_token_id to its config.json");
  }
  const auto written = encode_completion(prompt_template, tokenizer);
  const auto last = std::find_if(
      written.rbegin(), written.rend(), [&](TokenId id) {
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
  const TokenId end =
      completion_end(options.prompt_template, tokenizer, model);
  const PromptTemplate prompt(options.prompt_template);
  const PromptTemplate completion(options.completion_template);
  SftPairs result;
  std::string fault;
  for (const Example& example : examples) {
    SftPair pair;
    pair.prompt = encode_prompt(prompt, example, tokenizer);
    const auto text = completion.fill(example);
    pair.completion = encode_completion(text, tokenizer);
    cut_after_end(pair.completion, tokenizer, model);
    const bool answers = has_text(pair.completion, model);
    if (!answers || pair.prompt.empty()) {
      throw_caller_error(
          "{}: the {} is empty; there is nothing to learn from it",
          example.where,
          answers ? "prompt" : "completion");
    }
    if (!ends(model, pair.completion.back())) pair.completion.push_back(end);
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
