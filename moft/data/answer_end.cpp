// Whether answers can end where the prompt's format ends a turn.
#include "moft/data/answer_end.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_letter(char c) {
  return c >= 'a' && c <= 'z';
}

// Runs of ASCII letters, in lower case: <|im_end|> has "im" and "end".
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  for (const char given : name) {
    const char c = lower(given);
    if (is_letter(c)) {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  return words;
}

bool ends_a_turn(const std::string& name) {
  if (name == "</s>") return true;
  bool ends = false;
  for (const std::string& word : words_of(name)) {
    // Llama 3 ends the name of a role with <|end_header_id|>.
    if (word == "header") return false;
    ends = ends || word == "end" || word == "eot" || word == "eos" ||
           word == "eom" || word == "eod" || word.starts_with("endof");
  }
  return ends;
}

// A template's own words, for values of no text; none where a chat template
// does not take a plain question and answer.
std::vector<PromptPiece> bare_pieces(const PromptMaker& prompt) {
  if (const ChatPrompt* chat = prompt.chat()) {
    ChatTurns turns = chat->user_turn("a");
    turns.messages.push_back({"assistant", "a"});
    try {
      return pieces_of(chat->render(turns, /*generation_prompt=*/false));
    } catch (const CallerError&) {
      return {};
    }
  }
  Example empty;
  for (const std::string& name : prompt.fields()->field_names())
    empty.fields[name] = "";
  return prompt.fill(empty);
}

}  // namespace

void require_end_token(std::span<const TokenId> end_tokens) {
  if (!end_tokens.empty()) return;
  throw_caller_error(
      "the model names no end token, so that no completion could end; add "
      "eos_token_id to its config.json");
}

std::optional<TokenId> turn_end_of(
    const PromptMaker& prompt, const Tokenizer& tokenizer) {
  std::optional<TokenId> last;
  for (const PromptPiece& piece : bare_pieces(prompt)) {
    if (piece.from_field) continue;
    const auto ids = tokenizer.encode(
        piece.text, {.parse_special = true, .add_special = false});
    for (const TokenId id : ids) {
      if (tokenizer.is_special(id) && ends_a_turn(tokenizer.token_bytes(id)))
        last = id;
    }
  }
  return last;
}

std::optional<std::string> answer_end_warning(
    const PromptMaker& prompt,
    const Tokenizer& tokenizer,
    std::span<const TokenId> end_tokens) {
  const auto turn_end = turn_end_of(prompt, tokenizer);
  if (!turn_end || end_tokens.empty()) return std::nullopt;
  const bool known =
      std::find(end_tokens.begin(), end_tokens.end(), *turn_end) !=
      end_tokens.end();
  if (known) return std::nullopt;
  std::string ends;
  for (const TokenId id : end_tokens)
    ends += (ends.empty() ? "" : ", ") + tokenizer.token_bytes(id);
  return fmt::format(
      "{} ends a turn with {}, but the model's answers end "
      "at {} only: one that writes {} continues after it; if answers should "
      "end "
      "there, add its id {} to eos_token_id in the model's "
      "generation_config.json or config.json",
      prompt.chat() ? "the chat template" : "data.prompt_template",
      tokenizer.token_bytes(*turn_end),
      ends,
      tokenizer.token_bytes(*turn_end),
      *turn_end);
}

}  // namespace moft
