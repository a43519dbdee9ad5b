// A chat template: parse it and render conversations with it, each way once.
#include "moft/chat/chat_template.h"
#include "moft/core/errors.h"
#include "moft/core/utf8.h"

#include "fuzz_target.h"

namespace {

moft::Conversation conversation() {
  moft::Conversation made;
  made.messages = {
      {{"role", "system"}, {"content", " Be kind. "}},
      {{"role", "user"}, {"content", {{{"type", "text"}, {"text", "Hé 你 "}}}}},
      {{"role", "assistant"},
       {"content", "<think>a</think>\n b"},
       {"reasoning_content", "c\n"},
       {"tool_calls",
        {{{"function",
           {{"name", "f"}, {"arguments", {{"x", 1}, {"y", nullptr}}}}}}}}}};
  made.tools = {
      {{"type", "function"},
       {"function", {{"name", "f"}, {"parameters", {{"type", "object"}}}}}}};
  made.variables = {
      {"s", "Hello World"},
      {"u", "Grüße ΣΑΣ 😀"},
      {"i", 7},
      {"f", 2.5},
      {"xs", {3, 1, 2}},
      {"words", {"b", "A"}},
      {"d", {{"b", 1}, {"a", {1}}}},
      {"yes", true},
      {"nil", nullptr}};
  return made;
}

void parse(std::span<const std::uint8_t> bytes) {
  const auto chat_template =
      moft::ChatTemplate::parse(moft::fuzz::text_of(bytes), "fuzz.jinja");
  static const moft::Conversation kConversation = conversation();
  for (int way = 0; way < 3; ++way) {
    moft::RenderOptions options;
    options.add_generation_prompt = way == 1;
    options.continue_final_message = way == 2;
    options.special_tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
    options.limits.steps = 100'000;
    options.limits.memory = std::size_t{16} << 20;
    try {
      const auto chat = chat_template.render(kConversation, options);
      for (const auto& piece : chat.pieces)
        if (piece.text.empty() || !moft::is_utf8(piece.text))
          throw std::logic_error("a piece of a chat is not text");
    } catch (const moft::CallerError&) {
      // The other ways may still work.
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  moft::fuzz::refusals_are_fine(parse, {data, size});
  return 0;
}
