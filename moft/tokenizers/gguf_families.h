// How the tokenizers of GGUF files cut text, by llama.cpp's names
// (tokenizer.ggml.pre).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

// The names that it knows, for messages.
std::string gguf_family_names();

}  // namespace moft
