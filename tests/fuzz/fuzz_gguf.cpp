// A GGUF file: open it, ask every key in every way, widen every tensor, and
// build its tokenizer and its model configuration.
#include <vector>

#include "moft/checkpoints/gguf.h"
#include "moft/core/errors.h"
#include "moft/models/llama/config.h"
#include "moft/tokenizers/gguf_tokenizer.h"
#include "moft/tokenizers/tokenizer.h"

#include "fuzz_target.h"

namespace {

template <typename Action>
void attempt(Action action) {
  try {
    action();
  } catch (const moft::CallerError&) {
  }
}

void use_tokenizer(const moft::GgufFile& file) {
  const auto tokenizer = moft::make_tokenizer(file.tokenizer_data());
  const auto ids = tokenizer->encode("A b\xc3\xa9 12 <s>\xff\n");
  tokenizer->decode(ids, /*skip_special=*/false);
}

void parse(std::span<const std::uint8_t> bytes) {
  const moft::GgufFile file(moft::fuzz::memory_file(bytes));
  for (const auto& entry : file.metadata()) {
    const auto& key = entry.first;
    attempt([&] { file.integer(key); });
    attempt([&] { file.number(key); });
    attempt([&] { file.boolean(key); });
    attempt([&] { file.text(key); });
    attempt([&] { file.texts(key); });
    attempt([&] { file.integers(key); });
    attempt([&] { file.numbers(key); });
  }
  for (const auto& name : file.names()) {
    const auto view = file.find(name);
    if (!view) throw std::logic_error("a listed tensor is not found");
    std::vector<float> floats(static_cast<std::size_t>(view->element_count()));
    attempt([&] { moft::to_float(*view, floats); });
  }
  attempt([&] { moft::llama_config_from_gguf(file); });
  attempt([&] { use_tokenizer(file); });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  moft::fuzz::refusals_are_fine(parse, {data, size});
  return 0;
}
