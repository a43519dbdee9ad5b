// A policy that answers every request with one of its members, under a
// steering of its own choice: what banks and personalised soups are.
//
// Errors: as the members.
// Thread safety: as Policy.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "moft/generation/policy.h"

namespace moft {

// What answers a request.
struct Route {
  std::size_t member = 0;
  Steering steering;
  // What was changed of the request, for people; empty: nothing.
  std::string change;
};

class RoutedPolicy : public Policy {
 public:
  // At least one member. The first one is the reference and has the tokenizer.
  RoutedPolicy(PolicyInfo info, std::vector<std::unique_ptr<Policy>> members);

  // CallerError for a request that no member answers.
  virtual Route route(const Steering& steering) const = 0;

  const Tokenizer& tokenizer() const override;
  std::int64_t context() const override;
  void expect_steerings(std::int64_t distinct) override;
  std::string steering_way(std::int64_t distinct) const override;
  std::vector<Completion> complete(
      const std::vector<CompletionRequest>& requests,
      const GenerateOptions& options,
      const OnToken& on_token = nullptr) override;
  std::vector<Completion> complete_with_kl(
      const std::vector<CompletionRequest>& requests,
      const GenerateOptions& options) override;
  std::vector<Score> score(
      const std::vector<ScoreRequest>& requests,
      const ScoreOptions& options) override;
  at::Tensor next_logits(
      const Prompt& prompt, const std::optional<Steering>& steering) override;
  // The member's, which is one model.
  void export_model(
      const std::optional<Steering>& steering,
      const std::filesystem::path& path,
      const ExportOptions& options = {}) const override;

 private:
  // The member that answers, whose steering replaces `steering`; a change is
  // logged once.
  std::size_t member_of(std::optional<Steering>& steering);
  template <typename Request, typename Answer, typename Ask>
  std::vector<Answer> ask_members(
      std::vector<Request> requests, const Ask& ask);

  std::vector<std::unique_ptr<Policy>> members_;
  std::set<std::string> logged_;
};

}  // namespace moft
