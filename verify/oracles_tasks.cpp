// Oracles: tasks.
#include "verify/oracles_tasks.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "verify/counterexample.h"
#include "verify/enum_task.h"
#include "verify/estimator_task.h"
#include "verify/splitmix.h"

namespace moft::exact {
namespace {

Vector figures(const CounterexampleFront& front) {
  return {front.moft, front.max_regret, front.hypervolume, front.hull};
}

constexpr const char* kFigures = " (MOFT, largest regret, volume, hull)";

struct CounterexampleRow {
  int steps;
  Vector soup, together;
};

void verify_exact_gradients(OracleBook& book) {
  const std::vector<CounterexampleRow> kRows = {
      {200,
       {.7306868598712878,
        .22174550201593124,
        .46294857186035765,
        .5419347627446609},
       {.7454662359739498,
        .20510028812655545,
        .6173909195072118,
        .6191998992803053}},
      {2000,
       {.7390494700504585,
        .24101716359053438,
        .3906547336546714,
        .5133014450061357},
       {.7916098770912356,
        .025374748531506564,
        .7046299829281578,
        .7431405382257129}},
      {20000,
       {.7428015394644107,
        .24712951426227436,
        .3465529891494273,
        .5041407396320321},
       {.8074160062736736,
        .01121137852594023,
        .6761248896245595,
        .7499602767192303}},
  };
  for (const CounterexampleRow& row : kRows) {
    const int each = row.steps / 2;
    const Vector first = train_expert(0, {.steps = each});
    const Vector second = train_expert(1, {.steps = each});
    const Matrix copies = train_together({.steps = row.steps});
    book.equal_all(
        fmt::format("counterexample: soup, {} steps{}", row.steps, kFigures),
        row.soup,
        figures(measure(mixture(first, second))),
        1e-9);
    book.equal_all(
        fmt::format("counterexample: CLP, {} steps{}", row.steps, kFigures),
        row.together,
        figures(measure(mixture(copies[0], copies[1]))),
        1e-9);
    if (row.steps != 2000) continue;
    book.equal_all(
        "counterexample: an expert's logits, 1000 steps",
        {4.8601878296517285, -3.129250977880815, -1.730936851771},
        first,
        1e-9);
    book.equal_all(
        "counterexample: a copy's logits, 2000 steps",
        {4.727319810327, -6.707160233877, 1.979840423550},
        copies[0],
        1e-9);
  }
}

void verify_closed_forms(OracleBook& book) {
  double best = 0;
  for (int k = 0; k < 100; ++k)
    best += best_reward((k + .5) / 100) / 100;
  book.equal("counterexample: MOFT of the optimum", .8125, best, 1e-12);
  book.equal(
      "counterexample: MOFT of the uniform policy",
      7.0 / 12,
      measure(mixture({0, 0, 0}, {0, 0, 0})).moft,
      1e-12);
  book.equal(
      "counterexample: largest regret of 99 R_i",
      .0003516793577497124,
      measure(witness(99)).max_regret,
      1e-12);
  book.at_most(
      "counterexample: largest regret of 400 R_i",
      1e-6,
      measure(witness(400)).max_regret);
  book.equal_all(
      fmt::format("counterexample: optimum at alpha .1{}", kFigures),
      {.7828505177495798,
       .04352467771912949,
       .6965363557780753,
       .7318943921096853},
      figures(measure(regularised_optimum(.1))),
      1e-12);
  const Matrix& rewards = counterexample_rewards();
  const EnumeratedProblem problem = {Vector(3, -std::log(3.0)), rewards};
  double worst = 0;
  for (int i = 0; i <= 10; ++i) {
    const double lambda = i / 10.0;
    const Vector best_pi =
        exponentials(optimum(problem, {1 - lambda, lambda}, .01).log_probs);
    const Vector mixed = regularised_optimum(.01)(lambda);
    for (int a = 0; a < 3; ++a)
      worst = std::max(worst, std::abs(best_pi[a] - mixed[a]));
  }
  book.at_most(
      "counterexample: logits of exact optima mix exactly, alpha .01",
      1e-12,
      worst);
  const Vector first = train_expert(0, {.steps = 1000, .alpha = .01});
  const Vector second = train_expert(1, {.steps = 1000, .alpha = .01});
  book.equal(
      "counterexample: soup at alpha .01, largest regret",
      .2393697178654447,
      measure(mixture(first, second)).max_regret,
      1e-9);
  const Vector early = train_expert(0, {.steps = 100'000});
  book.equal(
      "counterexample: third output of the soup after 100000 steps",
      .0036464084772353128,
      mixture(early, {early[1], early[0], early[2]})(.5)[2],
      1e-12);
}

struct BanditRow {
  std::uint64_t seed;
  int outputs, objectives;
  double alpha;
  Vector w;
  double value;
};

}  // namespace

void verify_counterexample(OracleBook& book) {
  verify_exact_gradients(book);
  verify_closed_forms(book);
}

void verify_bandits(OracleBook& book) {
  const std::vector<BanditRow> kRows = {
      {11, 5, 2, 0.01, {1.0, 0.0}, 0.9485860392980688},
      {11, 5, 2, 0.01, {0.0, 1.0}, 0.8793646576481169},
      {11, 5, 2, 0.01, {0.5, 0.5}, 0.8805699166871349},
      {11, 5, 2, 0.1, {1.0, 0.0}, 0.8322197980736256},
      {11, 5, 2, 0.1, {0.0, 1.0}, 0.6995730936057362},
      {11, 5, 2, 0.1, {0.5, 0.5}, 0.7586196699353602},
      {11, 5, 2, 0.9, {1.0, 0.0}, 0.07847009618725774},
      {12, 8, 2, 0.1, {1.0, 0.0}, 0.7053893055468776},
      {12, 8, 2, 0.9, {1.0, 0.0}, 0.06183792033766522},
      {13, 10, 3, 0.1, {1.0, 0.0, 0.0}, 0.49806040610043945},
      {13, 10, 3, 0.9, {1.0, 0.0, 0.0}, 0.03168537636100443},
      {14, 50, 3, 0.1, {1.0, 0.0, 0.0}, 0.676787275129181},
      {14, 50, 3, 0.9, {1.0, 0.0, 0.0}, 0.053624506188513055},
      {15, 1000, 4, 0.1, {1.0, 0.0, 0.0, 0.0}, 0.6837922885746222},
      {15, 1000, 4, 0.9, {1.0, 0.0, 0.0, 0.0}, 0.049967017939008686},
  };
  for (const BanditRow& row : kRows) {
    const EnumeratedProblem bandit =
        make_bandit(row.seed, row.outputs, row.objectives);
    book.equal(
        fmt::format(
            "bandit {}: V* at alpha {}, w1 {:.2g}",
            row.seed,
            row.alpha,
            row.w[0]),
        row.value,
        optimum(bandit, row.w, row.alpha).value,
        1e-12);
  }
  const EnumeratedProblem small = make_bandit(11, 5, 2);
  const PolicyScore score =
      score_policy(small, optimum(small, {1, 0}, .1).log_probs, {1, 0}, .1);
  book.equal_all(
      "bandit 11: V, KL, V_1, V_2 of the optimum, alpha .1",
      {0.8322197980736256,
       0.26307901234186204,
       0.8322197980736256,
       0.6736935894126457},
      {score.value, score.kl, score.values[0], score.values[1]},
      1e-12);
  book.equal(
      "bandit 11: alpha 1 gives the reference",
      0,
      score_policy(small, optimum(small, {1, 0}, 1).log_probs, {1, 0}, 1).value,
      0);

  // Row 82: one reward, many KL strengths.
  Vector divergences;
  for (const double alpha : {.01, .02, .05, .1, .2, .5, .9, 1.0}) {
    const Vector w = {.9, .1};
    const Vector best = optimum(small, w, alpha).log_probs;
    divergences.push_back(score_policy(small, best, w, alpha).kl);
  }
  book.equal_all(
      "bandit 11: KL of the optimum from alpha .01 to 1",
      {.492796, .337675, .270265, .254812, .195457, .035039, .000572, 0},
      divergences,
      5e-7);

  double lemma = 0, linear = 0;
  SplitMix64 random(4242);
  for (int i = 0; i < 1000; ++i) {
    const EnumeratedProblem bandit = make_bandit(random.next_u64(), 6, 3);
    const Vector w = random.dirichlet1(3);
    const double alpha = .02 + .98 * random.uniform();
    const Vector policy = log_softmax(random.normals(6));
    const PolicyScore own = score_policy(bandit, policy, w, alpha);
    const double loss = optimum(bandit, w, alpha).value - own.value;
    lemma = std::max(
        lemma, std::abs(loss - loss_to_optimum(bandit, policy, w, alpha)));
    linear = std::max(linear, std::abs(dot(w, own.values) - own.value));
  }
  book.at_most(
      "bandits: V* - V = alpha KL(pi || pi*), 1000 cases", 1e-13, lemma);
  book.at_most("bandits: V = sum w_i V_i, 1000 cases", 1e-14, linear);
}

void verify_estimators(OracleBook& book) {
  struct Row {
    KlTreatment treatment;
    double largest, cosine;
  };
  using enum KlTreatment;
  constexpr Row kRows[] = {
      {kSequenceK1, 0, 1},
      {kRewardToGo, 0, 1},
      {kTokenDirectAndFuture, 0, 1},
      {kSequenceK2, .03742468474667327, .945683515327863},
      {kSequenceK3, .054673278176664605, .9022110108797246},
      {kTokenDirect, .02831614969734568, .9658045292231733},
      {kFullKl, .0737677936319742, .7575921987085571},
      {kNone, .07376779363197418, .7575921987085569},
      {kWrongSign, .14753558728395222, -.4037433784055542},
  };
  const EstimatorTask task(.2);
  book.equal_all(
      "estimators: J, KL, V* of the task of 15 outputs",
      {.34454741258812005, .7693428733117851, .6105675186762392},
      {task.score().value,
       task.score().kl,
       optimum(task.problem(), task.w(), task.alpha()).value},
      1e-13);
  for (const Row& row : kRows) {
    const GradientError error =
        compare(task.gradient(row.treatment), task.exact_gradient());
    // The wrong ones were measured against finite differences.
    const bool exact = row.largest == 0;
    book.equal_all(
        fmt::format(
            "estimators: {} (largest error, cosine)",
            kl_treatment_name(row.treatment)),
        {row.largest, row.cosine},
        {error.largest, error.cosine},
        exact ? 1e-14 : 1e-8);
  }
  book.equal_all(
      "estimators: variance without and with a baseline",
      {.23205278714804017, .12034180969743148},
      {task.trace_variance(0), task.trace_variance(task.mean_reward())},
      1e-9);
  const EstimatorTask mixed(.05);
  book.equal_all(
      "estimators: mixing amount, J, KL with the reference mixed in",
      {.7894736842105264, .5100472024049837, .02378622609895943},
      {mixed.beta(), mixed.score().value, mixed.score().kl},
      1e-13);
}

void verify_enum_task(OracleBook& book) {
  const EnumTask task;
  book.equal(
      "ENUM-1: number of answers",
      156,
      static_cast<double>(task.answers().size()),
      0);
  struct Row {
    double alpha;
    Vector w;
    double value, kl;
  };
  const std::vector<Row> kRows = {
      {0.01, {1.0, 0.0, 0.0}, 0.8648430431417315, 2.615467955382334},
      {0.01, {0.0, 1.0, 0.0}, 0.9514182799818813, 3.8581718273482504},
      {0.01, {0.0, 0.0, 1.0}, 0.9845303532961813, 0.5469646703818429},
      {0.01, {0.5, 0.5, 0.0}, 0.7836737638131159, 4.130544756530724},
      {0.01,
       {1.0 / 3, 1.0 / 3, 1.0 / 3},
       0.7250643375058616,
       2.6810617587166794},
      {0.1, {1.0, 0.0, 0.0}, 0.5883692656539368, 1.6066270021694897},
      {0.1, {0.0, 1.0, 0.0}, 0.5761164591072886, 2.075590996935827},
      {0.1, {0.0, 0.0, 1.0}, 0.846356752701507, 0.5030246676570422},
      {0.1, {0.5, 0.5, 0.0}, 0.4768812622496432, 1.5254062147389957},
      {0.1, {1.0 / 3, 1.0 / 3, 1.0 / 3}, 0.520239393733522, 0.7522022246612496},
      {0.5, {1.0, 0.0, 0.0}, 0.18944782718107897, 0.047581938515165546},
      {0.5, {0.0, 1.0, 0.0}, 0.17657986416940724, 0.04163382963293786},
      {0.5, {0.0, 0.0, 1.0}, 0.38482574116246426, 0.05849499722424825},
      {0.5, {0.5, 0.5, 0.0}, 0.17203574418213904, 0.02282863130611357},
      {0.5,
       {1.0 / 3, 1.0 / 3, 1.0 / 3},
       0.23393484484751081,
       0.018841470573674336},
  };
  for (const Row& row : kRows) {
    const PolicyScore score = task.optimal_score(row.w, row.alpha);
    book.equal_all(
        fmt::format(
            "ENUM-1: V*, KL at alpha {}, w {:.2g} {:.2g} {:.2g}",
            row.alpha,
            row.w[0],
            row.w[1],
            row.w[2]),
        {row.value, row.kl},
        {score.value, score.kl},
        1e-11);
  }
  const MixingGap tokens = token_mixing_gap(task, .5, .01);
  book.equal_all(
      "ENUM-1: loss of mixing token logits, alpha .01 (mean, largest)",
      {.02103852481545279, .0841469633261207},
      {tokens.mean, tokens.largest},
      1e-12);
  book.equal_all(
      "ENUM-1: loss of DeRa from alpha_min .01 at alpha .1, .5",
      {.007969714551255891, .0037308021416798676},
      {dera_gap(task, .01, .1).mean, dera_gap(task, .01, .5).mean},
      1e-12);
}

}  // namespace moft::exact
