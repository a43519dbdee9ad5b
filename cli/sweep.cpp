// `moft sweep`: one prompt under a cover of the weightings, side by side.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/weightings/grid.h"

#include "cli/command.h"
#include "cli/flags.h"
#include "cli/policy_flags.h"

namespace moft {

namespace {

class SweepCommand : public Command {
 public:
  void declare(Parser& parser) override {
    policy_.declare(parser);
    prompt_.declare(
        parser,
        "Text that fills the policy's prompt template or is the user's "
        "message of its dialogue");
    parser
        .add_option(
            "--weightings",
            weightings_,
            "Minimum number of weightings, spread evenly over the simplex")
        .range(1, 10000);
    parser.add_option(
        "--alpha", alpha_, "KL strength; default: the one used in training");
    parser.add_flag("--json", json_, "One JSON line per weighting");
    add_flags(parser, sampling_);
  }

  int run() override {
    check_options(sampling_, "command line");
    if (!prompt_.given()) {
      throw_caller_error(
          "give the prompt: --prompt TEXT, or --message role=text for each "
          "turn of a dialogue");
    }
    auto policy = policy_.open(prompt_);
    const auto names = policy->names();
    if (names.empty()) {
      throw_caller_error(
          "{} has no knobs to sweep; give a policy that moft has trained",
          policy_.path());
    }
    const double alpha = alpha_.value_or(policy->default_alpha());
    policy->kl_range().check(alpha, "--alpha");
    const auto cover =
        simplex_cover(names.size(), static_cast<std::size_t>(weightings_));
    const auto steerings = static_cast<std::int64_t>(cover.size());
    policy->expect_steerings(steerings);
    log_steerings(*policy, steerings);
    const Prompt prompt = prompt_.prompt(*policy);
    std::vector<CompletionRequest> requests;
    for (const Weighting& w : cover) {
      // The same draws under every weighting, so that only the knob differs.
      const RowKey key{
          static_cast<std::uint64_t>(sampling_.seed), Purpose::kGenerate, 0, 0};
      requests.push_back({prompt, Steering{w, alpha}, key});
    }
    const auto answers = policy->complete(requests, sampling_.options());
    for (std::size_t k = 0; k < cover.size(); ++k) {
      print(names, cover[k], answers[k]);
    }
    return 0;
  }

 private:
  void print(
      const std::vector<std::string>& names,
      const Weighting& w,
      const Completion& answer) const {
    if (!json_) {
      fmt::print("{}\n    {}\n", format_weighting(w, names), answer.text);
      return;
    }
    nlohmann::ordered_json line;
    line["weights"] = weighting_to_map(w, names);
    line["completion"] = answer.text;
    line["finished"] = answer.finished;
    fmt::print("{}\n", dump_json(line));
  }

  PolicyFlags policy_;
  SamplingFlags sampling_;
  PromptFlags prompt_;
  std::int64_t weightings_ = 5;
  std::optional<double> alpha_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_sweep_command() {
  return std::make_unique<SweepCommand>();
}

}  // namespace moft
