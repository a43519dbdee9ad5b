// Templates beside what transformers renders of them.
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "support.h"

namespace moft {
namespace {

const ChatJson& cases() {
  static const ChatJson json = read_ordered_json(
      std::filesystem::path(MOFT_SOURCE_DIR) /
      "tests/reference/chat/cases.json");
  return json;
}

const ChatJson kTokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
const ChatJson kHi = {{{"role", "user"}, {"content", "Hi"}}};

TEST(ChatReference, OneConstructEach) {
  EXPECT_GT(cases()["rows"].size(), 600u);
  for (const ChatJson& row : cases()["rows"]) {
    ChatJson expected = {{"messages", kHi}, {"variables", cases()["data"]}};
    if (row.size() == 1) expected["error"] = "some";
    if (row.size() > 1) expected["text"] = row[1];
    if (row.size() > 2) expected["spans"] = row[2];
    check_case(row[0].get<std::string>(), expected, kTokens);
  }
}

TEST(ChatReference, WholeConversations) {
  EXPECT_GT(cases()["conversations"].size(), 30u);
  for (const ChatJson& row : cases()["conversations"]) {
    const auto name = row["template"].get<std::string>();
    check_case(cases()["templates"][name].get<std::string>(), row, kTokens);
  }
}

TEST(ChatReference, UnsupportedConstructsAreNamed) {
  for (const ChatJson& row : cases()["unsupported"]) {
    Conversation conversation;
    conversation.messages = kHi;
    conversation.variables = cases()["data"];
    const Outcome outcome =
        render_template(row[0].get<std::string>(), conversation, {});
    EXPECT_FALSE(outcome.rendered) << row[0];
    EXPECT_NE(outcome.error.find(row[1].get<std::string>()), std::string::npos)
        << row[0] << " " << outcome.error;
    EXPECT_TRUE(outcome.error.starts_with("t: line 1: ")) << outcome.error;
  }
}

// The templates of other people, rendered by scripts/check_chat_templates.
TEST(ChatReference, PublicTemplates) {
  const char* path = std::getenv("MOFT_CHAT_CASES");
  if (path == nullptr)
    GTEST_SKIP() << "MOFT_CHAT_CASES names no file; scripts/"
                    "check_chat_templates makes one";
  const ChatJson given = read_ordered_json(path);
  std::size_t count = 0;
  for (const auto& [name, source] : given["templates"].items()) {
    std::size_t passed = 0;
    std::size_t total = 0;
    for (const ChatJson& row : given["conversations"]) {
      if (row["template"] != name) continue;
      const int before = ::testing::UnitTest::GetInstance()
                             ->current_test_info()
                             ->result()
                             ->total_part_count();
      check_case(source.get<std::string>(), row, given["tokens"]);
      const int after = ::testing::UnitTest::GetInstance()
                            ->current_test_info()
                            ->result()
                            ->total_part_count();
      ++total;
      if (before == after) ++passed;
    }
    std::printf("%s: %zu of %zu equal\n", name.c_str(), passed, total);
    count += total;
  }
  EXPECT_GT(count, 0u);
}

}  // namespace
}  // namespace moft
