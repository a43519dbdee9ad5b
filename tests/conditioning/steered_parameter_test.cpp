// What a parameter keeps of what it has mixed.
#include "moft/conditioning/steered_parameter.h"

#include <atomic>
#include <cmath>

#include <gtest/gtest.h>

#include "tests/conditioning/support.h"
#include "tests/support/tensors.h"

namespace moft {
namespace {

constexpr std::int64_t kRows = 40;
constexpr std::int64_t kWidth = 6;

// A table with two copies whose reference is read from a source that counts
// its rows.
class WideTable : public testing::Test {
 protected:
  WideTable()
      : table_(
            "table",
            {kRows, kWidth},
            at::kCPU,
            kernels::RowSource(
                [this](std::int64_t begin, std::int64_t end, float* target) {
                  read_ += end - begin;
                  for (std::int64_t i = begin * kWidth; i < end * kWidth; ++i)
                    *target++ = std::sin(static_cast<float>(i));
                })) {
    table_.make_steered(2);
    for (std::uint32_t i = 0; i < 2; ++i)
      test::set_copy(table_, i, test::normal_tensor({kRows, kWidth}, i));
    table_.set_way(SteeringWay::kWide);
    read_ = 0;
  }

  // What the wide product multiplies with.
  void use_every_source() const {
    table_.packed(Coefficients::frozen_reference());
    for (std::size_t i = 0; i < 2; ++i)
      table_.packed(Coefficients(0.0, Weighting::corner(2, i)));
  }

  std::atomic<std::int64_t> read_ = 0;
  SteeredParameter table_;
  const Coefficients c_{0.0, Weighting({0.3, 0.7})};
};

TEST_F(WideTable, AFewRowsOfAMixtureLeaveTheSourcesPacked) {
  const at::Tensor ids = at::tensor({3, 17, 3}, at::kLong);
  const at::Tensor wanted = table_.value(c_).index_select(0, ids);
  table_.copies_changed();
  for (int token = 0; token < 5; ++token) {
    EXPECT_TRUE(test::same_bits(table_.rows(ids, c_), wanted));
    use_every_source();
  }
  EXPECT_EQ(read_, kRows);
}

// As where a table's rows are taken from the whole mixture (another device).
TEST_F(WideTable, KeepsItsSourcesAndOneMixture) {
  const at::Tensor first = table_.value(c_);
  for (int token = 0; token < 5; ++token) {
    use_every_source();
    EXPECT_EQ(table_.value(c_).data_ptr(), first.data_ptr());
  }
  EXPECT_EQ(read_, kRows);
}

}  // namespace
}  // namespace moft
