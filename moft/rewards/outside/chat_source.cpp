// Requests and replies of chat completions.
#include "moft/rewards/outside/chat_source.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/rewards/outside/http_channel.h"

namespace moft {
namespace {

using nlohmann::json;

constexpr std::string_view kChatPath = "/chat/completions";

std::int64_t count_at(const json& answer, const char* name) {
  const json::json_pointer place(std::string("/usage/") + name);
  if (!answer.contains(place)) return 0;
  const json& count = answer.at(place);
  return count.is_number_unsigned() ? count.get<std::int64_t>() : 0;
}

RewardReply reward_reply(const ChatReply& chat, const ChatPurpose& purpose) {
  RewardReply reply;
  if (purpose.score) reply.rewards[""] = {purpose.score(chat.text)};
  reply.texts[purpose.name] = {chat.text};
  reply.metrics[purpose.name + "_prompt_tokens"] =
      static_cast<double>(chat.prompt_tokens);
  reply.metrics[purpose.name + "_completion_tokens"] =
      static_cast<double>(chat.completion_tokens);
  return reply;
}

}  // namespace

void ChatOptions::check(const std::string& path) const {
  check_http_url(url, path + "url");
  if (unit == CallUnit::kRow) return;
  throw_caller_error(
      "{}unit is {}, but a judge is asked about one completion; give unit: row",
      path,
      enum_name(unit));
}

std::string chat_url(const std::string& url) {
  const std::size_t end = std::min(url.find_first_of("?#"), url.size());
  std::string path = url.substr(0, end);
  while (path.ends_with('/'))
    path.pop_back();
  if (!path.ends_with(kChatPath)) path += kChatPath;
  return path + url.substr(end);
}

json chat_request(const ChatOptions& options, const std::string& message) {
  json user;
  user["role"] = "user";
  user["content"] = message;
  json request;
  request["model"] = options.model;
  request["messages"] = json::array({user});
  request["temperature"] = 0;
  request["max_tokens"] = options.max_tokens;
  return request;
}

ChatReply read_chat_reply(const json& answer) {
  static const json::json_pointer kText("/choices/0/message/content");
  const bool has = answer.is_object() && answer.contains(kText);
  const json text = has ? answer.at(kText) : json(0);
  if (!text.is_string() && !text.is_null()) {
    throw std::runtime_error(
        "the answer has no text at choices[0].message.content");
  }
  ChatReply reply;
  if (text.is_string()) reply.text = text.get<std::string>();
  if (reply.text.size() > kLongestChatReply) {
    throw std::runtime_error(
        fmt::format("the reply has over {} bytes", kLongestChatReply));
  }
  reply.prompt_tokens = count_at(answer, "prompt_tokens");
  reply.completion_tokens = count_at(answer, "completion_tokens");
  return reply;
}

std::shared_ptr<const RewardSource> make_chat_source(
    const ChatOptions& options, ChatPurpose purpose) {
  require_http();
  HttpTarget target;
  target.url = chat_url(options.url);
  target.shown = shown_url(target.url);
  target.key = read_key(options.key_variable);
  target.certificates = options.certificates.value_or("");
  const auto open = [target, options, purpose](
                        const SourceOutputs& outputs,
                        RewardClock::time_point,
                        const std::atomic<bool>&) {
    return make_http_channel(
        target,
        outputs,
        [options, purpose](const RewardCall& call) {
          return dump_json(chat_request(options, purpose.message(call)));
        },
        [purpose](const json& answer, const RewardCall&) {
          return reward_reply(read_chat_reply(answer), purpose);
        });
  };
  const auto source =
      std::make_shared<RewardSource>(target.shown, options, open);
  if (purpose.score) source->add_output("", nullptr);
  return source;
}

}  // namespace moft
