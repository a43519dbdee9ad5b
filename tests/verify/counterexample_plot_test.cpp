// The picture of the counterexample.
#include "verify/counterexample_plot.h"

#include <gtest/gtest.h>

namespace moft::exact {
namespace {

// The legend shows the known MOFT after 20,000 steps, and each front has its
// eleven marks.
TEST(CounterexamplePlot, ShowsBothFrontsWithTheirValues) {
  const std::string svg = counterexample_svg();
  EXPECT_TRUE(svg.starts_with("<svg"));
  EXPECT_NE(svg.find("experts mixed: value 0.743"), std::string::npos);
  EXPECT_NE(svg.find("trained together: value 0.807"), std::string::npos);
  std::size_t marks = 0;
  for (std::size_t at = svg.find("lambda"); at != std::string::npos;
       at = svg.find("lambda", at + 1)) {
    ++marks;
  }
  EXPECT_EQ(marks, 22u);
}

}  // namespace
}  // namespace moft::exact
