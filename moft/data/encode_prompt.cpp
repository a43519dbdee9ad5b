// Prompts and completions to token ids.
#include "moft/data/encode_prompt.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

constexpr EncodeOptions kWithMarkup{
    .parse_special = true, .add_special = false};
constexpr EncodeOptions kPlainText{
    .parse_special = false, .add_special = false};

// Collects the current run of ordinary text and turns it into ids whenever
// one of the template's special tokens ends it.
class RunEncoder {
 public:
  explicit RunEncoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void add_field(std::string_view text) { run_ += text; }

  // The template's words: the tokenizer says which special tokens they hold,
  // in order; each is found again by its written form.
  void add_template(std::string_view text) {
    for (const TokenId id : tokenizer_.encode(text, kWithMarkup)) {
      if (!tokenizer_.is_special(id)) continue;
      const std::string written = tokenizer_.token_bytes(id);
      const std::size_t at = text.find(written);
      // An unknown-word token is special too, but nobody wrote it.
      if (written.empty() || at == std::string_view::npos) continue;
      run_ += text.substr(0, at);
      end_run();
      ids_.push_back(id);
      text.remove_prefix(at + written.size());
    }
    run_ += text;
  }

  std::vector<TokenId> finish() {
    end_run();
    return std::move(ids_);
  }

 private:
  void end_run() {
    if (run_.empty()) return;
    EncodeOptions options = kPlainText;
    options.at_start = ids_.empty();
    const auto ids = tokenizer_.encode(run_, options);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    run_.clear();
  }

  const Tokenizer& tokenizer_;
  std::string run_;
  std::vector<TokenId> ids_;
};

bool is_field(const PromptPiece& piece) {
  return piece.from_field;
}

// The special tokens among `ids` that `text` writes, in order, added to
// `found`. An unknown-word token is special too, but nobody wrote it.
void add_markup(
    const std::vector<TokenId>& ids,
    std::string_view text,
    const Tokenizer& tokenizer,
    std::vector<TokenId>& found) {
  for (const TokenId id : ids) {
    if (!tokenizer.is_special(id)) continue;
    const std::string written = tokenizer.token_bytes(id);
    const bool there = text.find(written) != std::string_view::npos;
    if (there && !written.empty()) found.push_back(id);
  }
}

// The whole text in one piece, when all its markup is the template's. Only
// this gives what the tokenizer does around a special token (white space that
// it swallows, a space that it puts before the first word alone).
std::optional<std::vector<TokenId>> encode_at_once(
    std::span<const PromptPiece> pieces, const Tokenizer& tokenizer) {
  std::string text;
  std::vector<TokenId> of_template;
  for (const PromptPiece& piece : pieces) {
    text += piece.text;
    if (is_field(piece)) continue;
    const auto ids = tokenizer.encode(piece.text, kWithMarkup);
    add_markup(ids, piece.text, tokenizer, of_template);
  }
  auto ids = tokenizer.encode(text, kWithMarkup);
  std::vector<TokenId> of_all;
  add_markup(ids, text, tokenizer, of_all);
  if (of_all != of_template) return std::nullopt;
  return ids;
}

std::vector<TokenId> encode_runs(
    std::span<const PromptPiece> pieces, const Tokenizer& tokenizer) {
  // Text of one author is what the tokenizer itself makes of it.
  if (pieces.size() == 1) {
    return tokenizer.encode(
        pieces[0].text, is_field(pieces[0]) ? kPlainText : kWithMarkup);
  }
  if (auto ids = encode_at_once(pieces, tokenizer)) return *std::move(ids);
  RunEncoder encoder(tokenizer);
  for (const PromptPiece& piece : pieces) {
    if (is_field(piece)) {
      encoder.add_field(piece.text);
    } else {
      encoder.add_template(piece.text);
    }
  }
  return encoder.finish();
}

bool begins_with(
    const std::vector<TokenId>& ids, const std::vector<TokenId>& beginning) {
  return ids.size() >= beginning.size() &&
         std::equal(beginning.begin(), beginning.end(), ids.begin());
}

// What the tokenizer puts before every text of its own accord.
std::vector<TokenId> beginning_of(const Tokenizer& tokenizer) {
  constexpr std::string_view kAnyText = "a";
  const auto plain = tokenizer.encode(kAnyText, kWithMarkup);
  const auto framed = tokenizer.encode(kAnyText, EncodeOptions{});
  if (plain.empty()) return framed;
  const auto text =
      std::search(framed.begin(), framed.end(), plain.begin(), plain.end());
  if (text == framed.end()) return {};
  return {framed.begin(), text};
}

std::vector<TokenId> as_prompt(
    std::vector<TokenId> ids, const Tokenizer& tokenizer) {
  const auto beginning = beginning_of(tokenizer);
  if (!begins_with(ids, beginning))
    ids.insert(ids.begin(), beginning.begin(), beginning.end());
  const auto end = tokenizer.prompt_end();
  if (end && (ids.empty() || ids.back() != *end)) ids.push_back(*end);
  return ids;
}

Prompt checked(Prompt prompt, const std::string& where) {
  if (!prompt.ids.empty()) return prompt;
  throw_caller_error(
      "{}: the prompt is empty, and this model's tokenizer puts no begin token "
      "before it; write at least one word",
      where);
}

// Bytes of a beginning-of-sequence token written first in `text`.
std::size_t written_beginning(
    std::string_view text, const Tokenizer& tokenizer) {
  std::string written;
  for (const TokenId id : beginning_of(tokenizer))
    written += tokenizer.token_bytes(id);
  return text.starts_with(written) ? written.size() : 0;
}

}  // namespace

std::vector<TokenId> encode_pieces(
    std::span<const PromptPiece> pieces, const Tokenizer& tokenizer) {
  return as_prompt(encode_runs(pieces, tokenizer), tokenizer);
}

std::vector<TokenId> encode_filled(
    const PromptMaker& prompt,
    std::span<const PromptPiece> pieces,
    const Tokenizer& tokenizer) {
  return prompt.chat() ? encode_completion(pieces, tokenizer)
                       : encode_pieces(pieces, tokenizer);
}

std::vector<TokenId> encode_prompt(
    const PromptMaker& prompt,
    const Example& example,
    const Tokenizer& tokenizer,
    const std::string& words) {
  return encode_filled(prompt, prompt.fill(example, words), tokenizer);
}

std::vector<TokenId> encode_completion(
    std::span<const PromptPiece> pieces, const Tokenizer& tokenizer) {
  return encode_runs(pieces, tokenizer);
}

std::vector<TokenId> encode_completion(
    std::string_view text, const Tokenizer& tokenizer) {
  return tokenizer.encode(text, kWithMarkup);
}

std::vector<TokenId> encode_with_words(
    std::span<const PromptPiece> pieces,
    const std::string& words,
    const Tokenizer& tokenizer) {
  return encode_pieces(
      with_words({pieces.begin(), pieces.end()}, words), tokenizer);
}

Prompt make_chat_prompt(
    const ChatPrompt& chat, ChatTurns turns, const Tokenizer& tokenizer) {
  const std::string where = turns.where;
  Prompt prompt;
  prompt.pieces = chat.render_prompt(turns);
  prompt.ids = encode_completion(prompt.pieces, tokenizer);
  prompt.turns = std::make_shared<const ChatTurns>(std::move(turns));
  return checked(std::move(prompt), where);
}

Prompt make_prompt(
    const PromptMaker& prompt,
    const Example& example,
    const Tokenizer& tokenizer) {
  if (const ChatPrompt* chat = prompt.chat())
    return make_chat_prompt(*chat, chat->prompt_turns(example), tokenizer);
  auto pieces = prompt.fill(example);
  auto ids = encode_pieces(pieces, tokenizer);
  return checked({std::move(ids), std::move(pieces)}, example.where);
}

Prompt make_whole_prompt(
    const std::string& text,
    const std::string& where,
    const Tokenizer& tokenizer) {
  std::vector<PromptPiece> pieces = {{text, false}};
  auto ids = encode_pieces(pieces, tokenizer);
  return checked({std::move(ids), std::move(pieces)}, where);
}

Prompt make_whole_prompt(
    const std::string& text,
    const std::string& where,
    const PromptTemplate& prompt,
    const Tokenizer& tokenizer) {
  Prompt whole = make_whole_prompt(text, where, tokenizer);
  const std::string before = prompt.before_first_field();
  std::size_t place = 0;
  if (!text.starts_with(before) || before.empty())
    place = written_beginning(text, tokenizer);
  if (!std::string_view(text).substr(place).starts_with(before)) {
    throw_caller_error(
        "{}: the prompt does not begin with {}, as the policy's prompt "
        "template does, so the weighting's words have no place in it; write "
        "the whole prompt",
        where,
        quote_text(before));
  }
  place += before.size();
  whole.pieces = {
      {text.substr(0, place), false}, {"", true}, {text.substr(place), false}};
  return whole;
}

}  // namespace moft
