// A bank of fixed weightings (kind `bank`): one run for each (w, alpha), the
// ceiling of what steering can reach. A request is answered by the run that was
// trained for it, else by the nearest: of those with the nearest alpha the one
// with the least |w - w'|_1, ties to the earlier; that is logged.
//
// Directory: moft.json and `member-1/`, `member-2/`, .., policy directories of
// kind `clp`. All of them are held at once.
//
// Errors: CallerError for members of different tasks and files that do not
// belong together.
// Thread safety: pure functions.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "moft/generation/policy_kinds.h"
#include "moft/weightings/steering.h"

namespace moft {

inline constexpr std::size_t kMostBankEntries = 1000;

// The place of the entry that answers. REQUIRES at least one entry, all of as
// many objectives as the request.
std::size_t nearest_entry(
    std::span<const Steering> entries, const Steering& request);

struct BankSource {
  std::filesystem::path policy;  // a directory of kind `clp`
  Weighting w;                   // that it was trained for
};

// Writes the policy directory `to`, which must not exist. The alphas are those
// of the policies' training.
void save_bank(
    const std::vector<BankSource>& sources, const std::filesystem::path& to);

PolicyKind bank_kind();

}  // namespace moft
