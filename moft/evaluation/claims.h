// Verdicts on claims such as "CLP lies above soups inside the front", by the
// rule of docs/results/figures-protocol.md.
//
// A claim has parts. A part is a statistic d of each training seed, computed
// from numbers per prompt (paired, where it compares two methods) and oriented
// so that positive speaks for the claim. A nested bootstrap, seeds with
// replacement and within each drawn seed prompts with replacement, bounds the
// mean of d over the seeds. A task whose answers are all listed has one row
// instead of prompts, so that only seeds are drawn.
//
// Sources: Efron (1979); pairing as in Koehn (EMNLP 2004).
// Errors: CallerError for numbers that do not fit together.
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "moft/core/fields.h"

namespace moft {

enum class ClaimKind { kMore, kNotLess };
constexpr auto enum_names(ClaimKind) {
  return EnumNames<ClaimKind, 2>{{
      {ClaimKind::kMore, "more"},
      {ClaimKind::kNotLess, "not_less"},
  }};
}

// f of a seed's means over prompts, [columns].
enum class ClaimStatistic { kMean, kRatio, kAbsolute, kTau, kLargestStep };
constexpr auto enum_names(ClaimStatistic) {
  return EnumNames<ClaimStatistic, 5>{{
      {ClaimStatistic::kMean, "mean"},
      {ClaimStatistic::kRatio, "ratio"},
      {ClaimStatistic::kAbsolute, "absolute"},
      {ClaimStatistic::kTau, "tau"},
      {ClaimStatistic::kLargestStep, "largest_step"},
  }};
}

// d = offset + scale f, where f is the mean over `blocks` equal blocks of
// columns; with `difference` f(first half) - f(second half) instead.
struct ClaimPart {
  std::string name;
  ClaimKind kind = ClaimKind::kMore;
  double delta = 0.02;
  ClaimStatistic statistic = ClaimStatistic::kMean;
  double offset = 0.0;
  double scale = 1.0;
  std::int64_t blocks = 1;
  bool difference = false;
  std::vector<double> order;  // of tau, [columns of a block, all blocks]
  std::int64_t failed = 0;
  std::vector<std::vector<std::vector<double>>> seeds;  // [S][N][columns]

  template <class V>
  void fields(V& v) {
    v("name", name, Help{"what is compared, such as clp - soup"}, Required{});
    v("kind",
      kind,
      Help{"more: the first is better; not_less: it does not lose"});
    v("delta", delta, Help{"smallest effect that counts"}, at_least(0));
    v("statistic",
      statistic,
      Help{"of a seed's means over prompts; mean: their mean; ratio: first "
           "over second column; absolute: absolute value of the mean; tau: "
           "Kendall's tau-b with `order`; largest_step: largest step between "
           "neighbours over the whole change"});
    v("offset", offset, Help{"what is added to the scaled statistic"});
    v("scale", scale, Help{"factor of the statistic"});
    v("blocks",
      blocks,
      Help{"equal blocks of columns, over which the statistic is averaged"},
      at_least(1));
    v("difference",
      difference,
      Help{"the statistic of the first half of the columns less that of the "
           "second half"});
    v("order", order, Help{"tau: the knob of each column"});
    v("failed",
      failed,
      Help{
          "seeds at which a method failed twice; they count as reversed",
          "seeds"},
      at_least(0));
    v("seeds",
      seeds,
      Help{"for each seed, for each prompt, the columns"},
      Required{});
  }

  void check(const std::string& path) const;
};

struct Claim {
  std::string id;
  std::vector<ClaimPart> parts;

  template <class V>
  void fields(V& v) {
    v("id", id, Help{"the claim's name"}, Required{});
    v("parts", parts, Help{"what has to hold, every part of it"}, Required{});
  }

  void check(const std::string& path) const;
};

struct ClaimsFile {
  std::vector<Claim> claims;

  template <class V>
  void fields(V& v) {
    v("claims", claims, Help{"the claims to be decided"}, Required{});
  }
};

enum class ClaimOutcome { kReproduced, kContradicted, kUndecided };
constexpr auto enum_names(ClaimOutcome) {
  return EnumNames<ClaimOutcome, 3>{{
      {ClaimOutcome::kReproduced, "reproduced"},
      {ClaimOutcome::kContradicted, "contradicted"},
      {ClaimOutcome::kUndecided, "undecided"},
  }};
}

struct PartVerdict {
  std::string name;
  ClaimKind kind = ClaimKind::kMore;
  double delta = 0.0;
  double d = 0.0;      // mean over the seeds
  double lower = 0.0;  // one-sided 95% bounds
  double upper = 0.0;
  double standard_error = 0.0;  // spread of the draws
  // Half the distance of the bounds when every seed is kept once and only
  // prompts are drawn.
  double prompt_half_width = 0.0;
  std::vector<double> seeds;  // d of each
  bool reversed = false;      // one of them forbids "reproduced"
  ClaimOutcome verdict = ClaimOutcome::kUndecided;
};

struct ClaimVerdict {
  std::string id;
  std::vector<PartVerdict> parts;
  ClaimOutcome verdict = ClaimOutcome::kUndecided;
};

struct ClaimDraws {
  std::size_t draws = 4000;
  std::uint64_t seed = 0;
};

// Draw b comes from RandomStream(seed, Purpose::kBootstrap, 2, b) alone: first
// the seeds, then the prompts of each. Parts with as many seeds and prompts see
// the same draws.
PartVerdict decide(const ClaimPart& part, const ClaimDraws& options = {});
// Reproduced if every part is, contradicted if one is, else undecided.
// REQUIRES at least one part.
ClaimVerdict decide(const Claim& claim, const ClaimDraws& options = {});

// f of one block of columns.
double claim_statistic(
    ClaimStatistic statistic,
    const std::vector<double>& columns,
    const std::vector<double>& order);

}  // namespace moft
