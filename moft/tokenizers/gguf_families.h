// How the tokenizers of GGUF files cut text, by llama.cpp's names
// (tokenizer.ggml.pre).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "moft/tokenizers/pre_tokenizer.h"

namespace moft {

struct GgufCut {
  bool digits = false;       // every numeric character is a piece
  std::string_view pattern;  // else: at the matches of this
};

struct GgufFamily {
  std::vector<GgufCut> cuts;
  bool nfc = false;  // where llama.cpp leaves it out, this follows Hugging Face
  bool ignore_merges = false;
};

// Nothing for a name that moft does not know.
std::optional<GgufFamily> find_gguf_family(const std::string& pre);

// The names that it knows, the usual one of equal families first; "" is not
// among them.
std::vector<std::string> gguf_family_list();
// The same for messages.
std::string gguf_family_names();

// The cuts as steps of a pre-tokenizer; `place` is for errors.
PreTokenizer steps_of(const GgufFamily& family, std::string_view place);

}  // namespace moft
