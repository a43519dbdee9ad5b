// Sizes of the steered sets: the toy T5 of docs/paper.md's row 28, and the
// paper's own models, whose weights are never read here.
#include <gtest/gtest.h>

#include "moft/conditioning/conditioning.h"
#include "moft/conditioning/steered_set.h"
#include "moft/core/errors.h"
#include "moft/models/decoder_model.h"
#include "moft/models/t5/model.h"

namespace moft {
namespace {

const FindParameter kZeros = [](const std::string&,
                                const std::vector<std::int64_t>& shape) {
  const std::int64_t width = shape.size() < 2 ? shape[0] : shape[1];
  return [width](std::int64_t begin, std::int64_t end, float* target) {
    std::fill_n(target, (end - begin) * width, 0.0F);
  };
};

struct Shape {
  std::int64_t width, feed_forward, layers, heads;
  std::int64_t head_size = 64;
  std::int64_t vocabulary = 32128;
};

T5Model make_t5(const Shape& shape, bool v10) {
  T5Config config;
  config.vocabulary = shape.vocabulary;
  config.width = shape.width;
  config.encoder_layers = shape.layers;
  config.decoder_layers = shape.layers;
  config.heads = shape.heads;
  config.head_size = shape.head_size;
  config.feed_forward = shape.feed_forward;
  config.gated = !v10;
  config.tied_head = v10;
  config.activation = v10 ? T5Activation::kRelu : T5Activation::kGelu;
  config.end_tokens = {1};
  return T5Model(config, kZeros, LoadOptions());
}

ConditioningOptions options_of(
    SteeredSet set, std::optional<std::int64_t> layers = {}) {
  ConditioningOptions options;
  options.steered_set = set;
  options.attention.layers = layers;
  return options;
}

std::int64_t steered(T5Model& model, const ConditioningOptions& options) {
  Steerable& steerable = model.steerable();
  const auto chosen = choose_steered(steerable, options);
  std::int64_t count = 0;
  for (std::size_t p = 0; p < chosen.size(); ++p) {
    if (chosen[p]) count += steerable.parameters[p]->numel();
  }
  return count;
}

// Row 28: parameters of a policy with m objectives.
TEST(SteeredSetSizes, OfTheToyT5AreThoseOfThePaper) {
  const Shape toy{32, 64, 2, 2, 16, 100};
  struct Row {
    SteeredSet set;
    std::optional<std::int64_t> layers;
    std::int64_t steered;
    std::vector<std::int64_t> policies;  // m = 1, 2, 3
  };
  const std::vector<Row> rows{
      {SteeredSet::kFull, {}, 56064, {56064, 112128, 168192}},
      {SteeredSet::kAttention, {}, 24576, {56064, 80640, 105216}},
      {SteeredSet::kAttention, 1, 12288, {56064, 68352, 80640}},
      {SteeredSet::kLogits, {}, 3200, {56064, 59264, 62464}},
      {SteeredSet::kNone, {}, 0, {56064, 56064, 56064}}};
  for (const Row& row : rows) {
    for (std::size_t m = 1; m <= 3; ++m) {
      T5Model model = make_t5(toy, false);
      std::vector<std::string> objectives;
      for (std::size_t i = 0; i < m; ++i)
        objectives.push_back(std::to_string(i));
      const auto installed = install_conditioning(
          model.steerable(), options_of(row.set, row.layers), objectives, 1);
      const Conditioning& conditioning = *installed;
      const ParameterCounts counts = conditioning.counts();
      EXPECT_EQ(counts.model, 56064);
      EXPECT_EQ(counts.steered, row.steered);
      EXPECT_EQ(counts.shared, 56064 - row.steered);
      EXPECT_EQ(counts.policy, row.policies[m - 1]);
      EXPECT_EQ(counts.trained, row.policies[m - 1]);
    }
  }
}

// A tied head is untied: the embedding stays shared, m heads are added.
TEST(SteeredSetSizes, ATiedHeadIsUntied) {
  T5Model model = make_t5({32, 64, 2, 2, 16, 100}, true);
  const std::int64_t plain = model.info().parameters;
  const auto installed = install_conditioning(
      model.steerable(), options_of(SteeredSet::kLogits), {"a", "b"}, 1);
  const Conditioning& conditioning = *installed;
  EXPECT_EQ(conditioning.counts().model, plain);
  EXPECT_EQ(conditioning.counts().steered, 3200);
  EXPECT_EQ(conditioning.counts().policy, plain + 2 * 3200);
  EXPECT_TRUE(model.steerable().head_untied);
}

// Row 71, and rows 33 and 35: shares of the paper's models.
TEST(SteeredSetSizes, OfThePapersModels) {
  struct Row {
    Shape shape;
    bool v10;
    std::int64_t parameters;
  };
  const Shape flan_large{1024, 2816, 24, 16};
  const Shape large{1024, 4096, 24, 16};
  const std::vector<Row> rows{
      {{512, 2048, 6, 8}, true, 60506624},
      {{768, 3072, 12, 12}, true, 222903552},
      {large, true, 737668096},
      {{512, 1024, 8, 6}, false, 76961152},
      {{768, 2048, 12, 12}, false, 247577856},
      {flan_large, false, 783150080},
      {{2048, 5120, 24, 32}, false, 2849757184}};
  for (const Row& row : rows)
    EXPECT_EQ(make_t5(row.shape, row.v10).info().parameters, row.parameters);
  const auto share =
      [&](const Shape& shape, bool v10, std::optional<std::int64_t> layers) {
        T5Model model = make_t5(shape, v10);
        const auto options = options_of(SteeredSet::kAttention, layers);
        return static_cast<double>(steered(model, options)) /
               static_cast<double>(model.info().parameters);
      };
  EXPECT_NEAR(share(flan_large, false, {}), .386, .0005);
  EXPECT_NEAR(share(flan_large, false, 12), .193, .0005);
  EXPECT_NEAR(share(large, true, 12), .205, .0005);
}

TEST(SteeredSetChoice, WhatChoosesNothingIsRefused) {
  T5Model model = make_t5({32, 64, 2, 2, 16, 100}, false);
  ConditioningOptions options = options_of(SteeredSet::kPattern);
  options.pattern = "no_such_parameter";
  EXPECT_THROW(choose_steered(model.steerable(), options), CallerError);
  EXPECT_THROW(
      choose_steered(model.steerable(), options_of(SteeredSet::kAttention, 3)),
      CallerError);
  options.pattern = "EncDecAttention";
  EXPECT_EQ(steered(model, options), 2 * 4096);
}

TEST(SteeredSetChoice, FrozenLayersBelowTheFirstSteeredOneStayPlain) {
  const auto first = [](ConditioningOptions options) {
    T5Model model = make_t5({32, 64, 2, 2, 16, 100}, false);
    options.freeze_shared = true;
    const auto installed =
        install_conditioning(model.steerable(), options, {"a"}, 1);
    return model.steerable().first_steered_layer;
  };
  EXPECT_EQ(first(options_of(SteeredSet::kLogits)), 4);
  EXPECT_EQ(first(options_of(SteeredSet::kAttention)), 0);
  ConditioningOptions options = options_of(SteeredSet::kPattern);
  options.pattern = "EncDecAttention\\.[qk]";
  EXPECT_EQ(first(options), 2);
  options.pattern = "decoder\\.final_layer_norm";
  EXPECT_EQ(first(options), 0);
}

TEST(SteeredSetChoice, OptionsThatContradictEachOtherAreRefused) {
  ConditioningOptions options = options_of(SteeredSet::kPattern);
  EXPECT_THROW(options.check("conditioning."), CallerError);
  options.pattern = "a(";
  EXPECT_THROW(options.check("conditioning."), CallerError);
  options.pattern = "attention";
  EXPECT_NO_THROW(options.check("conditioning."));
  options.steered_set = SteeredSet::kFull;
  EXPECT_THROW(options.check("conditioning."), CallerError);
  ConditioningOptions none = options_of(SteeredSet::kNone);
  EXPECT_NO_THROW(none.check(""));
  none.freeze_shared = true;
  EXPECT_THROW(none.check(""), CallerError);
}

}  // namespace
}  // namespace moft
