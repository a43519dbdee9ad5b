// A tokenizer.json, or a tokenizer.model (what does not begin with a brace):
// load it, encode nasty text and decode it again.
#include "moft/tokenizers/hf_tokenizer.h"
#include "moft/tokenizers/tokenizer.h"

#include "fuzz_target.h"

namespace {

void parse(std::span<const std::uint8_t> bytes) {
  const auto& folder = moft::fuzz::scratch_folder();
  const bool json = bytes.empty() || bytes[0] == '{' || bytes[0] <= ' ';
  const char* name = json ? "tokenizer.json" : "tokenizer.model";
  std::filesystem::remove(
      folder / (json ? "tokenizer.model" : "tokenizer.json"));
  moft::fuzz::put(folder / name, bytes);
  const auto tokenizer = moft::load_tokenizer(folder);
  for (const char* text :
       {"",
        "Hello, world's 1234 <s>[MASK]\n\t",
        "  two\xe2\x96\x81spaces </s> <0x41> ",
        "e\xcc\x81 \xe4\xbd\xa0 \xf0\x9f\x98\x80\xff\xc0 "}) {
    const auto ids = tokenizer->encode(text);
    tokenizer->decode(ids, /*skip_special=*/false);
    for (const auto id : ids)
      tokenizer->token_bytes(id);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  moft::fuzz::refusals_are_fine(parse, {data, size});
  return 0;
}
