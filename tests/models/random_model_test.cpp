// Random weights: transformers' spreads, and the same numbers every time.
#include <cmath>
#include <fstream>
#include <optional>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/fields.h"
#include "moft/models/random/initialise.h"

#include "tests/support/tensors.h"

namespace moft::test {
namespace {

nlohmann::json reference() {
  const std::string path = std::string(MOFT_SOURCE_DIR) +
                           "/tests/reference/training/initialisation.json";
  return nlohmann::json::parse(std::ifstream(path));
}

RandomModelOptions small(const std::string& family) {
  RandomModelOptions options;
  options.family = random_family(family);
  options.layers = 2;
  options.width = 16;
  options.heads = 2;
  options.feed_forward = 24;
  return options;
}

RandomModelTokens tokens() {
  RandomModelTokens tokens;
  tokens.count = 130;
  tokens.end = 1;
  tokens.padding = 0;
  return tokens;
}

class RandomModel : public testing::TestWithParam<const char*> {};

// Both are estimates from n draws: each is off by sigma / sqrt(2 n).
TEST_P(RandomModel, HasTheSpreadsOfTransformers) {
  const nlohmann::json expected = reference().at(GetParam());
  const LoadedModel made = make_random_model(expected.at("config"), 5);
  const auto& parameters = made.model->steerable().parameters;
  EXPECT_EQ(parameters.size(), expected.at("deviations").size());
  for (const auto& parameter : parameters) {
    const double wanted =
        expected.at("deviations").at(parameter->name()).get<double>();
    const at::Tensor value = parameter->reference().to(at::kDouble);
    const double found = value.std(/*unbiased=*/false).item<double>();
    const auto n = static_cast<double>(value.numel());
    EXPECT_NEAR(found, wanted, 5.0 * wanted / std::sqrt(n))
        << parameter->name();
    const double mean = value.mean().item<double>();
    const bool norm = wanted == 0.0;
    EXPECT_NEAR(mean, norm ? 1.0 : 0.0, 5.0 * wanted / std::sqrt(n))
        << parameter->name();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    RandomModel,
    testing::Values("t5_v10", "t5_v11", "llama"),
    [](const auto& kind) { return std::string(kind.param); });

TEST(RandomModels, DependOnTheSeedAlone) {
  const auto config = random_model_config(small("t5"), tokens());
  const LoadedModel a = make_random_model(config, 3);
  const LoadedModel b = make_random_model(config, 3);
  const LoadedModel c = make_random_model(config, 4);
  const auto& names = a.model->steerable().parameters;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& value = names[i]->reference();
    EXPECT_TRUE(
        same_bits(value, b.model->steerable().parameters[i]->reference()));
    const bool norm = names[i]->shape().size() == 1;
    EXPECT_EQ(
        same_bits(value, c.model->steerable().parameters[i]->reference()),
        norm);
  }
}

TEST(RandomModels, RoundTheVocabularyUp) {
  const auto config = random_model_config(small("t5"), tokens());
  EXPECT_EQ(config.at("vocab_size"), 256);
  EXPECT_EQ(config.at("num_decoder_layers"), 2);
  EXPECT_EQ(config.at("feed_forward_proj"), "relu");
}

TEST(RandomModels, AFeedForwardIsNamedAsTransformersReadsIt) {
  RandomModelOptions options = small("t5");
  options.activation = RandomActivation::kGelu;
  EXPECT_EQ(
      random_model_config(options, tokens()).at("feed_forward_proj"),
      "gelu_new");
  options.gated = true;
  EXPECT_EQ(
      random_model_config(options, tokens()).at("feed_forward_proj"),
      "gated-gelu");
}

std::string error_of(
    const RandomModelOptions& options, const RandomModelTokens& tokens) {
  try {
    options.check("model.random.");
    random_model_config(options, tokens);
  } catch (const CallerError& error) {
    return error.what();
  }
  return "none";
}

TEST(RandomModels, RefuseShapesThatCannotBe) {
  RandomModelOptions options = small("t5");
  options.width = 17;
  EXPECT_EQ(
      error_of(options, tokens()),
      "model.random.width is 17, which model.random.heads = 2 do not divide; "
      "give a head_size");
  options = small("llama");
  options.head_size = 5;
  EXPECT_EQ(
      error_of(options, tokens()),
      "model.random: llama's rotary embeddings need an even head size");
  options = small("llama");
  options.key_value_heads = 3;
  EXPECT_EQ(
      error_of(options, tokens()),
      "model.random.key_value_heads is 3, which does not divide "
      "model.random.heads = 2");
  options = small("t5");
  options.vocabulary = 129;
  EXPECT_EQ(
      error_of(options, tokens()),
      "model.random.vocabulary is 129, but the tokenizer has 130 tokens; give "
      "at least as many");
  RandomModelTokens none = tokens();
  none.padding = -1;
  EXPECT_EQ(
      error_of(small("t5"), none),
      "model.random.tokenizer has no <pad>, which t5's decoder starts with; "
      "give a T5 tokenizer");
}

struct SomeModel {
  std::optional<RandomModelOptions> random;

  template <class V>
  void fields(V& v) {
    v("random", random, Help{"a model"});
  }
};

// The table of families says what there is; the line and the nearest name are
// those of every other setting.
TEST(RandomModels, AFamilyThatIsNotThereIsNamedAtItsLine) {
  SomeModel model;
  try {
    read_options(model, "# a comment\nrandom:\n  family: gema\n", "m.yaml");
    ADD_FAILURE() << "read";
  } catch (const CallerError& error) {
    // Another test may have added a family.
    std::string names;
    for (const auto& [family, name] : enum_names(RandomFamily()))
      names += (names.empty() ? "" : ", ") + name;
    EXPECT_EQ(
        error.what(),
        "m.yaml:3: random.family is 'gema'; give one of " + names +
            " (did you mean 'gemma'?)");
  }
  for (const char* name : {"llama", "gemma", "t5"})
    EXPECT_EQ(enum_name(random_family(name)), name);
  EXPECT_THROW(random_family("bert"), CallerError);
  override_option(model, "random.family=gemma");
  EXPECT_EQ(options_to_json(model)["random"]["family"], "gemma");
}

}  // namespace
}  // namespace moft::test
