// A policy whose tokenizer writes spaces as U+2581.
#include "moft/core/tokenizer_data.h"
#include "moft/tokenizers/gguf_tokenizer.h"
#include "moft/tokenizers/tokenizer.h"

#include "tests/generation/support.h"

namespace moft::test {
namespace {

// One token for each id of the tiny model: special ones, then " a", " b" ..
std::unique_ptr<Tokenizer> spaced_letters() {
  GgufTokenizerData data;
  data.model = "llama";
  data.tokens = {"<unk>", "<s>", "</s>"};
  data.token_types = {2, 3, 3};
  for (std::size_t id = 3; id < tiny_vocabulary().size(); ++id) {
    data.tokens.push_back(
        "\u2581" + std::string(1, static_cast<char>('a' + id - 3)));
    data.token_types.push_back(1);
  }
  data.scores.assign(data.tokens.size(), 0.0F);
  return make_tokenizer(data);
}

using SpmPolicyTest = TinyPolicyTest;

// The text up to a stop string is the beginning of the text without one:
// decoding drops the first space, and special tokens are not text.
TEST_F(SpmPolicyTest, AStopStringCutsTheDecodedText) {
  SteeredPolicy policy(
      load_language_model(base()),
      spaced_letters(),
      definition(SteeredSet::kLora),
      7);
  GenerateOptions options;
  options.max_new_tokens = 30;
  std::size_t compared = 0;
  for (std::uint32_t row = 0; row < 40; ++row) {
    CompletionRequest request;
    request.prompt = TokenIds{3, 9, 0};
    request.key = {11, Purpose::kTest, 0, row};
    options.stop_strings.clear();
    const std::string whole = policy.complete({request}, options)[0].text;
    ASSERT_FALSE(whole.starts_with(' '));
    const std::size_t at = whole.find(' ');
    if (at == std::string::npos || whole[at + 1] == whole[0]) continue;
    options.stop_strings = {whole.substr(at, 2)};
    const Completion cut = policy.complete({request}, options)[0];
    EXPECT_EQ(cut.text, whole.substr(0, at)) << whole;
    ++compared;
  }
  EXPECT_GE(compared, 10U);
}

}  // namespace
}  // namespace moft::test
