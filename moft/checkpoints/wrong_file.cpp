// Names what a file is that is not a model.
#include "moft/checkpoints/wrong_file.h"

#include <array>

namespace moft {
namespace {

struct Kind {
  std::string_view begins;
  std::string_view words;
};

constexpr std::array<Kind, 7> kKinds = {{
    {"GGUF", "; it looks like a GGUF file, give it a name that ends in .gguf"},
    {"PK\x03\x04",
     "; it looks like a PyTorch checkpoint, save the model with safe "
     "serialization (save_pretrained)"},
    {"\x80\x02",
     "; it looks like a pickle, save the model with safe serialization "
     "(save_pretrained)"},
    {"<", "; it looks like a web page, download the file itself"},
    {"{\"", "; it looks like JSON, download the weights themselves"},
    {"tjgg", "; it looks like a GGML file of before GGUF, convert it again"},
    {"fmgg", "; it looks like a GGML file of before GGUF, convert it again"},
}};

}  // namespace

std::string_view guess_file_kind(std::span<const std::byte> bytes) {
  const std::string_view text(
      reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.empty()) return "; it is empty, download it again";
  for (const Kind& kind : kKinds)
    if (text.starts_with(kind.begins)) return kind.words;
  if (text.size() > 9 && text[8] == '{' && text[9] == '"')
    return "; it looks like a safetensors file, give its directory";
  return "";
}

}  // namespace moft
