// Verdicts as JSON and as lines.
#include "moft/evaluation/judge_report.h"

#include <fmt/format.h>

namespace moft {
namespace {

using nlohmann::ordered_json;

ordered_json interval_json(const Interval& interval) {
  ordered_json json;
  json["mean"] = interval.mean;
  json["low"] = interval.low;
  json["high"] = interval.high;
  return json;
}

ordered_json rate_json(double rate, const Proportion& interval) {
  return interval_json({rate, interval.low, interval.high});
}

ordered_json question_json(const QuestionSummary& question) {
  ordered_json json;
  json["for_a"] = question.for_a;
  json["for_b"] = question.for_b;
  json["inconsistent"] = question.inconsistent;
  json["unparsable_answers"] = question.unparsable;
  json["place_bias"] = interval_json(question.place_bias);
  json["null_inconsistent_share"] = question.null_inconsistent;
  return json;
}

const char* winner(Win win) {
  switch (win) {
    case Win::kFirst:
      return "a";
    case Win::kSecond:
      return "b";
    case Win::kTie:
      break;
  }
  return "tie";
}

std::string question_text(
    const char* name, const QuestionSummary& question, std::size_t articles) {
  return fmt::format(
      "  {}: for A {}, for B {}, inconsistent {} ({:.2f}; by place alone "
      "{:.2f}), place bias {:+.2f} [{:+.2f}, {:+.2f}]{}\n",
      name,
      question.for_a,
      question.for_b,
      question.inconsistent,
      static_cast<double>(question.inconsistent) /
          static_cast<double>(articles),
      question.null_inconsistent,
      question.place_bias.mean,
      question.place_bias.low,
      question.place_bias.high,
      question.unparsable == 0
          ? ""
          : fmt::format(", {} answers name neither", question.unparsable));
}

}  // namespace

ordered_json judged_pair_json(const JudgedPair& pair) {
  const JudgeSummary& summary = pair.summary;
  ordered_json json;
  json["a"] = pair.a;
  json["b"] = pair.b;
  json["articles"] = summary.articles;
  json["wins"] = summary.wins;
  json["losses"] = summary.losses;
  json["ties"] = summary.ties;
  json["win_rate"] = rate_json(summary.win_rate, summary.win_interval);
  json["loss_rate"] = rate_json(summary.loss_rate, summary.loss_interval);
  json["difference"] = interval_json(summary.difference);
  json["sign_test"] = summary.sign_test;
  json["concise"] = question_json(summary.concise);
  json["quality"] = question_json(summary.quality);
  json["verdicts"] = ordered_json::array();
  for (std::size_t i = 0; i < pair.verdicts.size(); ++i) {
    const ArticleVerdict& verdict = pair.verdicts[i];
    ordered_json line;
    line["id"] = pair.ids.at(i);
    line["concise"] = std::vector<std::string>{
        verdict.concise.in_order, verdict.concise.swapped};
    line["quality"] = std::vector<std::string>{
        verdict.quality.in_order, verdict.quality.swapped};
    line["winner"] = winner(verdict.win());
    json["verdicts"].push_back(std::move(line));
  }
  return json;
}

ordered_json judge_usage_json(const JudgeUsage& usage) {
  ordered_json json;
  json["calls"] = usage.calls;
  json["reused"] = usage.reused;
  json["prompt_tokens"] = usage.prompt_tokens;
  json["completion_tokens"] = usage.completion_tokens;
  json["seconds"] = usage.seconds;
  return json;
}

std::string judged_pair_text(const JudgedPair& pair) {
  const JudgeSummary& summary = pair.summary;
  const auto articles = static_cast<double>(summary.articles);
  return fmt::format(
             "A = {} against B = {}, {} articles\n"
             "  A wins {:.3f} [{:.3f}, {:.3f}], loses {:.3f} [{:.3f}, {:.3f}], "
             "ties {:.3f}; difference {:+.3f} [{:+.3f}, {:+.3f}], sign test "
             "p = {:.2g}\n",
             pair.a,
             pair.b,
             summary.articles,
             summary.win_rate,
             summary.win_interval.low,
             summary.win_interval.high,
             summary.loss_rate,
             summary.loss_interval.low,
             summary.loss_interval.high,
             static_cast<double>(summary.ties) / articles,
             summary.difference.mean,
             summary.difference.low,
             summary.difference.high,
             summary.sign_test) +
         question_text("concise", summary.concise, summary.articles) +
         question_text("quality", summary.quality, summary.articles);
}

}  // namespace moft
