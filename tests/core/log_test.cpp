#include "moft/core/log.h"

#include <limits>

#include <gtest/gtest.h>

namespace moft {
namespace {

TEST(LogLine, KeepsKeysInOrder) {
  LogLine line;
  line.add("step", "12/40").add("reward", 0.53149).add("kl", 4.2);
  line.add("tokens", std::int64_t{81234}).add("rate", 81234.4);
  line.add("learning_rate", 1.25e-5);
  EXPECT_EQ(
      line.text(),
      "step=12/40 reward=0.531 kl=4.2 tokens=81234 rate=81234 "
      "learning_rate=1.25e-05");
}

TEST(Log, WritesWholeLinesToStandardError) {
  testing::internal::CaptureStderr();
  log_warning("careful with {}", 1);
  log_info("step {}", 2);
  EXPECT_EQ(
      testing::internal::GetCapturedStderr(),
      "warning: careful with 1\nstep 2\n");
}

TEST(FormatDuration, IsReadable) {
  EXPECT_EQ(format_duration(0.2), "0 s");
  EXPECT_EQ(format_duration(59.4), "59 s");
  EXPECT_EQ(format_duration(59.6), "1 min 00 s");
  EXPECT_EQ(format_duration(185), "3 min 05 s");
  EXPECT_EQ(format_duration(3725), "1 h 02 min");
  EXPECT_EQ(format_duration(-1), "?");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "?");
}

}  // namespace
}  // namespace moft
