// Oracles: fronts.
#include "verify/oracles_fronts.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include <fmt/format.h>

#include "moft/evaluation/hypervolume.h"
#include "moft/evaluation/metrics.h"
#include "moft/evaluation/win_rate.h"

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
  struct RandomFront {
    int objectives, points;
    double volume;  // above 0
  };
  constexpr RandomFront kFronts[] = {
      {2, 5, .561492820251553},
      {2, 10, .573611488931389},
      {2, 30, .691518185636686},
      {3, 5, .121094678575109},
      {3, 10, .195595859466025},
      {3, 30, .265879150852997},
      {3, 60, .352977758532742},
      {4, 5, .027313088396229},
      {4, 10, .059101962062925},
      {4, 14, .081346968384697},
      {4, 60, .123523370772533},
  };
  for (const RandomFront& front : kFronts) {
    book.equal(
        fmt::format(
            "hypervolume: {} random points in {} objectives",
            front.points,
            front.objectives),
        front.volume,
        hypervolume(
            random_front(front.objectives, front.points),
            Row(front.objectives, 0.0)),
        1e-12);
  }
  book.equal(
      "hypervolume: lattice of 12 steps, 3 objectives",
      220.0 / 1728.0,
      hypervolume(lattice(3, 12), {0, 0, 0}),
      1e-12);
  book.equal(
      "hypervolume: lattice of 8 steps, 4 objectives",
      70.0 / 4096.0,
      hypervolume(lattice(4, 8), {0, 0, 0, 0}),
      1e-12);
  book.equal(
      "hypervolume: 11 points of a quarter circle",
      .742821471789,
      hypervolume(quarter_circle(11), {0, 0}),
      1e-11);
  book.equal(
      "hypervolume: 101 points of a quarter circle",
      .781438794027,
      hypervolume(quarter_circle(101), {0, 0}),
      1e-11);
  const Rows two = {{1, .5}, {.5, 1}};
  book.equal("hypervolume: two boxes", .75, hypervolume(two, {0, 0}), 1e-15);
  book.equal(
      "hypervolume: two boxes from (-1, -1)",
      3.75,
      hypervolume(two, {-1, -1}),
      1e-15);
  book.equal(
      "hypervolume: on and below the reference",
      0,
      hypervolume({{-1, 5}, {0, 5}}, {0, 0}),
      0);
}

void verify_indicators(OracleBook& book) {
  Rows weightings;
  Row first_weights;
  for (int i = 0; i <= 10; ++i) {
    weightings.push_back({1 - i / 10.0, i / 10.0});
    first_weights.push_back(1 - i / 10.0);
  }
  const auto first_of = [](const Rows& rows) {
    Row column;
    for (const Row& row : rows)
      column.push_back(row[0]);
    return column;
  };
  const Rows circle = quarter_circle(11);
  Rows line, reversed(circle.rbegin(), circle.rend());
  for (const Row& w : weightings)
    line.push_back(w);
  const Rows collapsed(11, Row{.7, .7});
  struct Expected {
    const char* name;
    const Rows& front;
    double utility, best, evenness, spearman;
  };
  const Expected kFronts[] = {
      {"circle", circle, .8293074490799479, .8293074490799479, 1, 1},
      {"line", line, .7, .7727272727272727, 1, 1},
      {"collapsed", collapsed, .7, .7, 0, 0},
      {"reversed", reversed, .416711163299571, .8293074490799479, 1, -1},
  };
  for (const Expected& e : kFronts) {
    const Rows scores = cross_scores(e.front, weightings);
    book.equal_all(
        fmt::format(
            "indicators: {} front (utility, best, evenness, rank)", e.name),
        {e.utility, e.best, e.evenness, e.spearman},
        {mean_utility(scores),
         best_utility(scores),
         evenness(e.front),
         spearman(first_weights, first_of(e.front))},
        1e-12);
  }
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
  book.equal_all(
      "judging: wins of a judge with a place bias of .5 .7 .9",
      {.3125, .2877, .1557},
      {null_judge(.5).win, null_judge(.7).win, null_judge(.9).win},
      1e-12);
}

}  // namespace

void verify_fronts(OracleBook& book) {
  verify_volumes(book);
  verify_indicators(book);
  verify_win_rule(book);
}

}  // namespace moft::exact
