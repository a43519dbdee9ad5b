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

PromptFormat::PromptFormat() : template_(kAsGiven), as_given_(true) {}

PromptFormat::PromptFormat(std::string text, std::optional<PromptWords> words)
    : template_(std::move(text)), words_(std::move(words)) {}

Prompt PromptFormat::fill(
    const Example& example, const Tokenizer& tokenizer) const {
  if (!as_given_) return make_prompt(template_, example, tokenizer);
  return make_whole_prompt(
      text_field(example, kAsGivenField, "a plain model"),
      example.where,
      tokenizer);
}

Prompt PromptFormat::fill(
    const std::string& text, const Tokenizer& tokenizer) const {
  const auto& fields = template_.field_names();
  if (fields.size() != 1) {
    throw_caller_error(
        "this policy's prompt has {} fields ({}); give them as JSON lines with "
        "--input",
        fields.size(),
        template_.text());
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
  return words_inside ? make_whole_prompt(text, where, template_, tokenizer)
                      : make_whole_prompt(text, where, tokenizer);
}

std::vector<TokenId> PromptFormat::encode(
    const Prompt& prompt,
    const Weighting* w,
    const Tokenizer& tokenizer) const {
  if (w == nullptr || !words_) return prompt.ids;
  const std::string words = words_of(*w);
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
  if (!words_) return template_.text();
  if (words_->before_prompt)
    return escape_template(words_of(w)) + template_.text();
  return template_.with_words(words_of(w));
}

PromptFormat prompt_format(
    const std::string& text,
    const std::vector<std::string>& objectives,
    const std::optional<PromptConditioningOptions>& words) {
  if (objectives.empty())
    return text == kAsGiven ? PromptFormat() : PromptFormat(text);
  if (!words) return PromptFormat(text);
  return PromptFormat(
      text,
      PromptWords{
          prompt_names(*words, objectives, "conditioning.prompt"),
          words->repetitions});
}

}  // namespace moft
