// Texts to the ids that a classifier reads, in windows where a text is long.
#include "moft/rewards/text_reader.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/data/encode_prompt.h"
#include "moft/rewards/model_files.h"

namespace moft {
namespace {

void append(TokenIds& ids, std::span<const TokenId> more) {
  ids.insert(ids.end(), more.begin(), more.end());
}

std::span<const TokenId> part_of(
    const TokenIds& ids, const std::pair<std::int64_t, std::int64_t>& window) {
  return std::span(ids).subspan(
      static_cast<std::size_t>(window.first),
      static_cast<std::size_t>(window.second - window.first));
}

bool begins_with(const TokenIds& ids, const TokenIds& beginning) {
  return ids.size() >= beginning.size() &&
         std::equal(beginning.begin(), beginning.end(), ids.begin());
}

bool ends_with(const TokenIds& ids, const TokenIds& end) {
  return ids.size() >= end.size() &&
         std::equal(end.rbegin(), end.rend(), ids.rbegin());
}

// The tokenizer's template, which a text may have written itself.
TextFrame frame_of(const TokenIds& ids, TextFrame frame) {
  if (begins_with(ids, frame.before)) frame.before.clear();
  if (ends_with(ids, frame.after)) frame.after.clear();
  return frame;
}

}  // namespace

std::vector<std::pair<std::int64_t, std::int64_t>> cut_windows(
    std::int64_t count, std::int64_t longest, std::int64_t overlap) {
  TORCH_CHECK(longest > 0, "[text reader] a window without tokens");
  if (count <= longest) return {{0, count}};
  const std::int64_t step = longest - std::min(overlap, longest / 2);
  std::vector<std::pair<std::int64_t, std::int64_t>> windows;
  std::int64_t first = 0;
  for (; first + longest < count; first += step)
    windows.emplace_back(first, first + longest);
  windows.emplace_back(count - longest, count);
  return windows;
}

TextReader::TextReader(
    const std::filesystem::path& directory, ClassifierInfo info)
    : framed_(load_framed_tokenizer(directory)), info_(std::move(info)) {
  check_tokenizer_fits(directory, tokenizer(), info_.vocabulary);
}

std::int64_t TextReader::window(
    const WindowOptions& options, std::size_t frame) const {
  const std::int64_t most = info().max_tokens;
  const std::int64_t tokens =
      options.tokens == 0 ? most : std::min(options.tokens, most);
  const std::int64_t room = tokens - static_cast<std::int64_t>(frame);
  if (room < 2) {
    throw_caller_error(
        "{}: a window of {} tokens leaves {} for the text beside the {} of its "
        "frame; give max_tokens a larger value",
        info().place,
        tokens,
        std::max<std::int64_t>(room, 0),
        frame);
  }
  return room;
}

TokenIds TextReader::encode(std::span<const PromptPiece> text) const {
  const TokenIds ids = encode_completion(text, tokenizer());
  const TextFrame frame = frame_of(ids, framed_.single);
  TokenIds all = frame.before;
  append(all, ids);
  append(all, frame.after);
  return all;
}

void TextReader::add_windows(
    const JudgedText& text,
    const WindowOptions& options,
    WindowedTexts& windows) const {
  if (text.second) {
    add_pair(text, options, windows);
  } else {
    add_single(text.first, options, windows);
  }
}

void TextReader::add_single(
    std::span<const PromptPiece> text,
    const WindowOptions& options,
    WindowedTexts& windows) const {
  const TokenIds ids = encode_completion(text, tokenizer());
  const TextFrame frame = frame_of(ids, framed_.single);
  const std::int64_t room =
      window(options, frame.before.size() + frame.after.size());
  for (const auto& part : cut_windows(std::ssize(ids), room, options.overlap)) {
    TokenIds framed = frame.before;
    append(framed, part_of(ids, part));
    append(framed, frame.after);
    windows.texts.push_back(std::move(framed));
    windows.part.push_back(windows.parts);
  }
  ++windows.parts;
}

void TextReader::add_pair(
    const JudgedText& text,
    const WindowOptions& options,
    WindowedTexts& windows) const {
  const std::optional<TextFrame> frame = framed_.pair;
  if (!info().encoder || !frame) {
    throw_caller_error(
        "{}: reads one text, not a pair; give `text` with both in it, as in "
        "text: \"{{post}} {{completion}}\"",
        info().place);
  }
  const TokenIds first = encode_completion(text.first, tokenizer());
  const TokenIds second = encode_completion(*text.second, tokenizer());
  const std::int64_t room = window(
      options,
      frame->before.size() + frame->between.size() + frame->after.size());
  const std::int64_t longest = std::max(room / 2, room - std::ssize(first));
  for (const auto& theirs :
       cut_windows(std::ssize(second), longest, options.overlap)) {
    const std::int64_t taken = theirs.second - theirs.first;
    for (const auto& ours :
         cut_windows(std::ssize(first), room - taken, options.overlap)) {
      TokenIds ids = frame->before;
      append(ids, part_of(first, ours));
      append(ids, frame->between);
      if (frame->second_segment) windows.second.push_back(std::ssize(ids));
      append(ids, part_of(second, theirs));
      append(ids, frame->after);
      windows.texts.push_back(std::move(ids));
      windows.part.push_back(windows.parts);
    }
    ++windows.parts;
  }
}

}  // namespace moft
