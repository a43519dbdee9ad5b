// The tokenizer part of a GGUF file as a plain struct, so that the reader of
// the file (checkpoints) and the tokenizer (tokenizers) need not know each
// other. Field names follow llama.cpp's `tokenizer.ggml.*` keys.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moft {

struct GgufTokenizerData {
  std::string model;                // "gpt2", "llama", "bert", ..
  std::string pre;                  // "smollm", "llama-bpe", "qwen2", ..
  std::vector<std::string> tokens;  // by id
  std::vector<std::string> merges;  // "left right", by rank
  // 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 a byte.
  std::vector<std::int32_t> token_types;
  std::vector<float> scores;  // of "llama" models, by id
  std::optional<std::int32_t> bos;
  std::optional<std::int32_t> eos;
  std::optional<std::int32_t> pad;
  std::optional<std::int32_t> unknown;
  bool add_bos = false;
  bool add_eos = false;
  // Jinja, by name; "default" is the usual one.
  std::map<std::string, std::string> chat_templates;
  bool add_space_prefix = true;  // "llama" models: a space before a text
};

}  // namespace moft
