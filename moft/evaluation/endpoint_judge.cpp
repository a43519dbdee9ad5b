// Queries to calls, and replies to choices.
#include "moft/evaluation/endpoint_judge.h"

#include <exception>
#include <future>
#include <set>
#include <utility>

#include "moft/core/errors.h"

namespace moft {
namespace {

const std::string kName = "judge";

std::string message_of(const RewardCall& call) {
  return call.prompts.front();
}

RewardCall call_of(const std::string& message) {
  RewardCall call;
  call.prompts = {message};
  call.completions = {""};
  return call;
}

}  // namespace

EndpointJudge::EndpointJudge(
    ChatOptions options, JudgeWording wording, const std::filesystem::path& log)
    : options_(std::move(options)),
      wording_(std::move(wording)),
      log_(log),
      source_(make_chat_source(options_, {kName, message_of})) {}

std::string EndpointJudge::name() const {
  return options_.model + " at " + source_->place();
}

const LoggedReply* EndpointJudge::find(const std::string& message) const {
  return log_.find(source_->place(), chat_request(options_, message));
}

std::vector<std::string> EndpointJudge::answer(
    const std::vector<JudgeQuery>& queries) {
  std::vector<std::string> messages;
  std::vector<std::string> missing;
  std::set<std::string> seen;
  for (const JudgeQuery& query : queries) {
    messages.push_back(judge_prompt(
        wording_,
        query.question,
        query.article,
        query.summary1,
        query.summary2));
    const bool known = find(messages.back()) != nullptr;
    if (!known && seen.insert(messages.back()).second) {
      missing.push_back(messages.back());
    } else {
      ++usage_.reused;
    }
  }
  ask(missing);
  std::vector<std::string> choices;
  for (const std::string& message : messages)
    choices.emplace_back(judge_choice(find(message)->text));
  return choices;
}

void EndpointJudge::ask(const std::vector<std::string>& messages) {
  const auto batch = std::make_shared<SourceBatch>();
  batch->deadline = RewardClock::now() +
                    std::chrono::duration_cast<RewardClock::duration>(
                        std::chrono::duration<double>(options_.step_deadline));
  std::vector<std::future<RewardReply>> replies;
  for (const std::string& message : messages)
    replies.push_back(source_->submit(call_of(message), batch));
  std::string failure;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    try {
      keep(messages[i], replies[i].get());
    } catch (const GivenUp&) {
      // Another call failed, which says why.
    } catch (const WorldError&) {
      batch->over = true;
      throw;
    } catch (const std::exception& error) {
      if (failure.empty()) failure = error.what();
    }
  }
  if (failure.empty()) return;
  throw_world_error(
      "judge {}: {}; the replies so far are in the log, start again to resume",
      name(),
      failure);
}

void EndpointJudge::keep(const std::string& message, const RewardReply& reply) {
  LoggedReply logged;
  logged.text = reply.texts.at(kName).at(0);
  logged.prompt_tokens =
      static_cast<std::int64_t>(reply.metrics.at(kName + "_prompt_tokens"));
  logged.completion_tokens =
      static_cast<std::int64_t>(reply.metrics.at(kName + "_completion_tokens"));
  logged.seconds = reply.seconds;
  log_.add(source_->place(), chat_request(options_, message), logged);
  ++usage_.calls;
  usage_.prompt_tokens += logged.prompt_tokens;
  usage_.completion_tokens += logged.completion_tokens;
  usage_.seconds += logged.seconds;
}

}  // namespace moft
