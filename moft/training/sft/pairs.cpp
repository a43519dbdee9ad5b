// Examples as pairs of prompt and completion.
#include "moft/training/sft/pairs.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/data/answer_end.h"
#include "moft/data/encode_dialogue.h"
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

namespace {

SftPairs encode_texts(
    const std::vector<Example>& examples,
    const SftDataOptions& options,
    const Tokenizer& tokenizer,
    const ModelInfo& model) {
  const PromptSpec spec = options.spec();
  const TokenId end = completion_end(spec.prompt_template, tokenizer, model);
  const PromptMaker prompt = spec.maker();
  const PromptTemplate completion(options.completion_text());
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

// The learned part of a dialogue; none: nothing is learned.
std::optional<SftPair> pair_of(EncodedDialogue dialogue) {
  const auto& learned = dialogue.learned;
  const auto first = std::find(learned.begin(), learned.end(), 1);
  if (first == learned.end()) return std::nullopt;
  const auto last = std::find(learned.rbegin(), learned.rend(), 1).base();
  const auto& ids = dialogue.ids;
  const auto begin = ids.begin() + (first - learned.begin());
  SftPair pair;
  pair.prompt.assign(ids.begin(), begin);
  pair.completion.assign(begin, begin + (last - first));
  pair.learned.assign(first, last);
  return pair;
}

SftPairs encode_dialogues(
    const std::vector<Example>& examples,
    const SftDataOptions& options,
    const Tokenizer& tokenizer,
    const ModelInfo& model) {
  require_end_token(model.end_tokens);
  const PromptMaker prompt = options.spec().maker();
  const ChatPrompt& chat = *prompt.chat();
  PromptFitter fitter(prompt, tokenizer, options.too_long);
  const std::int64_t most =
      options.max_prompt_tokens + options.max_completion_tokens;
  SftPairs result;
  for (const Example& example : examples) {
    const ChatTurns turns = chat.all_turns(example);
    EncodedDialogue dialogue =
        encode_dialogue(chat, turns, chat.read_turns(example), tokenizer);
    const std::int64_t tokens = std::ssize(dialogue.ids);
    if (tokens > std::min(most, model.context)) {
      fitter.refuse(
          example,
          tokens > most
              ? fmt::format(
                    "the dialogue has {} tokens, more than "
                    "data.max_prompt_tokens + data.max_completion_tokens = {}",
                    tokens,
                    most)
              : fmt::format(
                    "the dialogue has {} tokens, more than the model's {}",
                    tokens,
                    model.context));
      continue;
    }
    fitter.keep(example, dialogue.ids, tokens);
    auto pair = pair_of(std::move(dialogue));
    if (!pair || pair->prompt.empty()) {
      throw_caller_error(
          "{}: {}; add one, or remove the row",
          turns.where,
          pair ? "nothing comes before the assistant's first turn"
               : "the dialogue has no turn of the assistant to learn from");
    }
    result.pairs.push_back(*std::move(pair));
  }
  result.lengths = fitter.finish();
  return result;
}

}  // namespace

std::int64_t SftPair::learned_tokens() const {
  return learned.empty() ? std::ssize(completion)
                         : std::count(learned.begin(), learned.end(), 1);
}

SftPairs encode_pairs(
    const std::vector<Example>& examples,
    const SftDataOptions& options,
    const Tokenizer& tokenizer,
    const ModelInfo& model) {
  return options.spec().chat
             ? encode_dialogues(examples, options, tokenizer, model)
             : encode_texts(examples, options, tokenizer, model);
}

}  // namespace moft
