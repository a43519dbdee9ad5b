#include "moft/weightings/grid.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

TEST(SimplexCover, TwoObjectivesAreEvenSteps) {
  const auto cover = simplex_cover(2, 5);
  ASSERT_EQ(cover.size(), 5u);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(cover[i].values(), (std::vector<double>{i / 4.0, 1 - i / 4.0}));
  }
  EXPECT_EQ(simplex_cover(2, 11).size(), 11u);
  EXPECT_EQ(simplex_cover(2, 11)[3][0], 0.3);
}

TEST(SimplexCover, CoarsestLatticeWithEnoughPoints) {
  // C(H + 2, 2) = 3, 6, 10, 15; C(H + 3, 3) = 4, 10, 20.
  EXPECT_EQ(simplex_cover(3, 2).size(), 3u);
  EXPECT_EQ(simplex_cover(3, 10).size(), 10u);
  EXPECT_EQ(simplex_cover(3, 11).size(), 15u);
  EXPECT_EQ(simplex_cover(4, 11).size(), 20u);
  EXPECT_EQ(simplex_cover(1, 7), (std::vector<Weighting>{Weighting({1.0})}));
  EXPECT_EQ(simplex_cover(3, 1), (std::vector{Weighting::uniform(3)}));
}

TEST(SimplexLattice, IsOrderedDistinctAndHoldsTheCorners) {
  const auto points = simplex_lattice(4, 6);
  EXPECT_EQ(points.size(), 84u);  // C(9, 3)
  EXPECT_TRUE(std::is_sorted(points.begin(), points.end()));
  EXPECT_EQ(std::set(points.begin(), points.end()).size(), points.size());
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(
        std::count(points.begin(), points.end(), Weighting::corner(4, i)), 1);
  }
}

TEST(SimplexLattice, RefusesTheEmptyAndTheEnormous) {
  EXPECT_THROW(simplex_cover(0, 3), CallerError);
  EXPECT_THROW(simplex_cover(3, 0), CallerError);
  EXPECT_THROW(simplex_cover(2, 2'000'000), CallerError);
  EXPECT_THROW(simplex_lattice(3, 0), CallerError);
  EXPECT_THROW(simplex_lattice(50, 50), CallerError);
  EXPECT_THROW(simplex_lattice(2, ~std::size_t{0}), CallerError);
}

}  // namespace
}  // namespace moft
