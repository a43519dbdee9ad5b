// Measures a policy's front on held-out prompts: every weighting on the same
// prompts, and the frozen reference beside them.
//
// KL is the sum over a completion's tokens of the exact per-token KL (over the
// whole vocabulary) along the sample: an unbiased estimate of the sequence KL
// with less noise than the log-ratio. Completions are drawn at the policy's
// temperature without truncation.
//
// Over ranks each takes whole slices of the prompts, and then scores the
// answers of some of the steerings; all receive everything and make the same
// report, with the bits of one process.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "moft/distributed/group.h"
#include "moft/evaluation/comparison.h"
#include "moft/evaluation/front.h"
#include "moft/generation/policy.h"
#include "moft/rewards/objectives.h"

namespace moft {

struct EvaluateOptions {
  std::int64_t weightings = 5;  // points, spread over the simplex
  std::int64_t samples_per_prompt = 1;
  std::int64_t max_new_tokens = 32;
  // KL strengths, each with all weightings; none: the policy's own.
  std::vector<double> alphas;
  std::uint64_t seed = 0;
  std::size_t texts = 3;  // prompts shown with all their answers
  // The example's field that readers should see as the prompt; the whole
  // prompt when absent.
  std::optional<std::string> shown_field;
  std::optional<std::string> reference_field;
};

// How many steerings answer a prompt of an evaluation, the reference included:
// what a policy that is evaluated expects (Policy::expect_steerings).
std::int64_t evaluated_steerings(
    std::size_t objectives, const EvaluateOptions& options);

// done of all completions; over ranks by this one's pace.
using OnProgress = std::function<void(std::int64_t done, std::int64_t all)>;

// The tokens of all answers, end tokens left out, in Report::cost.
inline constexpr const char* kAnswerTokens = "answer_tokens";

// A complete report (summarise.h has run) without title, provenance, training
// curves and costs other than kAnswerTokens. `names` of the policy and of
// `objectives` must agree. `group`: the ranks that evaluate together, each of
// which calls this; none: alone.
Report evaluate_policy(
    Policy& policy,
    const ObjectiveSet& objectives,
    const std::vector<Example>& examples,
    const EvaluateOptions& options,
    const OnProgress& on_progress = nullptr,
    Group* group = nullptr);

// `count` KL strengths that the range answers to, from its lowest to 1, evenly
// spread over the mixing amount; one where it answers to one only.
std::vector<double> spread_alphas(const KlRange& range, std::int64_t count);

// The strength nearest to `alpha` that the range answers to.
double nearest_alpha(const KlRange& range, double alpha);

// Another run's report on the same prompts.
struct ComparedRun {
  std::string name;
  Report report;
};

// Puts the fronts of other runs, each with its own reference, beside that of
// `report`, and compares the methods (comparison.h); figures and remarks are
// computed again (the remarks name what differs). CallerError when a run has
// other objectives or was measured on other prompts.
void add_baselines(
    Report& report,
    std::vector<ComparedRun> others,
    const CompareOptions& options = {});

}  // namespace moft
