// Prompts from examples, whole texts and a weighting's words.
#include "moft/generation/prompt_format.h"

#include "moft/conditioning/prompt_prefix.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr const char* kAsGiven = "{prompt}";
constexpr const char* kAsGivenField = "prompt";

// A weighting's words are never markup.
constexpr EncodeOptions kPlainText{
    .parse_special = false, .add_special = false};

}  // namespace

PromptFormat::PromptFormat()
    : maker_(PromptTemplate(kAsGiven)), as_given_(true) {}

PromptFormat::PromptFormat(std::string text, std::optional<PromptWords> words)
    : maker_(PromptTemplate(std::move(text))), words_(std::move(words)) {}

PromptFormat::PromptFormat(
    const ChatSettings& chat, std::optional<PromptWords> words)
    : maker_(ChatPrompt(chat)), words_(std::move(words)) {}

Prompt PromptFormat::fill(
    const Example& example, const Tokenizer& tokenizer) const {
  if (!as_given_) return make_prompt(maker_, example, tokenizer);
  return make_whole_prompt(
      text_field(example, kAsGivenField, "a plain model"),
      example.where,
      tokenizer);
}

Prompt PromptFormat::fill(
    const std::string& text, const Tokenizer& tokenizer) const {
  if (chat())
    return make_chat_prompt(*chat(), chat()->user_turn(text), tokenizer);
  const auto& fields = maker_.fields()->field_names();
  if (fields.size() != 1) {
    throw_caller_error(
        "this policy's prompt has {} fields ({}); give them as JSON lines with "
        "--input",
        fields.size(),
        maker_.text());
  }
  Example example;
  example.where = "--prompt";
  example.fields[fields[0]] = text;
  return fill(example, tokenizer);
}

Prompt PromptFormat::whole(
    const std::string& text,
    const std::string& where,
    bool weighted,
    const Tokenizer& tokenizer) const {
  const bool words_inside = weighted && words_ && !words_->before_prompt;
  if (!words_inside) return make_whole_prompt(text, where, tokenizer);
  if (!chat())
    return make_whole_prompt(text, where, *maker_.fields(), tokenizer);
  throw_caller_error(
      "{}: the prompt is a text, in which the weighting's words of this chat "
      "policy have no place; give the prompt as a list of messages",
      where);
}

std::vector<TokenId> PromptFormat::encode(
    const Prompt& prompt,
    const Weighting* w,
    const Tokenizer& tokenizer) const {
  if (w == nullptr || !words_) return prompt.ids;
  const std::string words = words_of(*w);
  if (chat()) {
    if (!prompt.turns) {
      throw_caller_error(
          "the prompt is not a dialogue, so the weighting's words of this chat "
          "policy have no place in it; give messages");
    }
    return encode_completion(
        chat()->render_prompt(*prompt.turns, words), tokenizer);
  }
  if (!words_->before_prompt)
    return encode_with_words(prompt.pieces, words, tokenizer);
  const std::vector<TokenId> word_ids = tokenizer.encode(words, kPlainText);
  const auto first = tokenizer.bos();
  const bool begins =
      first && !prompt.ids.empty() && prompt.ids.front() == *first;
  std::vector<TokenId> ids = prompt.ids;
  ids.insert(ids.begin() + (begins ? 1 : 0), word_ids.begin(), word_ids.end());
  return ids;
}

std::string PromptFormat::words_of(const Weighting& w) const {
  if (!words_) return {};
  return prompt_prefix(words_->names, w, words_->repetitions) + " ";
}

std::int64_t PromptFormat::count_word_tokens(
    const Weighting& w, const Tokenizer& tokenizer) const {
  return std::ssize(tokenizer.encode(words_of(w), kPlainText));
}

std::string PromptFormat::text_under(const Weighting& w) const {
  if (!words_ || chat()) return maker_.text();
  if (words_->before_prompt)
    return escape_template(words_of(w)) + maker_.text();
  return maker_.fields()->with_words(words_of(w));
}

}  // namespace moft
