// Oracles: tasks and theory.
#include "verify/oracles_tasks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <fmt/format.h>

#include "verify/counterexample.h"
#include "verify/enum_task.h"
#include "verify/estimator_task.h"
#include "verify/multi_kl.h"
#include "verify/splitmix.h"
#include "verify/theory.h"

namespace moft::exact {
namespace {

Vector figures(const CounterexampleFront& front) {
  return {front.moft, front.max_regret, front.hypervolume, front.hull};
}

constexpr const char* kFigures = " (MOFT, largest regret, volume, hull)";

void verify_exact_gradients(OracleBook& book) {
  for (const int steps : {200, 2000, 20000}) {
    const Vector first = train_expert(0, {.steps = steps / 2});
    const Vector second = train_expert(1, {.steps = steps / 2});
    const Matrix copies = train_together({.steps = steps});
    book.known(
        fmt::format("counterexample: soup, {} steps{}", steps, kFigures),
        figures(measure(mixture(first, second))));
    book.known(
        fmt::format("counterexample: CLP, {} steps{}", steps, kFigures),
        figures(measure(mixture(copies[0], copies[1]))));
    if (steps != 2000) continue;
    book.known("counterexample: an expert's logits, 1000 steps", first);
    book.known("counterexample: a copy's logits, 2000 steps", copies[0]);
  }
}

void verify_closed_forms(OracleBook& book) {
  double best = 0;
  for (int k = 0; k < 100; ++k)
    best += best_reward((k + .5) / 100) / 100;
  book.known("counterexample: MOFT of the optimum", best);
  book.known(
      "counterexample: MOFT of the uniform policy",
      measure(mixture({0, 0, 0}, {0, 0, 0})).moft);
  book.known(
      "counterexample: largest regret of 99 R_i",
      measure(witness(99)).max_regret);
  book.at_most(
      "counterexample: largest regret of 400 R_i",
      1e-6,
      measure(witness(400)).max_regret);
  book.known(
      fmt::format("counterexample: optimum at alpha .1{}", kFigures),
      figures(measure(regularised_optimum(.1))));
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
  book.known(
      "counterexample: soup at alpha .01, largest regret",
      measure(mixture(first, second)).max_regret);
  const Vector early = train_expert(0, {.steps = 100'000});
  book.known(
      "counterexample: third output of the soup after 100000 steps",
      mixture(early, {early[1], early[0], early[2]})(.5)[2]);
}

void verify_bandits(OracleBook& book) {
  for (const auto& row : expected("bandit: optima")) {
    const int seed = row.at("seed");
    const double alpha = row.at("alpha");
    const Vector w = row.at("w");
    book.equal(
        fmt::format("bandit {}: V* at alpha {}, w1 {:.2g}", seed, alpha, w[0]),
        row.at("value"),
        optimum(
            make_bandit(seed, row.at("outputs"), row.at("objectives")),
            w,
            alpha)
            .value,
        1e-12);
  }
  const EnumeratedProblem small = make_bandit(11, 5, 2);
  const PolicyScore score =
      score_policy(small, optimum(small, {1, 0}, .1).log_probs, {1, 0}, .1);
  book.known(
      "bandit 11: V, KL, V_1, V_2 of the optimum, alpha .1",
      {score.value, score.kl, score.values[0], score.values[1]});
  book.known(
      "bandit 11: alpha 1 gives the reference",
      score_policy(small, optimum(small, {1, 0}, 1).log_probs, {1, 0}, 1)
          .value);

  // Row 82: one reward, many KL strengths.
  Vector divergences;
  for (const double alpha : {.01, .02, .05, .1, .2, .5, .9, 1.0}) {
    const Vector w = {.9, .1};
    const Vector best = optimum(small, w, alpha).log_probs;
    divergences.push_back(score_policy(small, best, w, alpha).kl);
  }
  book.known("bandit 11: KL of the optimum from alpha .01 to 1", divergences);

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
  const EstimatorTask task(.2);
  book.known(
      "estimators: J, KL, V* of the task of 15 outputs",
      {task.score().value,
       task.score().kl,
       optimum(task.problem(), task.w(), task.alpha()).value});
  // The wrong ones were measured against finite differences.
  for (const auto& [treatment, name] : enum_names(KlTreatment{})) {
    const GradientError error =
        compare(task.gradient(treatment), task.exact_gradient());
    book.known(
        fmt::format("estimators: {} (largest error, cosine)", name),
        {error.largest, error.cosine});
  }
  book.known(
      "estimators: variance without and with a baseline",
      {task.trace_variance(0), task.trace_variance(task.mean_reward())});
  const EstimatorTask mixed(.05);
  book.known(
      "estimators: mixing amount, J, KL with the reference mixed in",
      {mixed.beta(), mixed.score().value, mixed.score().kl});
}

void verify_enum_task(OracleBook& book) {
  const EnumTask task;
  book.known(
      "ENUM-1: number of answers", static_cast<double>(task.answers().size()));
  for (const auto& row : expected("ENUM-1: optima")) {
    const double alpha = row.at("alpha");
    const Vector w = row.at("w");
    const PolicyScore score = task.optimal_score(w, alpha);
    book.equal_all(
        fmt::format(
            "ENUM-1: V*, KL at alpha {}, w {:.2g} {:.2g} {:.2g}",
            alpha,
            w[0],
            w[1],
            w[2]),
        {row.at("value"), row.at("kl")},
        {score.value, score.kl},
        1e-11);
  }
  const MixingGap tokens = token_mixing_gap(task, .5, .01);
  book.known(
      "ENUM-1: loss of mixing token logits, alpha .01 (mean, largest)",
      {tokens.mean, tokens.largest});
  book.known(
      "ENUM-1: loss of DeRa from alpha_min .01 at alpha .1, .5",
      {dera_gap(task, .01, .1).mean, dera_gap(task, .01, .5).mean});
}

void verify_bounds(OracleBook& book) {
  for (const auto& row : expected("theory: bounds")) {
    const std::uint64_t seed = row.at("seed");
    const MixtureReport report = bound_mixture(random_mixture(seed));
    const auto error = [&](const char* name, double obtained) {
      return std::abs(obtained / row.at(name).get<double>() - 1.0);
    };
    book.at_most(
        fmt::format(
            "theory: case {} (gap, three bounds), relative error", seed),
        1e-11,
        std::max(
            {error("gap", report.gap),
             error("corrected", report.corrected),
             error("simple", report.simple),
             error("theorem2", report.theorem2)}));
  }
  int broken = 0;
  double tightest = 0;
  for (std::uint64_t seed = 1000; seed < 6000; ++seed) {
    const MixtureReport report = bound_mixture(random_mixture(seed));
    const double bound = std::min(
        {report.theorem1, report.theorem2, report.corrected, report.simple});
    broken += report.gap > bound * (1 + 1e-9);
    tightest = std::max(tightest, report.gap / report.corrected);
  }
  book.known("theory: bounds broken in 5000 random cases", broken);
  book.at_least("theory: largest gap / corrected bound in those", .9, tightest);
  for (const double p : {1e-1, 1e-2, 1e-3, 1e-4, 1e-6}) {
    const MixtureReport report = bound_mixture(bad_coverage(p));
    book.known(
        fmt::format("theory: bad coverage, p = {:.0e}, KL grows by", p),
        report.kl_mixture / report.kl1);
  }
  const double nothing = -std::numeric_limits<double>::infinity();
  book.equal(
      "theory: coverage constant without cover",
      std::numeric_limits<double>::infinity(),
      coverage_constant({0, nothing}, {std::log(.5), std::log(.5)}),
      0);
}

void verify_lemmas(OracleBook& book) {
  // Lemma 3 at x = (B, -B), y = (-B, B), lambda = 1/2.
  book.known(
      "lemma 3: witness, B = 1", log_partition_gap({1, -1}, {-1, 1}, .5));
  book.at_least(
      "lemma 3: the witness is above B^2 / 8, the bound as printed",
      lemma3_bound_as_printed(1),
      log_partition_gap({1, -1}, {-1, 1}, .5));
  SplitMix64 random(33);
  int printed = 0, corrected = 0, base = 0, both = 0, fifth = 0;
  for (int i = 0; i < 20000; ++i) {
    const int n = 2 + static_cast<int>(random.below(8));
    const double b = .05 * std::exp(std::log(200.0) * random.uniform());
    Vector x(n), y(n);
    double largest = 0;
    for (Vector* v : {&x, &y}) {
      for (double& value : *v) {
        value = random.uniform() < .5 ? -b : b * (2 * random.uniform() - 1);
        largest = std::max(largest, std::abs(value));
      }
    }
    const double left = log_partition_gap(x, y, random.uniform());
    printed += left > lemma3_bound_as_printed(largest) + 1e-12;
    corrected += left > lemma3_bound(largest) + 1e-12;

    x.back() = y.back() = 0;
    const double kl = kl_divergence(log_softmax(x), log_softmax(y));
    base += kl < quadratic_kl_bound(x, y, /*base_only=*/true) - 1e-12;
    both += kl < quadratic_kl_bound(x, y, /*base_only=*/false) - 1e-12;

    const Vector p = random.dirichlet1(n);
    fifth += smallest_hessian_eigenvalue(p) < lemma5_bound(p) * (1 - 1e-12);
  }
  book.at_least("lemma 3: broken as printed, of 20000", 1, printed);
  book.known("lemma 3: broken with B^2 / 2, of 20000", corrected);
  book.at_least("lemma 4: broken with p_min at one end, of 20000", 1, base);
  book.known("lemma 4: broken with p_min at both ends, of 20000", both);
  book.known("lemma 5: broken, of 20000", fifth);
  book.known(
      "lemma 5: equality at the uniform distribution of 5",
      smallest_hessian_eigenvalue(Vector(5, .2)));
}

// The fit's own stopping point shows at the ends of the curves.
void verify_multi_kl(OracleBook& book) {
  for (const auto& [seed, outputs] : {std::pair(11, 5), std::pair(12, 8)}) {
    for (const FMix f_mix : {FMix::kSoftmdp, FMix::kLinear}) {
      const MultiKlFit fit = fit_multi_kl(seed, outputs, f_mix);
      const std::string name = fmt::format(
          "many KL strengths: bandit {}, {} mixing", seed, enum_name(f_mix));
      book.known(name + ", mean regret over alpha", fit.mean_regret);
      book.known(name + ": E R from alpha .01 to 1", fit.rewards);
      book.known(name + ": KL from alpha .01 to 1", fit.kl);
      book.known(name + ": V from alpha .01 to 1", fit.values);
    }
  }
}

}  // namespace

void verify_tasks(OracleBook& book) {
  verify_exact_gradients(book);
  verify_closed_forms(book);
  verify_bandits(book);
  verify_estimators(book);
  verify_enum_task(book);
  verify_bounds(book);
  verify_lemmas(book);
  verify_multi_kl(book);
}

}  // namespace moft::exact
