// Requests to members and answers back in their order.
#include "moft/generation/routed_policy.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "moft/core/log.h"

namespace moft {

RoutedPolicy::RoutedPolicy(
    PolicyInfo info, std::vector<std::unique_ptr<Policy>> members)
    : Policy(std::move(info)), members_(std::move(members)) {}

const Tokenizer& RoutedPolicy::tokenizer() const {
  return members_[0]->tokenizer();
}

std::int64_t RoutedPolicy::context() const {
  std::int64_t context = members_[0]->context();
  for (const auto& member : members_)
    context = std::min(context, member->context());
  return context;
}

void RoutedPolicy::expect_steerings(std::int64_t distinct) {
  for (const auto& member : members_)
    member->expect_steerings(distinct);
}

std::string RoutedPolicy::steering_way(std::int64_t distinct) const {
  return fmt::format("{}, {}", info_.kind, members_[0]->steering_way(distinct));
}

std::size_t RoutedPolicy::member_of(std::optional<Steering>& steering) {
  if (!steering) return 0;
  const Route chosen = route(*steering);
  if (!chosen.change.empty() && logged_.insert(chosen.change).second)
    log_warning("{}", chosen.change);
  steering = chosen.steering;
  return chosen.member;
}

// `ask` takes a member, its requests and where they were among all.
template <typename Request, typename Answer, typename Ask>
std::vector<Answer> RoutedPolicy::ask_members(
    std::vector<Request> requests, const Ask& ask) {
  std::vector<std::vector<Request>> own(members_.size());
  std::vector<std::vector<std::size_t>> places(members_.size());
  for (std::size_t r = 0; r < requests.size(); ++r) {
    const std::size_t member = member_of(requests[r].steering);
    own[member].push_back(std::move(requests[r]));
    places[member].push_back(r);
  }
  std::vector<Answer> answers(requests.size());
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (own[i].empty()) continue;
    std::vector<Answer> given = ask(*members_[i], own[i], places[i]);
    for (std::size_t k = 0; k < given.size(); ++k)
      answers[places[i][k]] = std::move(given[k]);
  }
  return answers;
}

std::vector<Completion> RoutedPolicy::complete(
    const std::vector<CompletionRequest>& requests,
    const GenerateOptions& options,
    const OnToken& on_token) {
  return ask_members<CompletionRequest, Completion>(
      requests,
      [&](Policy& member,
          const std::vector<CompletionRequest>& own,
          const std::vector<std::size_t>& places) {
        OnToken told;
        if (on_token) {
          told = [&](std::size_t row, std::int32_t token, float log_prob) {
            return on_token(places[row], token, log_prob);
          };
        }
        return member.complete(own, options, told);
      });
}

std::vector<Completion> RoutedPolicy::complete_with_kl(
    const std::vector<CompletionRequest>& requests,
    const GenerateOptions& options) {
  return ask_members<CompletionRequest, Completion>(
      requests,
      [&](Policy& member,
          const std::vector<CompletionRequest>& own,
          const std::vector<std::size_t>&) {
        return member.complete_with_kl(own, options);
      });
}

std::vector<Score> RoutedPolicy::score(
    const std::vector<ScoreRequest>& requests, const ScoreOptions& options) {
  return ask_members<ScoreRequest, Score>(
      requests,
      [&](Policy& member,
          const std::vector<ScoreRequest>& own,
          const std::vector<std::size_t>&) {
        return member.score(own, options);
      });
}

at::Tensor RoutedPolicy::next_logits(
    const Prompt& prompt, const std::optional<Steering>& steering) {
  std::optional<Steering> own = steering;
  const std::size_t member = member_of(own);
  return members_[member]->next_logits(prompt, own);
}

void RoutedPolicy::export_model(
    const std::optional<Steering>& steering,
    const std::filesystem::path& path,
    const ExportOptions& options) const {
  if (!steering) return members_[0]->export_model(steering, path, options);
  const Route chosen = route(*steering);
  if (!chosen.change.empty()) log_warning("{}", chosen.change);
  members_[chosen.member]->export_model(chosen.steering, path, options);
}

}  // namespace moft
