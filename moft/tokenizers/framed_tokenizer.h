// A tokenizer whose template is known apart: what it puts around one text or
// two, for callers that cut texts into windows.
//
// Thread safety: as Tokenizer's.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "moft/tokenizers/tokenizer.h"

namespace moft {

struct TextFrame {
  std::vector<TokenId> before = {};
  std::vector<TokenId> between = {};  // of a pair
  std::vector<TokenId> after = {};
  // The second text and what follows it are segment 1, all else is 0.
  bool second_segment = false;
};

struct FramedTokenizer {
  std::unique_ptr<const Tokenizer> tokenizer;
  TextFrame single;
  // None for a tokenizer without a template for pairs, or with one that orders
  // texts or numbers segments in another way than BERT's.
  std::optional<TextFrame> pair;
};

// From the directory's tokenizer.json. CallerError as load_tokenizer().
FramedTokenizer load_framed_tokenizer(const std::filesystem::path& directory);

}  // namespace moft
