// Policies that mix several models' next-token logits: kinds `dera` and `mod`.
//
//   log pi(y_t) = sum_k c_k log pi_k(y_t) - log Z_t,   sum_k c_k = 1
//
// DeRa (decoding-time realignment), arXiv 2402.02992: the models are a policy
//   at its alpha_min, with lambda, and its reference, with 1 - lambda, where
//   lambda = alpha_min (1 - alpha) / (alpha (1 - alpha_min)) = 1 -
//   f_mix(alpha). lambda above 1 extrapolates below alpha_min.
// MOD (multi-objective decoding), arXiv 2406.18853, equation for the reverse
//   KL: the models are a policy's corners, (1 - beta) w_i each, with the
//   reference, beta = f_mix(alpha), as one more.
//
// One member, held once, gives all models: a run, or a soup of runs that each
// trained one objective. A row of a request is one row of the member for each
// model whose coefficient is not 0, each with its own cache. A row with a
// single model has that model's logits, bit for bit.
//
// Directory: moft.json and `member/`, a policy directory of kind `clp`.
//
// Errors: CallerError for files that do not belong together and for members
// that cannot be mixed.
// Thread safety: as Policy.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "moft/generation/policy_kinds.h"
#include "moft/generation/steered_policy.h"

namespace moft {

enum class LogitMixture { kDera, kMod };
constexpr auto enum_names(LogitMixture) {
  return EnumNames<LogitMixture, 2>{{
      {LogitMixture::kDera, "dera"},
      {LogitMixture::kMod, "mod"},
  }};
}

// Answers far below alpha_min are those of no model that was trained.
inline constexpr double kLargestLambda = 100.0;

struct LogitMixtureOptions {
  LogitMixture kind = LogitMixture::kMod;
  // DeRa: the largest lambda that is answered to, from 1 to kLargestLambda.
  double lambda_max = 1.0;
};

// What a mixture of this member is: its objectives and reference, alpha from
// the lowest that `options` allow to 1. CallerError for a member that cannot be
// mixed; `place` names it.
PolicyInfo mixture_info(
    const PolicyInfo& member,
    const LogitMixtureOptions& options,
    const std::string& place);

std::unique_ptr<SteeredPolicy> mix_logits(
    std::unique_ptr<SteeredPolicy> member, const LogitMixtureOptions& options);

// Writes the policy directory `to`, which must not exist, from the policy
// directory `member`.
void save_logit_mixture(
    const std::filesystem::path& member,
    const LogitMixtureOptions& options,
    const std::filesystem::path& to);

PolicyKind logit_mixture_kind(LogitMixture kind);

}  // namespace moft
