// Every steered set on every family: what conditioning promises of a whole
// model, its files and its export.
#include <ATen/core/grad_mode.h>

#include "tests/generation/support.h"
#include "tests/support/tiny_t5.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

using test::distance;
using test::mixed;
using test::normal_tensor;
using test::same_bits;
using test::tiny_batch;

enum class Family { kLlama, kTiedLlama, kT5, kT5V10 };

struct Case {
  std::string name;
  Family family;
  SteeredSet set;
  bool freeze_shared = false;
};

// A feed-forward matrix and the norms: linears and others, some in each layer.
constexpr const char* kPattern = "down_proj|wo\\.weight|norm";

class SteeredSets : public test::TinyPolicyTest,
                    public testing::WithParamInterface<Case> {
 protected:
  SteeredSets() {
    fs::remove_all(base());
    const Family family = GetParam().family;
    if (family == Family::kLlama || family == Family::kTiedLlama) {
      test::TinyModel shape;
      shape.tied = family == Family::kTiedLlama;
      test::write_tiny_model(base(), shape);
    } else {
      test::TinyT5Shape shape;
      shape.gated = family == Family::kT5;
      shape.tied = family == Family::kT5V10;
      test::write_tiny_t5(base(), shape);
    }
  }

  std::unique_ptr<SteeredPolicy> make() const {
    PolicyDefinition made = definition(GetParam().set);
    if (GetParam().set == SteeredSet::kPattern) {
      made.conditioning.pattern = kPattern;
    }
    made.conditioning.freeze_shared = GetParam().freeze_shared;
    LoadedModel loaded = load_language_model(base());
    auto tokenizer = load_base_tokenizer(base(), loaded);
    return std::make_unique<SteeredPolicy>(
        std::move(loaded), std::move(tokenizer), made, 7);
  }
  std::unique_ptr<SteeredPolicy> make_trained() const {
    auto policy = make();
    test::perturb(*policy->conditioning());
    return policy;
  }

  at::Tensor plain_logits() const {
    const LoadedModel plain = load_language_model(base());
    return logits(
        *plain.model,
        tiny_batch(),
        RowSteering::uniform(Coefficients::frozen_reference()));
  }

  // Whether beta = 1 gives the reference.
  bool mixes_back() const {
    return GetParam().freeze_shared || GetParam().set == SteeredSet::kFull ||
           GetParam().set == SteeredSet::kLora;
  }
};

std::vector<Coefficients> steerings() {
  return {
      mixed(0.0, {0.3, 0.7}),
      mixed(0.4, {0.6, 0.4}),
      mixed(0.0, {1.0, 0.0}),
      mixed(1.0, {0.5, 0.5}),
      Coefficients::frozen_reference()};
}

std::vector<CompletionRequest> requests() {
  std::vector<CompletionRequest> result;
  std::uint32_t row = 0;
  for (const TokenIds& prompt : {TokenIds{3, 9, 4}, TokenIds{7, 8}}) {
    for (const double w : {0.0, 0.3}) {
      CompletionRequest request;
      request.prompt = prompt;
      request.steering = Steering{Weighting({w, 1 - w}), 0.2};
      request.key = {5, Purpose::kToken, 0, row++};
      result.push_back(std::move(request));
    }
  }
  return result;
}

GenerateOptions six_tokens() {
  GenerateOptions options;
  options.max_new_tokens = 6;
  return options;
}

TEST_P(SteeredSets, AnUntrainedPolicyIsTheReferenceBitForBit) {
  const auto policy = make();
  const at::Tensor expected = plain_logits();
  for (const Coefficients& c : steerings()) {
    const auto steering = RowSteering::uniform(c);
    EXPECT_TRUE(
        same_bits(logits(policy->model(), tiny_batch(), steering), expected));
  }
}

TEST_P(SteeredSets, KlIsExactlyZeroAtTheStartAndNotLater) {
  const auto policy = make();
  const auto total = [&] {
    double kl = 0.0;
    for (const auto& row : policy->complete_with_kl(requests(), six_tokens())) {
      for (const float value : row.exact_kl)
        kl += std::abs(value);
    }
    return kl;
  };
  EXPECT_EQ(total(), 0.0);
  test::perturb(*policy->conditioning());
  EXPECT_GT(total(), 1e-3);
}

TEST_P(SteeredSets, TheReferenceStaysThePlainModelBitForBit) {
  const auto policy = make_trained();
  EXPECT_TRUE(same_bits(
      logits(
          policy->model(),
          tiny_batch(),
          RowSteering::uniform(Coefficients::frozen_reference())),
      plain_logits()));
}

TEST_P(SteeredSets, BetaOneIsTheReferenceWhereAllThatIsTrainedIsMixed) {
  const auto policy = make_trained();
  const auto beta_one = RowSteering::uniform(mixed(1.0, {0.3, 0.7}));
  const at::Tensor found = logits(policy->model(), tiny_batch(), beta_one);
  if (mixes_back()) {
    EXPECT_TRUE(same_bits(found, plain_logits()));
  } else {
    EXPECT_GT(distance(found, plain_logits()), 1e-3);
  }
}

TEST_P(SteeredSets, AOneHotWeightingIsThatCopyBitForBit) {
  const auto policy = make_trained();
  const auto merged = policy->conditioning()->merged(mixed(0.0, {0.0, 1.0}));
  std::size_t steered = 0;
  for (const auto& parameter : policy->model().steerable().parameters) {
    if (parameter->role() == ParameterRole::kFrozen) continue;
    const bool shared = parameter->role() == ParameterRole::kShared;
    EXPECT_TRUE(same_bits(
        merged.at(parameter->name()), parameter->copies().at(shared ? 0 : 1)))
        << parameter->name();
    steered += shared ? 0 : 1;
  }
  const bool copies = GetParam().set != SteeredSet::kNone &&
                      GetParam().set != SteeredSet::kLora;
  EXPECT_EQ(steered > 0, copies);
}

TEST_P(SteeredSets, OutputsFollowTheWeighting) {
  const auto policy = make_trained();
  const auto answer = [&](double w) {
    const auto c = RowSteering::uniform(mixed(0.0, {w, 1 - w}));
    return logits(policy->model(), tiny_batch(), c);
  };
  const double change = distance(answer(0.2), answer(0.3));
  if (GetParam().set == SteeredSet::kNone) {
    EXPECT_EQ(change, 0.0);
  } else {
    EXPECT_GT(change, 1e-4);
  }
  EXPECT_GT(distance(answer(0.2), plain_logits()), 1e-4);
}

// Rows of the policy beside rows of the frozen reference too.
TEST_P(SteeredSets, RowsOfSeveralSteeringsEqualEachAlone) {
  const auto policy = make_trained();
  const auto all = steerings();
  const auto alone = [&](std::size_t k) {
    return logits(policy->model(), tiny_batch(), RowSteering::uniform(all[k]));
  };
  for (std::size_t a = 0; a < all.size(); ++a) {
    for (std::size_t b = 0; b < all.size(); ++b) {
      const auto many = RowSteering::per_row(
          all,
          {static_cast<std::int64_t>(a), static_cast<std::int64_t>(b)},
          at::kCPU);
      const at::Tensor together = logits(policy->model(), tiny_batch(), many);
      EXPECT_LT(
          distance(together.narrow(0, 0, 7), alone(a).narrow(0, 0, 7)), 2e-5);
      EXPECT_LT(
          distance(together.narrow(0, 7, 1), alone(b).narrow(0, 7, 1)), 2e-5);
    }
  }
}

// Sampling uses cached decoding; scoring the whole sequence at once.
TEST_P(SteeredSets, SampledAndScoredLogProbabilitiesAgree) {
  const auto policy = make_trained();
  const auto rows = policy->complete_with_kl(requests(), six_tokens());
  std::vector<ScoreRequest> scoring;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    scoring.push_back(
        {requests()[r].prompt, rows[r].tokens, requests()[r].steering});
  }
  const auto scores =
      policy->score(scoring, {.with_reference = true, .with_exact_kl = true});
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t t = 0; t < rows[r].tokens.size(); ++t) {
      EXPECT_NEAR(scores[r].log_probs[t], rows[r].log_probs[t], 5e-5);
      EXPECT_NEAR(scores[r].exact_kl[t], rows[r].exact_kl[t], 5e-5);
    }
  }
}

// d loss / d theta_i, and of the shared parameters, along a random direction,
// by central differences.
TEST_P(SteeredSets, GradientsAreTheSlopesOfTheLoss) {
  const auto policy = make_trained();
  Conditioning& conditioning = *policy->conditioning();
  const auto c = mixed(0.2, {0.25, 0.75});
  const at::Tensor shape =
      logits(policy->model(), tiny_batch(), RowSteering::uniform(c));
  const at::Tensor push = normal_tensor(shape.sizes().vec(), 1).to(at::kDouble);
  const auto loss = [&] {
    const at::Tensor values = policy->model().completion_logits(
        tiny_batch(), RowSteering::uniform(c));
    return (values.to(at::kDouble) * push).sum();
  };
  conditioning.zero_gradient();
  conditioning.note_steerings({c});
  conditioning.begin_gradient(c);
  loss().backward();
  conditioning.end_gradient(c);
  at::NoGradGuard no_gradient;
  const auto& trained = conditioning.trained();
  const auto gradients = conditioning.gradients();
  using Copy = std::optional<std::size_t>;
  for (const Copy copy : {Copy(0), Copy(1), Copy()}) {
    std::vector<at::Tensor> masters;
    std::vector<at::Tensor> directions;
    double expected = 0;
    for (std::size_t p = 0; p < trained.size(); ++p) {
      if (trained[p].copy != copy) continue;
      ASSERT_TRUE(gradients[p].tensor.defined()) << trained[p].name;
      const auto row = 2000 + static_cast<std::uint32_t>(p);
      masters.push_back(trained[p].master);
      directions.push_back(normal_tensor(trained[p].master.sizes().vec(), row));
      expected += gradients[p].coefficient *
                  (gradients[p].tensor.to(at::kDouble) * directions.back())
                      .sum()
                      .item<double>();
    }
    if (masters.empty()) continue;
    const auto loss_at = [&](double step) {
      std::vector<at::Tensor> saved;
      for (std::size_t k = 0; k < masters.size(); ++k) {
        saved.push_back(masters[k].clone());
        masters[k].add_(directions[k] * step);
      }
      conditioning.masters_changed();
      const double value = loss().item<double>();
      for (std::size_t k = 0; k < masters.size(); ++k)
        masters[k].copy_(saved[k]);
      conditioning.masters_changed();
      return value;
    };
    constexpr double kStep = 5e-4;
    const double slope = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
    const std::string which = copy ? std::to_string(*copy) : "shared";
    EXPECT_NEAR(slope, expected, 0.01 * std::abs(expected) + 0.05) << which;
    EXPECT_GT(std::abs(expected), 0.1) << which;
  }
}

TEST_P(SteeredSets, APolicyComesBackBitForBit) {
  const auto policy = make_trained();
  save_policy(*policy, base(), folder_ / "policy", "card\n");
  const auto loaded = load_policy(folder_ / "policy");
  const auto wanted = policy->conditioning()->tensors();
  const auto found = loaded->conditioning()->tensors();
  ASSERT_EQ(found.size(), wanted.size());
  for (const auto& [name, value] : wanted)
    EXPECT_TRUE(same_bits(found.at(name), value)) << name;
  for (const Coefficients& c : steerings()) {
    const auto steering = RowSteering::uniform(c);
    EXPECT_TRUE(same_bits(
        logits(loaded->model(), tiny_batch(), steering),
        logits(policy->model(), tiny_batch(), steering)));
  }
}

TEST_P(SteeredSets, AnExportIsThePlainModelOfThatSteering) {
  const auto policy = make_trained();
  save_policy(*policy, base(), folder_ / "policy", "card\n");
  const Steering steering{Weighting({0.3, 0.7}), 0.2};
  export_policy(*policy, folder_ / "policy", steering, folder_ / "plain");
  const auto plain = load_policy(folder_ / "plain");
  const auto c = RowSteering::uniform(policy->coefficients_of(steering));
  EXPECT_LT(
      distance(
          logits(
              plain->model(),
              tiny_batch(),
              RowSteering::uniform(Coefficients::frozen_reference())),
          logits(policy->model(), tiny_batch(), c)),
      1e-5);
}

std::vector<Case> cases() {
  const std::vector<std::pair<std::string, Family>> families{
      {"llama", Family::kLlama},
      {"tied_llama", Family::kTiedLlama},
      {"t5", Family::kT5},
      {"t5_v10", Family::kT5V10}};
  std::vector<Case> result;
  for (const auto& [name, family] : families) {
    for (const SteeredSet set :
         {SteeredSet::kFull,
          SteeredSet::kAttention,
          SteeredSet::kLogits,
          SteeredSet::kPattern,
          SteeredSet::kNone,
          SteeredSet::kLora}) {
      const std::string both = name + "_" + enum_name(set);
      result.push_back({both, family, set, false});
      const bool shares = set == SteeredSet::kAttention ||
                          set == SteeredSet::kLogits ||
                          set == SteeredSet::kPattern;
      if (shares) result.push_back({both + "_frozen", family, set, true});
    }
  }
  return result;
}

INSTANTIATE_TEST_SUITE_P(
    Sets, SteeredSets, testing::ValuesIn(cases()), [](const auto& one) {
      return one.param.name;
    });

}  // namespace
}  // namespace moft
