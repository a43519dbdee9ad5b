// The tokenizer of a classifier: texts, or pairs of texts, to the ids that it
// reads.
//
// A text that is longer than the model reads is cut into overlapping windows;
// of a pair the first text is cut, and the second where it takes more than half
// of the window and both do not fit. Nothing is left out.
//
// Thread safety: calls may run at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "moft/data/prompt_template.h"
#include "moft/models/classifier.h"
#include "moft/tokenizers/framed_tokenizer.h"

namespace moft {

// What is judged: one text, or a pair.
struct JudgedText {
  std::vector<PromptPiece> first;
  std::optional<std::vector<PromptPiece>> second = {};
};

struct WindowOptions {
  std::int64_t tokens = 0;    // of a window with its frame; 0: the model's
  std::int64_t overlap = 64;  // tokens that neighbours share, of the text
};

// Texts for Classifier::logits, in groups: the windows of one part of a text.
struct WindowedTexts {
  std::vector<TokenIds> texts;
  std::vector<std::int64_t> second;  // of pairs, where there are segments
  std::vector<std::size_t> part;     // of each text, rising from 0
  std::size_t parts = 0;
};

// [begin, end) of windows that cover `count` tokens, none longer than
// `longest`, neighbours with `overlap` tokens in common (at most half of a
// window). One empty window for no tokens. REQUIRES longest > 0.
std::vector<std::pair<std::int64_t, std::int64_t>> cut_windows(
    std::int64_t count, std::int64_t longest, std::int64_t overlap);

class TextReader {
 public:
  // `directory`: of tokenizer.json. CallerError as the loader, and for a
  // tokenizer with more tokens than the model embeds.
  TextReader(const std::filesystem::path& directory, ClassifierInfo info);

  const ClassifierInfo& info() const { return info_; }
  const Tokenizer& tokenizer() const { return *framed_.tokenizer; }

  // Adds the windows of a text. A second text is cut into parts, each judged
  // beside every window of the first. CallerError for a pair where the model
  // reads single texts, and for windows without room for a token.
  void add_windows(
      const JudgedText& text,
      const WindowOptions& options,
      WindowedTexts& windows) const;
  // Tokens of a single text with its frame.
  TokenIds encode(std::span<const PromptPiece> text) const;

 private:
  std::int64_t window(const WindowOptions& options, std::size_t frame) const;
  void add_single(
      std::span<const PromptPiece> text,
      const WindowOptions& options,
      WindowedTexts& windows) const;
  void add_pair(
      const JudgedText& text,
      const WindowOptions& options,
      WindowedTexts& windows) const;

  FramedTokenizer framed_;
  ClassifierInfo info_;
};

}  // namespace moft
