// Wide jobs do their work on weights once.
#include <cmath>
#include <map>
#include <mutex>

#include "moft/generation/generate.h"
#include "moft/models/families.h"
#include "moft/models/random/initialise.h"

#include "tests/generation/support.h"

namespace moft {
namespace {

// A wide job whose rows have come to share one steering: the tied table is read
// row by row under it and multiplied source by source.
TEST(WideGeneration, PacksEachMatrixOnceHoweverManyTokens) {
  RandomModelOptions shape;
  shape.family = random_family("llama");
  shape.layers = 1;
  shape.width = 16;
  shape.heads = 2;
  shape.feed_forward = 24;
  RandomModelTokens tokens;
  tokens.count = 40;
  tokens.end = 1;
  const auto config = random_model_config(shape, tokens);
  ASSERT_TRUE(config.at("tie_word_embeddings").get<bool>());
  std::mutex mutex;
  std::map<std::string, std::int64_t> read;  // rows of the frozen reference
  const FindParameter find = [&](const std::string& name,
                                 std::vector<std::int64_t> size) {
    const std::int64_t width = size.back();
    return kernels::RowSource(
        [&, name, width](std::int64_t begin, std::int64_t end, float* target) {
          const std::lock_guard lock(mutex);
          read[name] += end - begin;
          for (std::int64_t i = begin * width; i < end * width; ++i)
            *target++ = 0.3F * std::sin(static_cast<float>(i));
        });
  };
  const auto model =
      family_of_config(config, "random").make(config, "random", find, {});
  ConditioningOptions full;
  full.steered_set = SteeredSet::kFull;
  const auto conditioning =
      install_conditioning(model->steerable(), full, {"short", "kind"}, 1);
  conditioning->expect_steerings(5);
  ASSERT_EQ(conditioning->steering_way(5), "wide product");
  GenerateBatch batch;
  batch.prompts = {{3, 9}};
  batch.steerings = {test::mixed(0.0, {0.3, 0.7})};
  batch.rows = {{0, 0}};
  batch.keys = {{5, Purpose::kTest, 1, 0}};
  GenerateOptions nine;
  nine.max_new_tokens = 9;
  read.clear();
  const Generations answer = generate(*model, batch, nine);
  EXPECT_EQ(answer.rows[0].tokens.size(), 9U);
  EXPECT_GT(read.size(), 5U);
  for (const auto& parameter : model->steerable().parameters) {
    if (parameter->shape().size() != 2) continue;
    EXPECT_EQ(read[parameter->name()], parameter->size(0)) << parameter->name();
  }
}

}  // namespace
}  // namespace moft
