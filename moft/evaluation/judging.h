// Two policies before a judge: four queries per article, the win rule, and the
// statistics of a comparison.
//
// arXiv 2407.15762, section 4.3: conciseness is compared on the summaries that
// both policies wrote under one weighting, quality on those of another; each
// question is asked in both orders. win_rate.h has the rule.
//
// Thread safety: pure functions but for the judge.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "moft/evaluation/bootstrap.h"
#include "moft/evaluation/judge.h"
#include "moft/evaluation/win_rate.h"

namespace moft {

// What policies A and B wrote about one article, under the weighting of each
// question.
struct JudgedSummaries {
  std::string article;
  std::string concise_a;
  std::string concise_b;
  std::string quality_a;
  std::string quality_b;
  const Example* example = nullptr;
};

// The judge's answers for the orders (A, B) and (B, A).
struct QuestionVerdict {
  std::string in_order;
  std::string swapped;

  // kFirst: for A.
  QuestionOutcome outcome() const {
    return question_outcome(in_order, swapped);
  }
};

struct ArticleVerdict {
  QuestionVerdict concise;
  QuestionVerdict quality;

  // kFirst: A.
  Win win() const {
    return article_winner(concise.outcome(), quality.outcome());
  }
};

using OnJudged = std::function<void(std::size_t done, std::size_t all)>;

// One verdict per article. The judge gets the queries of 16 articles at once:
// of each conciseness (A, B), (B, A), then quality (A, B), (B, A). WorldError
// when the judge gives another number of answers than it got queries.
std::vector<ArticleVerdict> judge_articles(
    Judge& judge,
    const std::vector<JudgedSummaries>& articles,
    const OnJudged& on_judged = nullptr);

// One question over all articles.
struct QuestionSummary {
  std::size_t for_a = 0;  // both orders
  std::size_t for_b = 0;
  std::size_t inconsistent = 0;
  std::size_t unparsable = 0;  // of two answers per article
  // Mean over articles of (answers for the first place - answers for the
  // second) / 2: 0 for a judge without a preference for a place, 1 for one that
  // always names the first.
  Interval place_bias;
  // The share of inconsistent articles of a judge that goes by the place alone,
  // as often as this one names the first: 1 - 2 b (1 - b).
  double null_inconsistent = 0;
};

struct JudgeSummary {
  std::size_t articles = 0;
  std::size_t wins = 0;  // of A
  std::size_t losses = 0;
  std::size_t ties = 0;
  double win_rate = 0;  // wins / articles
  double loss_rate = 0;
  Proportion win_interval;  // Wilson, 95%
  Proportion loss_interval;
  Interval difference;   // (wins - losses) / articles, bootstrap over articles
  double sign_test = 1;  // exact, two-sided, ties dropped
  QuestionSummary concise;
  QuestionSummary quality;
};

// CallerError for no verdicts.
JudgeSummary summarise_verdicts(
    const std::vector<ArticleVerdict>& verdicts,
    const BootstrapOptions& options = {});

}  // namespace moft
