// Oracles: figures of fronts, pairwise judging, ROUGE.
#include "verify/oracles_fronts.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include <fmt/format.h>

#include "moft/evaluation/hypervolume.h"
#include "moft/evaluation/metrics.h"
#include "moft/evaluation/win_rate.h"
#include "moft/rewards/porter_stemmer.h"
#include "moft/rewards/rouge.h"

#include "verify/splitmix.h"

namespace moft::exact {
namespace {

// |normal| directions on the unit sphere, scaled by .8 to 1.
Rows random_front(int objectives, int points) {
  SplitMix64 random(1000 * objectives + points);
  Rows front;
  for (int i = 0; i < points; ++i) {
    Vector direction = random.normals(objectives);
    for (double& x : direction)
      x = std::abs(x);
    const double length = std::sqrt(dot(direction, direction));
    const double scale = .8 + .2 * random.uniform();
    for (double& x : direction)
      x = x / length * scale;
    front.push_back(direction);
  }
  return front;
}

// All (i_1, .., i_d) / steps with sum steps: volume C(steps, d) / steps^d.
void add_lattice(
    Rows& rows, Vector start, int left, int steps, int objectives) {
  if (static_cast<int>(start.size()) + 1 == objectives) {
    start.push_back(static_cast<double>(left) / steps);
    rows.push_back(start);
    return;
  }
  for (int i = 0; i <= left; ++i) {
    Vector next = start;
    next.push_back(static_cast<double>(i) / steps);
    add_lattice(rows, next, left - i, steps, objectives);
  }
}

Rows lattice(int objectives, int steps) {
  Rows rows;
  add_lattice(rows, {}, steps, steps, objectives);
  return rows;
}

Rows quarter_circle(int points) {
  Rows rows;
  for (int i = 0; i < points; ++i) {
    const double angle = std::numbers::pi / 2 * i / (points - 1);
    rows.push_back({std::cos(angle), std::sin(angle)});
  }
  return rows;
}

void verify_volumes(OracleBook& book) {
  for (const auto& row : expected("hypervolume: random points")) {
    const int objectives = row.at("objectives");
    const int points = row.at("points");
    book.equal(
        fmt::format(
            "hypervolume: {} random points in {} objectives",
            points,
            objectives),
        row.at("volume"),
        hypervolume(random_front(objectives, points), Row(objectives, 0.0)),
        1e-12);
  }
  book.known(
      "hypervolume: lattice of 12 steps, 3 objectives",
      hypervolume(lattice(3, 12), {0, 0, 0}));
  book.known(
      "hypervolume: lattice of 8 steps, 4 objectives",
      hypervolume(lattice(4, 8), {0, 0, 0, 0}));
  book.known(
      "hypervolume: 11 points of a quarter circle",
      hypervolume(quarter_circle(11), {0, 0}));
  book.known(
      "hypervolume: 101 points of a quarter circle",
      hypervolume(quarter_circle(101), {0, 0}));
  const Rows two = {{1, .5}, {.5, 1}};
  book.known("hypervolume: two boxes", hypervolume(two, {0, 0}));
  book.known(
      "hypervolume: two boxes from (-1, -1)", hypervolume(two, {-1, -1}));
  book.known(
      "hypervolume: on and below the reference",
      hypervolume({{-1, 5}, {0, 5}}, {0, 0}));
}

void verify_indicators(OracleBook& book) {
  Rows weightings;
  Row first_weights;
  for (int i = 0; i <= 10; ++i) {
    weightings.push_back({1 - i / 10.0, i / 10.0});
    first_weights.push_back(1 - i / 10.0);
  }
  const auto verify_front = [&](const char* name, const Rows& front) {
    const Rows scores = cross_scores(front, weightings);
    Row first_rewards;
    for (const Row& row : front)
      first_rewards.push_back(row[0]);
    book.known(
        fmt::format(
            "indicators: {} front (utility, best, evenness, rank)", name),
        {mean_utility(scores),
         best_utility(scores),
         evenness(front),
         spearman(first_weights, first_rewards)});
  };
  const Rows circle = quarter_circle(11);
  verify_front("circle", circle);
  verify_front("line", weightings);
  verify_front("collapsed", Rows(11, Row{.7, .7}));
  verify_front("reversed", Rows(circle.rbegin(), circle.rend()));
}

// Outcomes of the two questions: A, B or inconsistent.
void verify_win_rule(OracleBook& book) {
  const auto outcome = [](char c) {
    if (c == 'A') return QuestionOutcome::kFirst;
    return c == 'B' ? QuestionOutcome::kSecond : QuestionOutcome::kInconsistent;
  };
  std::string obtained;
  for (const std::string pair :
       {"AA", "AI", "IA", "BB", "BI", "IB", "AB", "BA", "II"}) {
    const Win win = article_winner(outcome(pair[0]), outcome(pair[1]));
    obtained += win == Win::kFirst ? 'A' : win == Win::kSecond ? 'B' : 'T';
  }
  book.same("judging: AA AI IA BB BI IB AB BA II", "AAABBBTTT", obtained);
  book.known(
      "judging: wins of a judge with a place bias of .5 .7 .9",
      {null_judge(.5).win, null_judge(.7).win, null_judge(.9).win});
}

void verify_rouge(OracleBook& book) {
  for (const auto& row : expected("ROUGE")) {
    RougeOptions options;
    options_from_json(options, row.at("options"), "expected.json");
    const RougeScore score = rouge(
        options.variant,
        row.at("reference").get<std::string>(),
        row.at("candidate").get<std::string>(),
        {.stem = options.stem, .t5_newlines = options.t5_newlines});
    const double precision = row.at("precision");
    const double recall = row.at("recall");
    const double sum = precision + recall;
    book.equal_all(
        fmt::format("ROUGE: {} (P, R, F1)", row.at("name").get<std::string>()),
        {precision, recall, sum > 0 ? 2 * precision * recall / sum : 0},
        {score.precision, score.recall, score.f1},
        1e-15);
  }
  const auto& stems = expected("stems");
  std::string wrong;
  for (const auto& [word, stem] : stems.items()) {
    if (porter_stem(word) != stem) wrong += (wrong.empty() ? "" : " ") + word;
  }
  book.same(
      fmt::format("stems: {} words, those that differ", stems.size()),
      "none",
      wrong.empty() ? "none" : wrong);
}

}  // namespace

void verify_fronts(OracleBook& book) {
  verify_volumes(book);
  verify_indicators(book);
  verify_win_rule(book);
  verify_rouge(book);
}

}  // namespace moft::exact
