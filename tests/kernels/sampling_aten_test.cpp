// The way of other devices, on the CPU, against the CPU's own way.
#include "moft/kernels/sampling_aten.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/kernels/sampling.h"

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Marks that no rounding can move across a border between tokens.
TEST(SamplingAten, DrawsAsRowsDo) {
  const auto logits = numbers({64, 5000}, 7) * 6;
  std::vector<double> uniforms;
  for (int i = 0; i < 64; ++i)
    uniforms.push_back((i + 0.37) / 64);
  for (const SampleOptions& options :
       {SampleOptions{},
        SampleOptions{.temperature = 0.3},
        SampleOptions{.temperature = 1.7},
        SampleOptions{.greedy = true}}) {
    ASSERT_TRUE(can_sample_aten(options, 5000));
    const auto wanted = sample_rows(logits, options, uniforms);
    const auto got = sample_rows_aten(logits, options, uniforms);
    EXPECT_TRUE(at::equal(got.ids, wanted.ids));
    EXPECT_LE(distance(got.log_probs, wanted.log_probs), 5e-6);
  }
  EXPECT_FALSE(can_sample_aten({.top_k = 3}, 5000));
  EXPECT_FALSE(can_sample_aten({.top_p = 0.9}, 5000));
  EXPECT_TRUE(can_sample_aten({.top_k = 5000, .top_p = 1.0}, 5000));
}

TEST(SamplingAten, NeverPicksAForbiddenTokenAndRefusesBrokenLogits) {
  auto row = at::full({1, 3000}, -kInf);
  row[0][7] = 1.0f;
  row[0][2500] = 1.0f;
  for (const double u : {0.0, 0.4999, 0.5001, std::nextafter(1.0, 0.0)}) {
    const std::vector<double> uniforms{u};
    const auto id =
        sample_rows_aten(row, {}, uniforms).ids.item<std::int64_t>();
    EXPECT_EQ(id, u < 0.5 ? 7 : 2500);
  }
  const std::vector<double> half{0.5};
  for (const float bad : {std::nanf(""), kInf}) {
    auto broken = at::zeros({1, 70});
    broken[0][40] = bad;
    EXPECT_THROW(sample_rows_aten(broken, {}, half), WorldError);
  }
  EXPECT_THROW(sample_rows_aten(at::full({1, 9}, -kInf), {}, half), WorldError);
}

}  // namespace
}  // namespace moft::kernels
