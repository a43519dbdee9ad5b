// Oracles: sampling, merges, optimiser, policies.
#include "verify/oracles_policies.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "moft/algorithms/adafactor.h"
#include "moft/algorithms/advantages.h"
#include "moft/conditioning/conditioning.h"
#include "moft/conditioning/mixing.h"
#include "moft/conditioning/prompt_prefix.h"
#include "moft/core/random.h"
#include "moft/models/t5/model.h"
#include "moft/rewards/objectives.h"
#include "moft/weightings/sampling.h"
#include "moft/weightings/steering.h"

#include "verify/enum_policy.h"
#include "verify/splitmix.h"

namespace moft::exact {
namespace {

constexpr int kDraws = 200'000;

void verify_generator(OracleBook& book) {
  SplitMix64 words(1);
  book.same(
      "generator: first word of seed 1",
      "10451216379200822465",
      std::to_string(words.next_u64()));
  book.same(
      "generator: second word of seed 1",
      "13757245211066428519",
      std::to_string(words.next_u64()));
  book.known("generator: uniform", SplitMix64(1).uniform());
  book.known("generator: normal", SplitMix64(1).normal());
  book.known("generator: Dirichlet(1,1,1)", SplitMix64(1).dirichlet1(3));
}

void verify_f_mix(OracleBook& book) {
  const KlRange range(0.01);
  const Vector alphas = {.01, .02, .05, .1, .5, 1.0};
  Vector amounts;
  for (const double alpha : alphas)
    amounts.push_back(range.mixing_amount(alpha));
  book.known("f_mix: softmdp, alpha_min .01", amounts);
  const KlRange linear(0.01, FMix::kLinear);
  book.known("f_mix: linear at alpha_min", linear.mixing_amount(.01));
  // Quantiles of the inverse sampler at .05 .25 .5 .75 .9 .95 .99.
  const Vector levels = {.05, .25, .5, .75, .9, .95, .99};
  const auto quantiles = [&](double alpha_min) {
    Vector result;
    for (const double level : levels)
      result.push_back(KlRange(alpha_min).alpha_of(level));
    return result;
  };
  book.known("f_mix: quantiles of alpha, alpha_min .01", quantiles(.01));
  book.known("f_mix: quantiles of alpha, alpha_min .1", quantiles(.1));
  double worst = 0;
  for (int i = 0; i <= 10000; ++i) {
    const double u = i / 10000.0;
    worst =
        std::max(worst, std::abs(range.mixing_amount(range.alpha_of(u)) - u));
  }
  book.at_most("f_mix: inverse, largest error", 1e-14, worst);
}

// Density alpha_min / ((1 - alpha_min) alpha^2): its mean, its standard
// deviation for the tolerance, and f_mix of the draws uniform.
void verify_alpha_draws(OracleBook& book) {
  const KlRange range(0.01);
  const AlphaSampler sampler(AlphaDistribution::kInverse, range);
  RandomStream stream(1, Purpose::kTest);
  double mean = 0;
  Vector amounts;
  for (int i = 0; i < kDraws; ++i) {
    const double alpha = sampler.draw(stream);
    mean += alpha / kDraws;
    amounts.push_back(range.mixing_amount(alpha));
  }
  const double deviation = std::sqrt(.007836180752789145 / kDraws);
  book.equal("alpha draws: mean", .046516870565536286, mean, 5 * deviation);
  std::sort(amounts.begin(), amounts.end());
  double gap = 0;
  for (int i = 0; i < kDraws; ++i) {
    gap = std::max(gap, std::abs(amounts[i] - (i + 0.5) / kDraws));
  }
  // Kolmogorov-Smirnov at the level of one in a thousand.
  book.at_most(
      "alpha draws: f_mix uniform, largest gap",
      1.95 / std::sqrt(static_cast<double>(kDraws)),
      gap);
}

void verify_weightings(OracleBook& book) {
  for (const auto& row : expected("Dirichlet: moments")) {
    const int objectives = row.at("objectives");
    const double one = row.at("concentration");
    const double variance = row.at("variance");  // of one weight
    const Vector concentration(objectives, one);
    RandomStream stream(2, Purpose::kTest);
    double mean = 0, square = 0, fourth = 0, corners = 0;
    const double centre = 1.0 / objectives;
    for (int i = 0; i < kDraws; ++i) {
      const Weighting w = sample_dirichlet(concentration, stream);
      const double off = w[0] - centre;
      mean += w[0] / kDraws;
      square += off * off / kDraws;
      fourth += off * off * off * off / kDraws;
      const Vector& values = w.values();
      corners += *std::max_element(values.begin(), values.end()) > .9;
    }
    const std::string name =
        fmt::format("Dirichlet({}), m = {}: ", one, objectives);
    const double root = std::sqrt(static_cast<double>(kDraws));
    book.equal(name + "mean", centre, mean, 5 * std::sqrt(variance) / root);
    book.equal(
        name + "variance",
        variance,
        square,
        5 * std::sqrt(fourth - square * square) / root);
    const double p = row.at("corner_share");
    // .0015: the notes give two of the shares to three digits.
    book.equal(
        name + "P(max w > .9)",
        p,
        corners / kDraws,
        5 * std::sqrt(p * (1 - p)) / root + .0015);
  }
}

at::Tensor tensor_of(const Vector& values) {
  return at::tensor(values, at::kDouble);
}

Vector vector_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kDouble).contiguous().reshape({-1});
  const auto* data = flat.const_data_ptr<double>();
  return Vector(data, data + flat.numel());
}

struct MergeTask {
  std::vector<at::Tensor> sources;  // reference, then copies
  Weighting w;
};

MergeTask merge_task(std::uint64_t seed, int copies, int numbers) {
  SplitMix64 random(seed);
  MergeTask task;
  for (int i = 0; i <= copies; ++i)
    task.sources.push_back(tensor_of(random.normals(numbers)));
  task.w = Weighting(random.dirichlet1(copies));
  return task;
}

double largest_difference(const Vector& a, const Vector& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

// T5 of the notes: untied, width 32, feed-forward 64, two blocks on each side,
// two heads of 16, 100 tokens.
T5Model toy_t5() {
  T5Config config;
  config.vocabulary = 100;
  config.width = 32;
  config.encoder_layers = 2;
  config.decoder_layers = 2;
  config.heads = 2;
  config.head_size = 16;
  config.feed_forward = 64;
  config.activation = T5Activation::kGelu;
  config.gated = true;
  config.tied_head = false;
  config.end_tokens = {1};
  const FindParameter zeros = [](const std::string&,
                                 const std::vector<std::int64_t>& shape) {
    const std::int64_t width = shape.back();
    return [width](std::int64_t begin, std::int64_t end, float* target) {
      std::fill_n(target, (end - begin) * width, 0.0F);
    };
  };
  return T5Model(config, zeros, LoadOptions());
}

void verify_sizes(OracleBook& book) {
  struct Case {
    SteeredSet set;
    std::optional<std::int64_t> layers;
  };
  const std::vector<Case> kCases = {
      {SteeredSet::kFull, {}},
      {SteeredSet::kAttention, {}},
      {SteeredSet::kAttention, 1},
      {SteeredSet::kLogits, {}},
      {SteeredSet::kNone, {}},
  };
  for (const auto& [set, layers] : kCases) {
    ConditioningOptions options;
    options.steered_set = set;
    options.attention.layers = layers;
    if (set == SteeredSet::kNone) options.prompt.emplace();
    Vector counts;
    std::vector<std::string> names;
    for (const char* name : {"a", "b", "c"}) {
      names.emplace_back(name);
      T5Model model = toy_t5();
      const auto installed =
          install_conditioning(model.steerable(), options, names, 1);
      const Conditioning& conditioning = *installed;
      counts.push_back(static_cast<double>(conditioning.counts().policy));
    }
    book.known(
        fmt::format(
            "sizes: toy T5 of 56064 parameters, {}{}, 1 to 3 objectives",
            enum_name(set),
            layers ? " of the first layers" : ""),
        counts);
  }
}

void verify_words(OracleBook& book) {
  const std::vector<std::string> two = {"factuality", "rouge"};
  const auto words = [&](std::vector<double> w) {
    return prompt_prefix(two, Weighting(std::move(w)), 5);
  };
  book.same(
      "words of a weighting: (.4, .6)",
      "factuality: 0.4 0.4 0.4 0.4 0.4; rouge: 0.6 0.6 0.6 0.6 0.6.",
      words({.4, .6}));
  book.same(
      "words of a weighting: (1, 0)",
      "factuality: 1.0 1.0 1.0 1.0 1.0; rouge: 0.0 0.0 0.0 0.0 0.0.",
      words({1, 0}));
  book.same(
      "words of a weighting: (.33, .25, .42)",
      "factuality: 0.33 0.33 0.33 0.33 0.33; rouge: 0.25 0.25 0.25 0.25 0.25; "
      "tldr: 0.42 0.42 0.42 0.42 0.42.",
      prompt_prefix(
          {"factuality", "rouge", "tldr"}, Weighting({.33, .25, .42}), 5));
}

// The number that a completion spells.
class Spelled : public Reward {
 public:
  using Reward::Reward;

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo&) const override {
    std::vector<double> values;
    for (const std::string& text : batch.completions)
      values.push_back(std::stod(text));
    return values;
  }
};

void verify_ranges(OracleBook& book) {
  const auto spelled = std::make_shared<Spelled>("spelled");
  const ObjectiveSet objectives(
      {{"nli", spelled, -7, 0},
       {"rouge", spelled, 19, 29},
       {"tldr", spelled, -1.6, 2}});
  const Example example;
  RewardBatch batch;
  batch.completions = {"-3.5", "24", "0", "100", ".2"};
  batch.prompts.assign(5, "");
  batch.token_counts.assign(5, 1);
  batch.examples.assign(5, &example);
  const auto mapped = objectives.score(batch).mapped;
  book.known(
      "ranges: NLI at -3.5, ROUGE at 24, 0 and 100, TLDR at .2; never clipped",
      {mapped[0][0].item<double>(),
       mapped[1][1].item<double>(),
       mapped[2][1].item<double>(),
       mapped[3][1].item<double>(),
       mapped[4][2].item<double>()});
}

// Corners, an edge, the middle, an odd one, over the KL range and both ends.
std::vector<Steering> test_steerings(const KlRange& range) {
  return {
      {Weighting::corner(3, 0), range.alpha_min()},
      {Weighting({0.5, 0.5, 0.0}), range.alpha_min()},
      {Weighting::uniform(3), range.alpha_of(0.3)},
      {Weighting({0.17, 0.22, 0.61}), range.alpha_of(0.8)},
      {Weighting::corner(3, 2), 1.0}};
}

void verify_beginning(
    OracleBook& book, const EnumPolicy& policy, const std::string& name) {
  double kl = 0.0, regret = 0.0;
  for (const Steering& steering : test_steerings(KlRange(0.1))) {
    const EnumScore score = policy.score(steering);
    kl = std::max({kl, score.kl, score.token_kl});
    regret = std::max(
        regret, std::abs(score.regret - policy.reference_regret(steering)));
  }
  book.equal_all(
      name + ": KL to the reference and regret less the reference's, untrained",
      {0.0, 0.0},
      {kl, regret},
      0.0);
}

// float32 log-probabilities: their rounding is what the tolerances allow.
void verify_identities(
    OracleBook& book, const EnumPolicy& policy, const std::string& name) {
  double mass = 0.0, lemma = 0.0, chain = 0.0, kl = 0.0;
  for (const Steering& steering : test_steerings(KlRange(0.1))) {
    const EnumScore score = policy.score(steering);
    mass = std::max(mass, score.mass_error);
    lemma = std::max(
        lemma, std::abs(score.optimal_value - score.value - score.regret));
    chain = std::max(chain, std::abs(score.token_kl - score.kl));
    kl = std::max(kl, score.kl);
  }
  book.at_most(name + ": probabilities sum to 1", 1e-6, mass);
  book.at_most(
      name + ": V* - V = alpha KL(pi || pi*), perturbed copies", 1e-6, lemma);
  book.at_most(
      fmt::format(
          "{}: KL (up to {:.2f}) is the sum of its tokens' KL", name, kl),
      1e-6,
      chain);
}

}  // namespace

void verify_sampling(OracleBook& book) {
  verify_generator(book);
  verify_f_mix(book);
  verify_alpha_draws(book);
  verify_weightings(book);
}

void verify_conditioning(OracleBook& book) {
  Vector merged;
  for (const std::uint64_t seed : {71, 72, 73}) {
    const MergeTask task =
        merge_task(seed, static_cast<int>(seed) - 70, seed == 73 ? 5 : 4);
    for (const double alpha : {.01, .05, .3, 1.0}) {
      for (const FMix f_mix : {FMix::kSoftmdp, FMix::kLinear}) {
        const Vector one = vector_of(mix(
            task.sources, coefficients({task.w, alpha}, KlRange(.01, f_mix))));
        merged.insert(merged.end(), one.begin(), one.end());
      }
    }
  }
  book.known("merge: 24 cases of equation 3", merged);

  const MergeTask task = merge_task(73, 3, 5);
  const KlRange range(.01);
  const auto merge = [&](const Weighting& w, double alpha) {
    return vector_of(mix(task.sources, coefficients({w, alpha}, range)));
  };
  book.known(
      "merge: a corner at alpha_min is that copy, bit for bit",
      largest_difference(
          merge(Weighting::corner(3, 1), .01), vector_of(task.sources[2])));
  book.known(
      "merge: alpha 1 is the reference, bit for bit",
      largest_difference(merge(task.w, 1.0), vector_of(task.sources[0])));
  // Masters are float32; the sum runs in double and is rounded once.
  const at::Tensor master = task.sources[0].to(at::kFloat);
  const std::vector<at::Tensor> equal(4, master);
  book.known(
      "merge: equal copies give the reference back, bit for bit",
      largest_difference(
          vector_of(mix(equal, coefficients({task.w, .05}, range))),
          vector_of(master)));
}

void verify_optimizer(OracleBook& book) {
  for (const auto& row : expected("Adafactor: five steps")) {
    const std::uint64_t seed = row.at("seed");
    const std::vector<std::int64_t> shape = row.at("shape");
    const Vector after = row.at("parameters");
    SplitMix64 random(seed);
    const auto draw = [&] {
      return tensor_of(random.normals(static_cast<int>(after.size())))
          .reshape(shape);
    };
    const at::Tensor master = (draw() * 0.1).to(at::kFloat);
    Adafactor adafactor(
        {{"p", master}},
        {.multiply_by_parameter_scale = row.at("multiply_by_parameter_scale"),
         .min_dim_size_to_factor = row.at("min_dim_size_to_factor")});
    for (int step = 0; step < 5; ++step)
      adafactor.step({{draw().to(at::kFloat)}}, row.at("learning_rate"));
    double largest = 0;
    for (const double value : after)
      largest = std::max(largest, std::abs(value));
    // float32: ten units in the last place of the largest.
    book.equal_all(
        fmt::format("Adafactor: five steps of seed {}", seed),
        after,
        vector_of(master),
        10 * 0x1p-24 * largest);
  }

  // (1 - alpha)(w.R - w.V) - alpha log ratio, normalised.
  SplitMix64 random(50);
  const Vector w = {.3, .7};
  const double alpha = .1;
  Vector rewards, values, advantages;
  for (Vector* list : {&rewards, &values}) {
    for (int row = 0; row < 8; ++row)
      list->push_back(dot(w, random.uniforms(2)));
  }
  for (int row = 0; row < 8; ++row) {
    const double log_ratio = .2 * random.normal();
    advantages.push_back(
        (1 - alpha) * (rewards[row] - values[row]) - alpha * log_ratio);
  }
  book.known(
      "advantages: a batch of eight, normalised",
      vector_of(make_advantages(
                    {tensor_of(advantages), at::zeros({8}, at::kDouble), {}},
                    AdvantageNormalisation::kBatch)
                    .advantages));
}

void verify_policies(OracleBook& book) {
  verify_sizes(book);
  verify_words(book);
  verify_ranges(book);
}

void verify_enum_policy(OracleBook& book) {
  for (const ModelFamily family : {ModelFamily::kLlama, ModelFamily::kT5}) {
    for (const EnumVariant variant : all_enum_variants()) {
      EnumPolicy policy(enum_policy_options(family, variant));
      const std::string name = fmt::format(
          "ENUM-1 {}, {}", family_name(family), variant_name(variant));
      if (!reads_weights(variant)) verify_beginning(book, policy, name);
      policy.perturb(0.5, 7);
      verify_identities(book, policy, name);
      // The other variants also changed parameters that all weightings share.
      if (variant == EnumVariant::kFull || variant == EnumVariant::kLora) {
        book.equal(
            name + ": KL at alpha 1, perturbed copies",
            0.0,
            policy.score({Weighting::uniform(3), 1.0}).kl,
            0.0);
      }
    }
  }
}

}  // namespace moft::exact
