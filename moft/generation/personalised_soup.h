// Personalised soups (kind `personalised_soup`), arXiv 2310.11564: a rewarded
// soup that is asked for sets of objectives only,
//   theta = theta_ref + (1/n) sum over the chosen set C of (theta_i -
//   theta_ref)
// with n the size of C: the soup at w = 1_C / n. A graded request is refused,
// or answered at the nearest such point where the directory says
// `round: binary`; that is logged.
//
// Directory: moft.json and `member/`, a policy directory of kind `clp`.
//
// Errors: CallerError for graded requests and for files that do not belong
// together.
// Thread safety: pure functions.
#pragma once

#include <filesystem>

#include "moft/core/field_attributes.h"
#include "moft/generation/policy_kinds.h"
#include "moft/weightings/weighting.h"

namespace moft {

enum class SoupRounding { kNone, kBinary };
constexpr auto enum_names(SoupRounding) {
  return EnumNames<SoupRounding, 2>{{
      {SoupRounding::kNone, "none"},
      {SoupRounding::kBinary, "binary"},
  }};
}

// The nearest equal weights on a set of objectives, in L1; ties go to the set
// with fewer objectives, then to the one with the earlier ones. Its weights are
// 1/n to the last bit.
Weighting nearest_binary(const Weighting& w);

// Writes the policy directory `to`, which must not exist, from the policy
// directory `member`.
void save_personalised_soup(
    const std::filesystem::path& member,
    SoupRounding round,
    const std::filesystem::path& to);

PolicyKind personalised_soup_kind();

}  // namespace moft
