// A program that answers line by line.
#include "moft/rewards/outside/lines_channel.h"

#include <utility>

#include <fmt/format.h>

#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/rewards/outside/wire.h"
#include "moft/rewards/reward.h"

namespace moft {
namespace {

constexpr int kVersion = 1;

// Whether it is a greeting; refuses another version.
bool is_greeting(const nlohmann::json& line) {
  if (!line.is_object() || !line.contains("moft_reward")) return false;
  if (line["moft_reward"] == kVersion) return true;
  throw std::runtime_error(fmt::format(
      "the program speaks version {} of the protocol; this moft speaks {}",
      quote_text(line["moft_reward"].dump()),
      kVersion));
}

// A program that writes something else does so again.
nlohmann::json parse_line(const std::string& line) {
  try {
    return parse_reply(line);
  } catch (const TransientRewardError&) {
    throw std::runtime_error(
        "the program answered with a line that is not JSON: " +
        quote_text(line, 80));
  }
}

}  // namespace

LinesChannel::LinesChannel(
    const LinesOptions& options,
    SourceOutputs outputs,
    RewardClock::time_point deadline,
    const std::atomic<bool>& stopped)
    : outputs_(std::move(outputs)),
      place_(options.place),
      child_(options.command, [this](const std::string& said) { log(said); }) {
  if (!options.greets) return;
  const auto greeting = parse_line(line({}, deadline, stopped));
  if (is_greeting(greeting)) return;
  // The host reports what kept it from starting.
  read_reply(greeting, outputs_, 0);
  throw std::runtime_error("the program did not greet");
}

void LinesChannel::log(const std::string& said) {
  if (logged_ > kLoggedBytes) return;
  logged_ += said.size() + 1;
  if (logged_ <= kLoggedBytes) {
    log_info("[{}] {}", place_, said);
  } else {
    log_warning(
        "[{}] says more than {} bytes in one call; the rest is left out",
        place_,
        kLoggedBytes);
  }
}

std::string LinesChannel::how_it_ended() {
  const auto how = child_.end();
  const std::string& said = child_.last_error_line();
  return fmt::format(
      "the program ended{}{}",
      how ? " with " + *how : "",
      said.empty() ? "" : "; it last said " + quote_text(said, 200));
}

std::string LinesChannel::line(
    std::string_view text,
    RewardClock::time_point deadline,
    const std::atomic<bool>& stopped) {
  std::string answer;
  switch (child_.ask(text, deadline, stopped, answer)) {
    case ChildProcess::Answer::kLine:
      return answer;
    case ChildProcess::Answer::kTooLong:
      throw std::runtime_error(fmt::format(
          "the program answered with over {} bytes on one line",
          ChildProcess::kLongestLine));
    case ChildProcess::Answer::kLate:
      throw TransientRewardError("no answer within the timeout");
    case ChildProcess::Answer::kEnded:
      throw ProgramEnded(how_it_ended());
    case ChildProcess::Answer::kStopped:
      break;
  }
  throw GivenUp("the call was given up");
}

RewardReply LinesChannel::ask(
    const RewardCall& call,
    RewardClock::time_point deadline,
    const std::atomic<bool>& stopped) {
  const std::string request = request_text(call) + "\n";
  std::string_view text = request;
  logged_ = 0;
  for (;;) {
    const nlohmann::json reply = parse_line(line(text, deadline, stopped));
    text = {};
    if (is_greeting(reply)) continue;
    const auto id = reply.is_object() && reply.contains("id")
                        ? reply["id"]
                        : nlohmann::json();
    if (id == call.id) return read_reply(reply, outputs_, call.rows());
    throw std::runtime_error(fmt::format(
        "the answer is for call {}, but call {} was asked",
        quote_text(id.dump()),
        call.id));
  }
}

}  // namespace moft
