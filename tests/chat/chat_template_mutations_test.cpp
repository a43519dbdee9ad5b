// Damaged templates: each ends with a text or a CallerError.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "moft/chat/chat_template.h"
#include "moft/core/random.h"
#include "moft/core/utf8.h"

#include "support.h"

namespace moft {
namespace {

std::vector<std::string> sources(const ChatJson& cases) {
  std::vector<std::string> list;
  for (const ChatJson& row : cases["rows"])
    list.push_back(row[0].get<std::string>());
  for (const auto& [name, source] : cases["templates"].items())
    list.push_back(source.get<std::string>());
  return list;
}

// Parts cut out, doubled, moved or taken from another template.
std::string damaged(
    std::string text,
    const std::vector<std::string>& others,
    RandomStream& random) {
  const std::uint64_t changes = 1 + random.below(6);
  for (std::uint64_t i = 0; i < changes && !text.empty(); ++i) {
    const std::size_t at = random.below(text.size());
    const std::size_t length =
        std::min<std::size_t>(1 + random.below(12), text.size() - at);
    const std::string& other = others[random.below(others.size())];
    const std::size_t from = other.empty() ? 0 : random.below(other.size());
    switch (random.below(4)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, text.substr(at, length));
        break;
      case 2:
        text.insert(at, other.substr(from, random.below(20)));
        break;
      default:
        text[at] = static_cast<char>(32 + random.below(95));
    }
  }
  return replace_invalid_utf8(text);
}

TEST(ChatMutations, EndWithATextOrAnError) {
  const ChatJson cases = read_ordered_json(
      std::filesystem::path(MOFT_SOURCE_DIR) /
      "tests/reference/chat/cases.json");
  const std::vector<std::string> seeds = sources(cases);
  Conversation conversation;
  conversation.messages = cases["conversations"][2]["messages"];
  conversation.variables = cases["data"];
  RenderOptions options;
  options.limits.steps = 100'000;
  options.limits.memory = std::size_t{1} << 22;
  std::size_t rendered = 0;
  std::size_t total = 0;
  for (std::uint32_t step = 0; step < 10000; ++step) {
    RandomStream random(7, Purpose::kTest, step, 0);
    const std::string source =
        damaged(seeds[random.below(seeds.size())], seeds, random);
    const Outcome outcome = render_template(source, conversation, options);
    ++total;
    if (outcome.rendered) {
      ++rendered;
      EXPECT_TRUE(is_utf8(outcome.chat.text())) << source;
    } else {
      EXPECT_TRUE(outcome.error.starts_with("t: ")) << outcome.error;
    }
  }
  // Both kinds are met.
  EXPECT_GT(rendered, total / 20);
  EXPECT_LT(rendered, total * 19 / 20);
}

}  // namespace
}  // namespace moft
