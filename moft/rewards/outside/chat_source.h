// A server of chat completions (OpenAI's API, which vLLM, llama.cpp and others
// speak too) as a source of texts and rewards.
//
// A call is one user message, POST {url}/chat/completions, at temperature 0;
// attempts, deadlines, workers and secrets are those of any source
// (reward_source.h, http_channel.h).
//
// Thread safety: as RewardSource's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "moft/rewards/outside/reward_source.h"
#include "moft/rewards/outside/source_options.h"

namespace moft {

struct ChatOptions : SourceOptions {
  ChatOptions() {
    unit = CallUnit::kRow;
    workers = 8;
  }

  std::string url;
  std::string model;
  std::optional<std::string> key_variable;
  std::optional<std::string> certificates;
  std::int64_t max_tokens = 64;

  template <class V>
  void fields(V& v) {
    v("url",
      url,
      Help{"the server's address, to which /chat/completions is added: "
           "https://host/v1"},
      Required{});
    v("model", model, Help{"the model's name at the server"}, Required{});
    access_fields(v);
    SourceOptions::fields(v);
  }
  template <class V>
  void access_fields(V& v) {
    v("key_variable",
      key_variable,
      Help{"the environment variable that holds the bearer key"});
    v("certificates",
      certificates,
      Help{"a file of certificates to trust in place of the system's"},
      Path{});
    v("max_tokens",
      max_tokens,
      Help{"the longest reply that is asked for", "tokens"},
      between(1, 1e6));
  }
  void check(const std::string& path) const;
};

// The longest text that a reply may have.
inline constexpr std::size_t kLongestChatReply = 1'000'000;  // bytes

// Where calls are posted: `url` with /chat/completions, which it may have.
std::string chat_url(const std::string& url);

nlohmann::json chat_request(
    const ChatOptions& options, const std::string& message);

struct ChatReply {
  std::string text;
  std::int64_t prompt_tokens = 0;  // 0: the server does not say
  std::int64_t completion_tokens = 0;
};

// The text is empty where the server gives null. Throws std::runtime_error for
// an answer without a place for one.
ChatReply read_chat_reply(const nlohmann::json& answer);

using TextOfCall = std::function<std::string(const RewardCall& call)>;
using ScoreOfReply = std::function<RewardValue(const std::string& text)>;

// What a source of chat completions is for.
struct ChatPurpose {
  // A reply's text has this name among the texts of a RewardReply; its metrics
  // are <name>_prompt_tokens and <name>_completion_tokens.
  std::string name;
  TextOfCall message;            // what the server reads
  ScoreOfReply score = nullptr;  // none: the source has no output
};

// A source of calls with one row. Its only output, "", is what `score` reads
// from the reply. CallerError when the key's variable is not set, and in a
// build without libcurl.
std::shared_ptr<const RewardSource> make_chat_source(
    const ChatOptions& options, ChatPurpose purpose);

}  // namespace moft
