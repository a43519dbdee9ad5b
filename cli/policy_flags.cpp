// The arguments that commands on a policy share.
#include "cli/policy_flags.h"

#include <filesystem>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/generation/policy_start.h"

#include "cli/flags.h"

namespace moft {

namespace fs = std::filesystem;

std::string steerings_text(const Policy& policy, std::int64_t steerings) {
  return fmt::format(
      "{}: {}",
      steerings == 1 ? "one steering"
                     : fmt::format("up to {} steerings", steerings),
      policy.steering_way(steerings));
}

void log_steerings(const Policy& policy, std::int64_t steerings) {
  if (policy.objectives().empty()) return;
  log_info("steering    {}", steerings_text(policy, steerings));
}

void PolicyFlags::declare(Parser& parser) {
  parser
      .add_path(
          "POLICY",
          path_,
          "A policy or run directory, a Hugging Face directory or a GGUF file")
      .required();
  parser.add_path(
      "--adapter",
      adapter_,
      "A PEFT LoRA directory that is merged into POLICY, a plain model");
  add_flags(parser, compute_);
}

std::string PolicyFlags::policy_path() const {
  return fs::is_directory(path_)
             ? trained_policy_at(path_).value_or(path_).string()
             : path_;
}

std::unique_ptr<Policy> PolicyFlags::open(
    std::int64_t steerings, std::optional<ChatSettings> chat) const {
  check_options(compute_, "command line");
  PolicyOpening opening{use_compute(compute_).load, steerings, std::move(chat)};
  if (!adapter_.empty()) opening.load.adapter = adapter_;
  return open_policy(path_, opening);
}

std::unique_ptr<Policy> PolicyFlags::open(const PromptFlags& prompt) const {
  if (!trained_policy_at(path_)) return open(1, prompt.chat_of(path_));
  auto policy = open();
  prompt.check_fits(*policy);
  return policy;
}

void SteeringFlags::declare(Parser& parser) {
  parser.add_option(
      "--weights",
      weights_,
      "How much each objective counts, by name: a=0.3,b=0.7 (sums to 1)");
  parser.add_option(
      "--alpha",
      alpha_,
      "KL strength, from the policy's alpha_min to 1; default: that of its "
      "training");
}

double SteeringFlags::alpha(const Policy& policy) const {
  const double alpha = alpha_.value_or(policy.default_alpha());
  policy.kl_range().check(alpha, "--alpha");
  return alpha;
}

void SteeringFlags::declare_reference(Parser& parser) {
  has_reference_ = true;
  parser.add_flag(
      "--reference", reference_, "The frozen reference instead of a weighting");
}

void SteeringFlags::check_plain() const {
  const char* given = !weights_.empty() ? "--weights"
                      : alpha_          ? "--alpha"
                      : reference_      ? "--reference"
                                        : nullptr;
  if (given == nullptr) return;
  throw_caller_error(
      "{}: the model has no knobs (it is a plain model); leave {} out",
      given,
      given);
}

std::optional<Steering> SteeringFlags::steering(const Policy& policy) const {
  const auto names = policy.names();
  if (names.empty()) {
    check_plain();
    return std::nullopt;
  }
  if (reference_) {
    if (weights_.empty() && !alpha_) return std::nullopt;
    throw_caller_error(
        "--reference and {} exclude each other: the reference is the same "
        "under every weighting; leave one of the two out",
        weights_.empty() ? "--alpha" : "--weights");
  }
  if (weights_.empty()) {
    throw_caller_error(
        "--weights is missing; give a weight to each of {}, e.g. --weights "
        "{}{}",
        join(names, ", "),
        format_weighting(Weighting::uniform(names.size()), names),
        has_reference_ ? ", or --reference for the frozen reference" : "");
  }
  return Steering{parse_weighting(weights_, names, "--weights"), alpha(policy)};
}

GenerateOptions SamplingFlags::options() const {
  GenerateOptions options;
  options.max_new_tokens = max_new_tokens;
  options.sampling.temperature = temperature > 0.0 ? temperature : 1.0;
  options.sampling.top_k = top_k;
  options.sampling.top_p = top_p;
  options.sampling.greedy = greedy || temperature == 0.0;
  options.stop_strings = stop;
  return options;
}

}  // namespace moft
