// Cases of tests/reference/chat/.
#include "support.h"

#include <ctime>

#include <gtest/gtest.h>

#include "moft/chat/marked_text.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/json.h"

namespace moft {

std::chrono::system_clock::time_point fixture_time() {
  std::tm time{};
  time.tm_year = 2026 - 1900;
  time.tm_mon = 6;
  time.tm_mday = 4;
  time.tm_hour = 15;
  time.tm_min = 6;
  time.tm_sec = 7;
  time.tm_isdst = -1;
  return std::chrono::system_clock::from_time_t(std::mktime(&time));
}

ChatJson read_ordered_json(const std::filesystem::path& path) {
  return parse_ordered_json(read_text(path), path.string());
}

Outcome render_template(
    const std::string& source,
    const Conversation& conversation,
    const RenderOptions& options) {
  Outcome outcome;
  try {
    outcome.chat =
        ChatTemplate::parse(source, "t").render(conversation, options);
    outcome.rendered = true;
  } catch (const CallerError& error) {
    outcome.error = error.what();
  }
  return outcome;
}

std::vector<std::pair<std::size_t, std::size_t>> generated_spans(
    const RenderedChat& chat) {
  std::vector<std::pair<std::size_t, std::size_t>> spans;
  std::size_t at = 0;
  for (const ChatPiece& piece : chat.pieces) {
    const std::size_t end = at + jinja::count_characters(piece.text);
    if (piece.in_generation) {
      if (!spans.empty() && spans.back().second == at) {
        spans.back().second = end;
      } else {
        spans.emplace_back(at, end);
      }
    }
    at = end;
  }
  return spans;
}

void check_case(
    const std::string& source,
    const ChatJson& expected,
    const ChatJson& tokens) {
  const auto field = [&](const char* name) {
    return expected.contains(name) ? expected[name] : ChatJson();
  };
  Conversation conversation;
  conversation.messages = field("messages");
  conversation.tools = field("tools");
  conversation.documents = field("documents");
  conversation.variables = field("variables");
  RenderOptions options;
  options.now = fixture_time();
  options.add_generation_prompt = field("add_generation_prompt") == true;
  const ChatJson going_on = field("continue_final_message");
  options.continue_final_message = going_on == true || going_on.is_string();
  if (going_on.is_string())
    options.continued_field = going_on.get<std::string>();
  for (const auto& [name, token] : tokens.items())
    options.special_tokens[name] = token.get<std::string>();
  const Outcome outcome = render_template(source, conversation, options);
  const std::string shown = source.substr(0, 300) + "\n" + expected.dump();
  if (expected.contains("error")) {
    EXPECT_FALSE(outcome.rendered) << shown << "\n" << outcome.chat.text();
    return;
  }
  ASSERT_TRUE(outcome.rendered) << outcome.error << "\n" << shown;
  EXPECT_EQ(outcome.chat.text(), expected["text"].get<std::string>()) << shown;
  if (!expected.contains("spans")) return;
  std::vector<std::pair<std::size_t, std::size_t>> spans;
  for (const ChatJson& span : expected["spans"]) {
    const std::size_t start = span[0];
    const std::size_t end = span[1];
    if (start == end) continue;
    if (!spans.empty() && spans.back().second == start) {
      spans.back().second = end;
    } else {
      spans.emplace_back(start, end);
    }
  }
  EXPECT_EQ(generated_spans(outcome.chat), spans) << shown;
}

}  // namespace moft
