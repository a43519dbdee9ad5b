// Verdicts on claims: nested bootstrap and the rule.
#include "moft/evaluation/claims.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "moft/core/random.h"
#include "moft/evaluation/bootstrap.h"

namespace moft {
namespace {

constexpr double kLevel = 0.05;           // one-sided
constexpr double kSmallestChange = 0.05;  // of a path, else its step counts 1
// Values that are closer than this are equal: rounding does not break ties.
constexpr double kTie = 1e-12;

using Columns = std::vector<double>;

double mean_of(const Columns& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) /
         static_cast<double>(x.size());
}

int sign_of(double x) {
  if (std::abs(x) <= kTie) return 0;
  return x > 0 ? 1 : -1;
}

// Kendall's tau-b; 0 where either side is constant.
double tau_b(const Columns& x, const Columns& y) {
  double score = 0, pairs_x = 0, pairs_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = i + 1; j < x.size(); ++j) {
      const int a = sign_of(x[j] - x[i]);
      const int b = sign_of(y[j] - y[i]);
      score += a * b;
      pairs_x += a != 0;
      pairs_y += b != 0;
    }
  }
  if (pairs_x == 0 || pairs_y == 0) return 0;
  return score / std::sqrt(pairs_x * pairs_y);
}

double largest_step(const Columns& path) {
  const double change = std::abs(path.back() - path.front());
  if (change < kSmallestChange) return 1;
  double step = 0;
  for (std::size_t k = 1; k < path.size(); ++k)
    step = std::max(step, std::abs(path[k] - path[k - 1]));
  return step / change;
}

double ratio_of(const Columns& pair) {
  if (pair.at(1) == 0) {
    throw_caller_error(
        "[verdict] the second column of a ratio has mean 0; give a reference "
        "that moves");
  }
  return pair[0] / pair[1];
}

Columns slice(const Columns& all, std::size_t begin, std::size_t count) {
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

// The mean over the blocks of `count` columns from `begin` on.
double over_blocks(
    const ClaimPart& part,
    const Columns& means,
    std::size_t begin,
    std::size_t count) {
  const auto blocks = static_cast<std::size_t>(part.blocks);
  const std::size_t width = count / blocks;
  double sum = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    sum += claim_statistic(
        part.statistic,
        slice(means, begin + b * width, width),
        part.order.empty() ? Columns{} : slice(part.order, b * width, width));
  }
  return sum / static_cast<double>(blocks);
}

double statistic_of(const ClaimPart& part, const Columns& means) {
  const std::size_t width = means.size() / (part.difference ? 2 : 1);
  double f = over_blocks(part, means, 0, width);
  if (part.difference) f -= over_blocks(part, means, width, width);
  return part.offset + part.scale * f;
}

// Counts how often every prompt was drawn, [N].
Columns means_of(const std::vector<Columns>& rows, const Columns& counts) {
  Columns means(rows.front().size(), 0.0);
  for (std::size_t n = 0; n < rows.size(); ++n) {
    if (counts[n] == 0) continue;
    for (std::size_t c = 0; c < means.size(); ++c)
      means[c] += counts[n] * rows[n][c];
  }
  for (double& mean : means)
    mean /= static_cast<double>(rows.size());
  return means;
}

class Draws {
 public:
  Draws(const ClaimPart& part, const ClaimDraws& options)
      : part_(part), options_(options) {}

  // d of every draw; with `all_seeds` only prompts are drawn.
  Columns make(bool all_seeds) const {
    Columns values(options_.draws);
    for (std::size_t b = 0; b < values.size(); ++b) {
      RandomStream stream(
          options_.seed, Purpose::kBootstrap, 2, static_cast<std::uint32_t>(b));
      values[b] = draw(stream, all_seeds);
    }
    return values;
  }

 private:
  double draw(RandomStream& stream, bool all_seeds) const {
    std::vector<std::size_t> seeds(part_.seeds.size());
    for (std::size_t s = 0; s < seeds.size(); ++s) {
      const auto drawn = static_cast<std::size_t>(stream.below(seeds.size()));
      seeds[s] = all_seeds ? s : drawn;
    }
    double sum = 0;
    for (const std::size_t s : seeds) {
      const std::vector<Columns>& rows = part_.seeds[s];
      Columns counts(rows.size(), 0.0);
      for (std::size_t n = 0; n < rows.size(); ++n)
        ++counts[static_cast<std::size_t>(stream.below(rows.size()))];
      sum += statistic_of(part_, means_of(rows, counts));
    }
    return sum / static_cast<double>(seeds.size());
  }

  const ClaimPart& part_;
  const ClaimDraws& options_;
};

double deviation(const Columns& values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double x : values)
    sum += (x - mean) * (x - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

// "seeds of one sign", what an absolute value hides.
bool mixed_signs(const ClaimPart& part) {
  if (part.statistic != ClaimStatistic::kAbsolute) return false;
  int first = 0;
  for (const auto& rows : part.seeds) {
    const int sign = sign_of(mean_of(means_of(rows, Columns(rows.size(), 1))));
    if (sign == 0 || (first != 0 && sign != first)) return true;
    first = sign;
  }
  return false;
}

bool is_reversed(const ClaimPart& part, const Columns& seeds) {
  if (part.failed > 0 || mixed_signs(part)) return true;
  return std::any_of(seeds.begin(), seeds.end(), [&](double d) {
    return part.kind == ClaimKind::kMore ? d <= 0 : d < -part.delta;
  });
}

ClaimOutcome verdict_of(const PartVerdict& part) {
  const double wanted =
      part.kind == ClaimKind::kMore ? part.delta : -part.delta;
  if (part.upper < -part.delta) return ClaimOutcome::kContradicted;
  if (part.lower > wanted && !part.reversed) return ClaimOutcome::kReproduced;
  return ClaimOutcome::kUndecided;
}

}  // namespace

double claim_statistic(
    ClaimStatistic statistic, const Columns& columns, const Columns& order) {
  switch (statistic) {
    case ClaimStatistic::kMean:
      return mean_of(columns);
    case ClaimStatistic::kRatio:
      return ratio_of(columns);
    case ClaimStatistic::kAbsolute:
      return std::abs(mean_of(columns));
    case ClaimStatistic::kTau:
      return tau_b(order, columns);
    case ClaimStatistic::kLargestStep:
      return largest_step(columns);
  }
  return 0;
}

void ClaimPart::check(const std::string& path) const {
  if (seeds.empty() || seeds.front().empty() || seeds.front().front().empty()) {
    throw_caller_error(
        "{}seeds has no numbers; give at least one seed, prompt and column",
        path);
  }
  const std::size_t width = seeds.front().front().size();
  for (std::size_t s = 0; s < seeds.size(); ++s) {
    if (seeds[s].size() != seeds.front().size()) {
      throw_caller_error(
          "{}seeds.{} has {} prompts, the first seed {}; give the same ones",
          path,
          s,
          seeds[s].size(),
          seeds.front().size());
    }
    for (const Columns& row : seeds[s]) {
      if (row.size() == width) continue;
      throw_caller_error(
          "{}seeds.{} has a prompt of {} columns, the first one has {}; give "
          "the same ones",
          path,
          s,
          row.size(),
          width);
    }
  }
  const std::size_t parts =
      static_cast<std::size_t>(blocks) * (difference ? 2 : 1);
  const bool path_like = statistic == ClaimStatistic::kTau ||
                         statistic == ClaimStatistic::kLargestStep;
  const std::size_t block = width / parts;
  const bool fits = width % parts == 0 && (!path_like || block >= 2) &&
                    (statistic != ClaimStatistic::kRatio || block == 2);
  if (!fits) {
    throw_caller_error(
        "{}seeds has {} columns for {} blocks of statistic {}; give equal "
        "blocks, of two columns for ratio and of at least two for tau and "
        "largest_step",
        path,
        width,
        parts,
        enum_name(statistic));
  }
  if (statistic == ClaimStatistic::kTau &&
      order.size() != width / (difference ? 2 : 1)) {
    throw_caller_error(
        "{}order has {} numbers; give one for each of the {} columns",
        path,
        order.size(),
        width / (difference ? 2 : 1));
  }
}

void Claim::check(const std::string& path) const {
  if (parts.empty())
    throw_caller_error("{}parts is empty; give at least one part", path);
}

PartVerdict decide(const ClaimPart& part, const ClaimDraws& options) {
  part.check("");
  if (options.draws == 0)
    throw_caller_error("[verdict] 0 draws; give at least 1");
  PartVerdict result;
  result.name = part.name;
  result.kind = part.kind;
  result.delta = part.delta;
  for (const auto& rows : part.seeds) {
    result.seeds.push_back(
        statistic_of(part, means_of(rows, Columns(rows.size(), 1.0))));
  }
  result.d = mean_of(result.seeds);
  const Draws draws(part, options);
  const Columns values = draws.make(false);
  result.lower = quantile(values, kLevel);
  result.upper = quantile(values, 1 - kLevel);
  result.standard_error = deviation(values);
  const Columns prompts = draws.make(true);
  result.prompt_half_width =
      0.5 * (quantile(prompts, 1 - kLevel) - quantile(prompts, kLevel));
  result.reversed = is_reversed(part, result.seeds);
  result.verdict = verdict_of(result);
  return result;
}

ClaimVerdict decide(const Claim& claim, const ClaimDraws& options) {
  claim.check("");
  ClaimVerdict result;
  result.id = claim.id;
  bool all = true, contradicted = false;
  for (const ClaimPart& part : claim.parts) {
    result.parts.push_back(decide(part, options));
    const ClaimOutcome verdict = result.parts.back().verdict;
    all = all && verdict == ClaimOutcome::kReproduced;
    contradicted = contradicted || verdict == ClaimOutcome::kContradicted;
  }
  if (all) result.verdict = ClaimOutcome::kReproduced;
  if (contradicted) result.verdict = ClaimOutcome::kContradicted;
  return result;
}

}  // namespace moft
