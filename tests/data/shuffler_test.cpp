#include "moft/data/shuffler.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

TEST(Shuffler, EveryEpochIsAPermutation) {
  Shuffler shuffler(7, 100);
  std::vector<std::size_t> first = shuffler.next(100);
  std::vector<std::size_t> second = shuffler.next(100);
  EXPECT_NE(first, second);
  std::vector<std::size_t> all(100);
  std::iota(all.begin(), all.end(), std::size_t{0});
  EXPECT_NE(first, all);
  EXPECT_TRUE(std::is_permutation(first.begin(), first.end(), all.begin()));
  EXPECT_TRUE(std::is_permutation(second.begin(), second.end(), all.begin()));
}

// All 3! orders of the first epoch are equally likely over seeds: chi square
// with 5 degrees of freedom stays below its 99.9% quantile, 20.5.
TEST(Shuffler, OrdersAreUniform) {
  std::map<std::vector<std::size_t>, int> counts;
  constexpr int kSeeds = 6000;
  for (int seed = 0; seed < kSeeds; ++seed) {
    ++counts[Shuffler(seed, 3).next(3)];
  }
  ASSERT_EQ(counts.size(), 6u);
  double chi_square = 0;
  for (const auto& [order, count] : counts) {
    chi_square += std::pow(count - kSeeds / 6.0, 2) / (kSeeds / 6.0);
  }
  EXPECT_LT(chi_square, 20.5);
}

TEST(Shuffler, ContinuesFromEveryCursor) {
  constexpr std::size_t kCount = 5;
  Shuffler undisturbed(3, kCount);
  const std::vector<std::size_t> all = undisturbed.next(3 * kCount);
  Shuffler walker(3, kCount);
  for (std::size_t done = 0; done < all.size(); ++done) {
    Shuffler resumed(3, kCount);
    resumed.next(4);  // earlier contents must not matter
    resumed.seek(walker.cursor());
    const std::vector<std::size_t> rest = resumed.next(all.size() - done);
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), all.begin() + done))
        << "after " << done;
    walker.next();
  }
  EXPECT_EQ(walker.cursor(), (ShuffleCursor{2, kCount}));
}

TEST(Shuffler, KeepsTheFilesOrderWhenAsked) {
  Shuffler shuffler(7, 3, ExampleOrder::kFile);
  EXPECT_EQ(shuffler.next(7), (std::vector<std::size_t>{0, 1, 2, 0, 1, 2, 0}));
}

TEST(Shuffler, SeedsAreIndependent) {
  EXPECT_NE(Shuffler(1, 50).next(50), Shuffler(2, 50).next(50));
}

TEST(Shuffler, RefusesNothingAndForeignCursors) {
  EXPECT_THROW(Shuffler(1, 0), CallerError);
  Shuffler shuffler(1, 3);
  EXPECT_THROW(shuffler.seek({0, 4}), CallerError);
}

}  // namespace
}  // namespace moft
