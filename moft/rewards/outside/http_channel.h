// Calls by HTTP POST over one kept connection, with libcurl.
//
// TLS certificates are verified, redirects are not followed (they would take
// the key elsewhere), and neither key nor body appears in a message.
//
// Lost connections, timeouts, answers that are cut or not JSON, and the status
// codes 408, 425, 429 and 5xx are transient; other codes are final.
//
// Thread safety: a channel is used by one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "moft/rewards/outside/reward_source.h"

namespace moft {

struct HttpTarget {
  std::string url;
  std::string shown;         // for messages
  std::string key;           // empty: none
  std::string certificates;  // empty: the system's
};

using HttpBody = std::function<std::string(const RewardCall& call)>;
// What an answer says of a call; throws as RewardChannel::ask() does.
using HttpReader = std::function<RewardReply(
    const nlohmann::json& answer, const RewardCall& call)>;

// The longest answer that is read.
inline constexpr std::size_t kLongestHttpAnswer = std::size_t{1} << 26;

// A URL for logs: without user, password and query.
std::string shown_url(const std::string& url);

// CallerError unless it begins with http:// or https://; `place` opens the
// message: "objectives.made.http.url".
void check_http_url(const std::string& url, const std::string& place);

// The value of the environment variable that holds a server's key; empty where
// none is named. CallerError when it is not set.
std::string read_key(const std::optional<std::string>& key_variable);

// CallerError in a build without libcurl (MOFT_HTTP=OFF).
void require_http();

// Without `reader` answers are read by read_reply() (wire.h). REQUIRES
// require_http() passes.
std::unique_ptr<RewardChannel> make_http_channel(
    const HttpTarget& target,
    SourceOutputs outputs,
    HttpBody body,
    HttpReader reader = nullptr);

}  // namespace moft
