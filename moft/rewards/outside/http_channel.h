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

// The longest answer that is read.
inline constexpr std::size_t kLongestHttpAnswer = std::size_t{1} << 26;

// CallerError in a build without libcurl (MOFT_HTTP=OFF).
void require_http();

// REQUIRES require_http() passes.
std::unique_ptr<RewardChannel> make_http_channel(
    const HttpTarget& target, SourceOutputs outputs, HttpBody body);

}  // namespace moft
