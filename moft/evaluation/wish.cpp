// Wishes: read, and answered by a measured point.
#include "moft/evaluation/wish.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/evaluation/cross_fit.h"
#include "moft/evaluation/summarise.h"

namespace moft {
namespace {

constexpr double kTie = 1e-12;
constexpr std::size_t kExamples = 5;

using Numbers = std::vector<double>;
using Prompts = std::vector<std::size_t>;

bool is_objective(
    const std::string& name, const std::vector<std::string>& objectives) {
  return std::find(objectives.begin(), objectives.end(), name) !=
         objectives.end();
}

// One point's numbers, [prompts].
const Numbers& scores_of(const FrontPoint& point, const std::string& name) {
  return name == kKlName ? point.per_prompt.kl
                         : point.per_prompt.rewards.at(name);
}

Numbers some(const Numbers& scores, const Prompts& prompts) {
  Numbers result;
  for (const std::size_t n : prompts)
    result.push_back(scores[n]);
  return result;
}

double mean_of(const Numbers& scores, const Prompts& prompts) {
  double sum = 0;
  for (const std::size_t n : prompts)
    sum += scores[n];
  return sum / static_cast<double>(prompts.size());
}

void check_points(const Report& report) {
  const std::size_t prompts = prompt_count(report);
  if (prompts < 2) {
    throw_caller_error(
        "[steer] the report has {} prompt{}; a setting is chosen on one half "
        "of the prompts and measured on the other, so evaluate on at least 2",
        prompts,
        prompts == 1 ? "" : "s");
  }
  for (std::size_t k = 0; k < report.points.size(); ++k) {
    const PerPrompt& scores = report.points[k].per_prompt;
    bool good = scores.kl.size() == prompts;
    for (const std::string& name : report.objectives) {
      const auto found = scores.rewards.find(name);
      good = good && found != scores.rewards.end() &&
             found->second.size() == prompts;
    }
    if (!good) {
      throw_caller_error(
          "[steer] points[{}].per_prompt does not hold one number for each of "
          "{} prompts; write the report again",
          k,
          prompts);
    }
  }
}

// The means of one quantity over some prompts, [points], and their range.
struct Means {
  Numbers values;
  double low = 0;
  double high = 0;

  // A shortfall in units of the range.
  double scaled(double lack) const {
    return high - low > kTie ? lack / (high - low) : lack;
  }
};

Means means_of(
    const Report& report, const std::string& name, const Prompts& prompts) {
  Means means;
  for (const FrontPoint& point : report.points)
    means.values.push_back(mean_of(scores_of(point, name), prompts));
  const auto ends =
      std::minmax_element(means.values.begin(), means.values.end());
  means.low = *ends.first;
  means.high = *ends.second;
  return means;
}

double lack_of(const Want& want, double mean) {
  const double lack = want.at_least ? want.bound - mean : mean - want.bound;
  return lack > kTie ? lack : 0;
}

// The first half of the prompts.
Prompts choosing_half(const Report& report, std::uint64_t seed) {
  return random_halves(prompt_count(report), seed, 0)[0];
}

// Fills in what follows from the first half.
void choose(WishAnswer& answer, const Report& report, const Prompts& half) {
  const Wish& wish = answer.wish;
  std::vector<Means> wanted;
  for (const Want& want : wish.wants)
    wanted.push_back(means_of(report, want.name, half));
  const Means goal = means_of(report, wish.goal.name, half);
  const double sign = wish.goal.maximise ? -1 : 1;
  std::optional<std::size_t> chosen;
  double least_miss = 0, least_cost = 0;
  for (const std::size_t k : knob_order(report)) {
    double miss = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const double lack = lack_of(wish.wants[i], wanted[i].values[k]);
      miss = std::max(miss, wanted[i].scaled(lack));
    }
    const double cost = sign * goal.values[k];
    const bool nearer = miss < least_miss - kTie;
    const bool as_near = miss <= least_miss + kTie;
    if (chosen && !nearer && !(as_near && cost < least_cost - kTie)) continue;
    chosen = k;
    least_miss = miss;
    least_cost = cost;
  }
  answer.point = chosen.value();
  answer.met = true;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double lack = lack_of(wish.wants[i], wanted[i].values[answer.point]);
    answer.lacks.push_back(lack);
    answer.met = answer.met && lack == 0;
  }
}

Verdict verdict_of(const Want& want, const Interval& found) {
  const double sign = want.at_least ? 1 : -1;
  const double bound = sign * want.bound - kTie;
  const double worst = std::min(sign * found.low, sign * found.high);
  const double best = std::max(sign * found.low, sign * found.high);
  if (worst >= bound) return Verdict::kHolds;
  if (sign * found.mean >= bound) return Verdict::kMeets;
  return best >= bound ? Verdict::kMisses : Verdict::kFails;
}

// Fills in what the second half says.
void score(
    WishAnswer& answer,
    const Report& report,
    const Prompts& half,
    const Bootstrap& bootstrap) {
  const FrontPoint& point = report.points[answer.point];
  for (const std::string& name : report.objectives)
    answer.rewards[name] = bootstrap.mean(some(scores_of(point, name), half));
  answer.kl = bootstrap.mean(some(point.per_prompt.kl, half));
  for (const Want& want : answer.wish.wants) {
    answer.verdicts.push_back(verdict_of(
        want, want.name == kKlName ? answer.kl : answer.rewards.at(want.name)));
  }
}

std::vector<WishAnswer> answer_wishes(
    const Report& report,
    const std::vector<Wish>& wishes,
    const BootstrapOptions& options) {
  check_points(report);
  const auto halves = random_halves(prompt_count(report), options.seed, 0);
  const Bootstrap bootstrap(halves[1].size(), options);
  std::vector<WishAnswer> answers;
  for (const Wish& wish : wishes) {
    WishAnswer& answer = answers.emplace_back();
    answer.wish = wish;
    answer.chosen_on = halves[0].size();
    answer.scored_on = halves[1].size();
    choose(answer, report, halves[0]);
    score(answer, report, halves[1], bootstrap);
  }
  return answers;
}

}  // namespace

void check_wish_name(
    const std::string& name,
    const std::vector<std::string>& objectives,
    const std::string& place) {
  if (name == kKlName || is_objective(name, objectives)) return;
  std::vector<std::string> known = objectives;
  known.emplace_back(kKlName);
  const auto near = nearest_name(name, known);
  throw_caller_error(
      "{}: {} is not measured in this report{}; give one of {}",
      place,
      quote_text(name),
      near ? fmt::format(" (did you mean {}?)", quote_text(*near)) : "",
      join(known, ", "));
}

Want parse_want(
    std::string_view text,
    const std::vector<std::string>& objectives,
    const std::string& place) {
  const std::size_t at_least = text.rfind(">=");
  const std::size_t at_most = text.rfind("<=");
  // The later of the two; npos is the largest number.
  const std::size_t at = at_least == std::string_view::npos ? at_most
                         : at_most == std::string_view::npos
                             ? at_least
                             : std::max(at_least, at_most);
  if (at == std::string_view::npos) {
    throw_caller_error(
        "{}: {} is not a wish; write name>=number or name<=number in quotes, "
        "for example '{}>=0.6'",
        place,
        quote_text(text),
        objectives.empty() ? kKlName : objectives.front());
  }
  Want want;
  want.name = std::string(trimmed(text.substr(0, at)));
  want.at_least = text[at] == '>';
  check_wish_name(want.name, objectives, place);
  const std::string_view number = trimmed(text.substr(at + 2));
  const std::optional<double> bound = parse_real(number);
  if (!bound) {
    throw_caller_error(
        "{}: the bound of {} is {}; give a number, for example 0.6",
        place,
        quote_text(want.name),
        quote_text(number));
  }
  want.bound = *bound;
  return want;
}

std::string want_text(const Want& want) {
  return fmt::format(
      "{} {} {}",
      want.name,
      want.at_least ? ">=" : "<=",
      shortest_number(want.bound));
}

std::string wish_text(const Wish& wish) {
  std::string out;
  for (const Want& want : wish.wants)
    out += want_text(want) + ", ";
  return out + (wish.goal.maximise ? "most " : "least ") + wish.goal.name;
}

const char* verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHolds:
      return "holds";
    case Verdict::kMeets:
      return "holds, not certain";
    case Verdict::kMisses:
      return "missed, not certain";
    case Verdict::kFails:
      return "missed";
  }
  return "";
}

WishAnswer answer_wish(
    const Report& report, const Wish& wish, const BootstrapOptions& options) {
  for (const Want& want : wish.wants)
    check_wish_name(want.name, report.objectives, "--want");
  check_wish_name(
      wish.goal.name,
      report.objectives,
      wish.goal.maximise ? "--maximise" : "--minimise");
  return answer_wishes(report, {wish}, options).front();
}

std::vector<Wish> example_wishes(const Report& report) {
  if (prompt_count(report) < 2) return {};
  check_points(report);
  const Prompts half = choosing_half(report, BootstrapOptions().seed);
  // A bound this far up the range of the means, rounded to what is easier.
  const auto bound = [&](const std::string& name, double share, bool at_least) {
    const Means means = means_of(report, name, half);
    const double exact = means.low + share * (means.high - means.low);
    const double easier = at_least ? std::floor(exact * 1000 + 1e-9)
                                   : std::ceil(exact * 1000 - 1e-9);
    return Want{name, at_least, easier / 1000};
  };
  const std::vector<std::string>& names = report.objectives;
  const Goal least_kl;
  std::vector<Wish> wishes;
  for (std::size_t i = 0; i < std::min(names.size(), kExamples - 1); ++i)
    wishes.push_back({{}, {names[i], true}});
  Wish all{{}, least_kl};
  for (const std::string& name : names)
    all.wants.push_back(bound(name, 0.5, true));
  wishes.push_back(all);
  wishes.push_back({{bound(kKlName, 0.5, false)}, {names[0], true}});
  if (names.size() > 1) {
    wishes.push_back({{bound(names[0], 0.5, true)}, {names[1], true}});
  } else {
    wishes.push_back({{bound(names[0], 0.9, true)}, least_kl});
    wishes.push_back({{}, least_kl});
  }
  wishes.resize(std::min(wishes.size(), kExamples));
  return wishes;
}

std::vector<WishAnswer> answer_examples(
    const Report& report, const BootstrapOptions& options) {
  const std::vector<Wish> wishes = example_wishes(report);
  if (wishes.empty()) return {};
  return answer_wishes(report, wishes, options);
}

}  // namespace moft
