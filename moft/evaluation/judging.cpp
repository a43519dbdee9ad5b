// Queries out, verdicts and their statistics back.
#include "moft/evaluation/judging.h"

#include <algorithm>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr std::size_t kArticlesAtOnce = 16;
constexpr std::size_t kQueriesPerArticle = 4;

void add_both_orders(
    std::vector<JudgeQuery>& queries,
    JudgeQuestion question,
    const JudgedSummaries& of,
    const std::string& a,
    const std::string& b) {
  queries.push_back({question, of.article, a, b, of.example});
  queries.push_back({question, of.article, b, a, of.example});
}

std::vector<ArticleVerdict> judge_some(
    Judge& judge, const JudgedSummaries* first, std::size_t count) {
  std::vector<JudgeQuery> queries;
  for (std::size_t i = 0; i < count; ++i) {
    const JudgedSummaries& of = first[i];
    add_both_orders(
        queries, JudgeQuestion::kConcise, of, of.concise_a, of.concise_b);
    add_both_orders(
        queries, JudgeQuestion::kQuality, of, of.quality_a, of.quality_b);
  }
  const std::vector<std::string> answers = judge.answer(queries);
  if (answers.size() != queries.size()) {
    throw_world_error(
        "judge {}: gave {} answers to {} queries; it must give one each",
        judge.name(),
        answers.size(),
        queries.size());
  }
  std::vector<ArticleVerdict> verdicts;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string* of = &answers[i * kQueriesPerArticle];
    verdicts.push_back({{of[0], of[1]}, {of[2], of[3]}});
  }
  return verdicts;
}

QuestionSummary summarise_question(
    const std::vector<ArticleVerdict>& verdicts,
    QuestionVerdict ArticleVerdict::*question,
    const Bootstrap& bootstrap) {
  QuestionSummary summary;
  std::vector<double> bias;
  std::size_t first = 0;
  std::size_t second = 0;
  for (const ArticleVerdict& verdict : verdicts) {
    const QuestionVerdict& of = verdict.*question;
    switch (of.outcome()) {
      case QuestionOutcome::kFirst:
        ++summary.for_a;
        break;
      case QuestionOutcome::kSecond:
        ++summary.for_b;
        break;
      case QuestionOutcome::kInconsistent:
        ++summary.inconsistent;
        break;
    }
    double lean = 0;
    for (const std::string* answer : {&of.in_order, &of.swapped}) {
      if (*answer == "SUMMARY1") {
        lean += .5;
        ++first;
      } else if (*answer == "SUMMARY2") {
        lean -= .5;
        ++second;
      } else {
        ++summary.unparsable;
      }
    }
    bias.push_back(lean);
  }
  summary.place_bias = bootstrap.mean(bias);
  const double b =
      first + second == 0
          ? .5
          : static_cast<double>(first) / static_cast<double>(first + second);
  summary.null_inconsistent = null_judge(b).inconsistent;
  return summary;
}

}  // namespace

std::vector<ArticleVerdict> judge_articles(
    Judge& judge,
    const std::vector<JudgedSummaries>& articles,
    const OnJudged& on_judged) {
  std::vector<ArticleVerdict> verdicts;
  while (verdicts.size() < articles.size()) {
    const std::size_t done = verdicts.size();
    const std::size_t count = std::min(kArticlesAtOnce, articles.size() - done);
    for (ArticleVerdict& verdict : judge_some(judge, &articles[done], count))
      verdicts.push_back(std::move(verdict));
    if (on_judged) on_judged(verdicts.size(), articles.size());
  }
  return verdicts;
}

JudgeSummary summarise_verdicts(
    const std::vector<ArticleVerdict>& verdicts,
    const BootstrapOptions& options) {
  if (verdicts.empty())
    throw_caller_error("no articles were judged; give at least one");
  JudgeSummary summary;
  summary.articles = verdicts.size();
  std::vector<double> signs;
  for (const ArticleVerdict& verdict : verdicts) {
    const Win win = verdict.win();
    summary.wins += win == Win::kFirst;
    summary.losses += win == Win::kSecond;
    summary.ties += win == Win::kTie;
    signs.push_back(win == Win::kFirst ? 1 : win == Win::kSecond ? -1 : 0);
  }
  const double n = static_cast<double>(summary.articles);
  const Bootstrap bootstrap(summary.articles, options);
  summary.win_rate = static_cast<double>(summary.wins) / n;
  summary.loss_rate = static_cast<double>(summary.losses) / n;
  summary.win_interval = wilson_interval(summary.wins, summary.articles);
  summary.loss_interval = wilson_interval(summary.losses, summary.articles);
  summary.difference = bootstrap.mean(signs);
  summary.sign_test = sign_test(summary.wins, summary.losses);
  summary.concise =
      summarise_question(verdicts, &ArticleVerdict::concise, bootstrap);
  summary.quality =
      summarise_question(verdicts, &ArticleVerdict::quality, bootstrap);
  return summary;
}

}  // namespace moft
