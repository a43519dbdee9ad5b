// Learned rewards read rows in chunks.
#include "moft/rewards/model_reward.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/rewards/support.h"

namespace moft {
namespace {

// Sees the sizes of its chunks; each row's number is its completion's length.
class Chunked : public ModelReward {
 public:
  Chunked() : ModelReward("chunked") {}

  mutable std::vector<std::size_t> sizes;
  std::string unreadable = "none of them";

 protected:
  std::vector<double> compute_chunk(const RewardBatch& chunk) const override {
    sizes.push_back(chunk.rows());
    std::vector<double> values;
    for (std::size_t row = 0; row < chunk.rows(); ++row) {
      if (chunk.completions[row] == unreadable)
        throw RewardRowError(row, "cannot read it");
      values.push_back(static_cast<double>(chunk.completions[row].size()));
    }
    return values;
  }
};

TEST(ModelReward, ReadsRowsInChunksAndNamesTheRowThatFails) {
  std::vector<std::string> completions;
  std::vector<double> lengths;
  for (std::size_t row = 0; row < 37; ++row) {
    completions.push_back(std::string(row + 1, 'x'));
    lengths.push_back(static_cast<double>(row + 1));
  }
  Chunked reward;
  const RewardBatch batch = batch_of(completions);
  EXPECT_EQ(reward.score(batch), lengths);
  EXPECT_EQ(reward.sizes, (std::vector<std::size_t>{16, 16, 5}));
  EXPECT_EQ(
      reward.score(rows_of(batch, 16, 32)),
      std::vector<double>(lengths.begin() + 16, lengths.begin() + 32));
  reward.unreadable = completions[20];
  EXPECT_EQ(
      world_error(reward, batch),
      "reward 'chunked': cannot read it; prompt 'prompt 20', completion '" +
          completions[20] + "'");
}

}  // namespace
}  // namespace moft
