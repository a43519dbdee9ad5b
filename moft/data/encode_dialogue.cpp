// Finds the assistant's turns in the ids of a dialogue.
#include "moft/data/encode_dialogue.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/data/encode_prompt.h"

namespace moft {
namespace {

// Bytes of a text, or ids: [begin, end).
struct Stretch {
  std::size_t begin = 0;
  std::size_t end = 0;
};

bool is_assistant(const ChatMessage& message) {
  return message.role == "assistant";
}

// What {% generation %} marks, but for the first `skipped` blocks.
std::vector<Stretch> marked_turns(
    const RenderedChat& chat, std::size_t skipped) {
  std::vector<Stretch> turns;
  std::size_t at = 0;
  bool inside = false;
  for (const ChatPiece& piece : chat.pieces) {
    if (piece.in_generation && !inside) turns.push_back({at, at});
    at += piece.text.size();
    inside = piece.in_generation;
    if (inside) turns.back().end = at;
  }
  turns.erase(turns.begin(), turns.begin() + std::min(skipped, turns.size()));
  return turns;
}

std::string text_of_first(
    const ChatPrompt& chat,
    const ChatTurns& turns,
    std::size_t count,
    bool generation_prompt) {
  ChatTurns first = turns;
  first.messages.resize(count);
  return chat.render(first, generation_prompt).text();
}

[[noreturn]] void refuse_rewriting(const ChatTurns& turns, std::size_t count) {
  throw_caller_error(
      "{}: the chat template has no {{% generation %}} marks, and what it "
      "writes for the first {} messages is not how it begins the dialogue, so "
      "the assistant's turns cannot be told apart; give data.chat_template a "
      "file with {{% generation %}} and {{% endgeneration %}} around them",
      turns.where,
      count);
}

std::vector<Stretch> added_turns(
    const ChatPrompt& chat,
    const ChatTurns& turns,
    std::size_t only_read,
    std::string_view text) {
  std::vector<Stretch> found;
  for (std::size_t i = only_read; i < turns.messages.size(); ++i) {
    if (!is_assistant(turns.messages[i])) continue;
    if (i == 0) {
      throw_caller_error(
          "{}: the dialogue begins with the assistant, whose turn a chat "
          "template without {{% generation %}} marks cannot show; begin with "
          "the user, or give data.chat_template a file with marks",
          turns.where);
    }
    const std::string before = text_of_first(chat, turns, i, true);
    const std::string with = text_of_first(chat, turns, i + 1, false);
    const bool grows = before.size() <= with.size();
    if (!grows || !text.starts_with(before)) refuse_rewriting(turns, i);
    if (!text.starts_with(with)) refuse_rewriting(turns, i + 1);
    found.push_back({before.size(), with.size()});
  }
  return found;
}

// Where each id's text lies in the whole; none where the tokenizer changes it.
// A token may show a space that the tokenizer put before a word; white space
// that a special token swallows belongs to none.
std::optional<std::vector<Stretch>> places_of(
    const std::vector<TokenId>& ids,
    std::string_view text,
    const Tokenizer& tokenizer) {
  std::vector<Stretch> places;
  std::size_t at = 0;
  const auto matches = [&](std::string_view bytes, std::size_t from) {
    return text.substr(from).starts_with(bytes);
  };
  for (const TokenId id : ids) {
    const std::string written = tokenizer.token_bytes(id);
    std::string_view bytes = written;
    std::size_t from = at;
    if (!matches(bytes, from) && bytes.starts_with(" ")) bytes.remove_prefix(1);
    while (!matches(bytes, from) && from < text.size() &&
           trimmed(text.substr(from, 1)).empty())
      ++from;
    if (!matches(bytes, from)) return std::nullopt;
    at = from + bytes.size();
    places.push_back({from, at});
  }
  return places;
}

Stretch ids_by_places(const Stretch& turn, const std::vector<Stretch>& places) {
  const auto first =
      std::find_if(places.begin(), places.end(), [&](const Stretch& place) {
        return place.end > turn.begin;
      });
  const auto last =
      std::find_if(first, places.end(), [&](const Stretch& place) {
        return place.begin >= turn.end;
      });
  return {
      static_cast<std::size_t>(first - places.begin()),
      static_cast<std::size_t>(last - places.begin())};
}

// The pieces of the first `size` bytes.
std::vector<PromptPiece> begin_of(
    const std::vector<PromptPiece>& pieces, std::size_t size) {
  std::vector<PromptPiece> begin;
  for (const PromptPiece& piece : pieces) {
    if (size == 0) break;
    begin.push_back(piece);
    begin.back().text.resize(std::min(size, piece.text.size()));
    size -= begin.back().text.size();
  }
  return begin;
}

// By the ids that a beginning of the text has in common with the whole: for
// tokenizers that change the text.
Stretch ids_by_beginnings(
    const Stretch& turn,
    const std::vector<PromptPiece>& pieces,
    const std::vector<TokenId>& all,
    const Tokenizer& tokenizer) {
  const auto common = [&](std::size_t size, std::size_t after_the_last) {
    const auto ids = encode_completion(begin_of(pieces, size), tokenizer);
    const auto differ =
        std::mismatch(ids.begin(), ids.end(), all.begin(), all.end());
    const auto count = static_cast<std::size_t>(differ.first - ids.begin());
    return count == ids.size() ? count
                               : std::min(count + after_the_last, all.size());
  };
  return {common(turn.begin, 0), common(turn.end, 1)};
}

// White space after the special token that ends a turn is written by no model.
void drop_after_end(
    Stretch& turn,
    const std::vector<TokenId>& ids,
    const Tokenizer& tokenizer) {
  std::size_t end = turn.end;
  while (end > turn.begin && !tokenizer.is_special(ids[end - 1]) &&
         trimmed(tokenizer.token_bytes(ids[end - 1])).empty())
    --end;
  if (end > turn.begin && tokenizer.is_special(ids[end - 1])) turn.end = end;
}

}  // namespace

EncodedDialogue encode_dialogue(
    const ChatPrompt& chat,
    const ChatTurns& turns,
    std::size_t only_read,
    const Tokenizer& tokenizer) {
  const RenderedChat rendered = chat.render(turns, false);
  const std::string text = rendered.text();
  const std::vector<PromptPiece> pieces = pieces_of(rendered);
  const bool marks = chat.marks_generation(turns);
  const auto read =
      turns.messages.begin() +
      static_cast<std::ptrdiff_t>(std::min(only_read, turns.messages.size()));
  const auto skipped = static_cast<std::size_t>(
      std::count_if(turns.messages.begin(), read, is_assistant));
  const std::vector<Stretch> spoken =
      marks ? marked_turns(rendered, skipped)
            : added_turns(chat, turns, only_read, text);
  EncodedDialogue dialogue;
  dialogue.ids = encode_completion(pieces, tokenizer);
  dialogue.learned.resize(dialogue.ids.size(), 0);
  const auto places = places_of(dialogue.ids, text, tokenizer);
  for (const Stretch& turn : spoken) {
    Stretch ids =
        places ? ids_by_places(turn, *places)
               : ids_by_beginnings(turn, pieces, dialogue.ids, tokenizer);
    if (!marks) drop_after_end(ids, dialogue.ids, tokenizer);
    for (std::size_t i = ids.begin; i < ids.end; ++i)
      dialogue.learned[i] = 1;
  }
  return dialogue;
}

}  // namespace moft
