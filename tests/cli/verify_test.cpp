// `moft verify` on the real program.
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/cli/support.h"

namespace moft::test {
namespace {

TEST(Verify, EveryLineOfTheProgramEndsWithOk) {
  const TemporaryFolder folder;
  const auto picture = folder.path() / "front.svg";
  const ProgramResult result =
      run_moft({"verify", "--picture", picture.string()}, folder.path());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  std::istringstream lines(result.out);
  int oracles = 0;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.ends_with(" ok")) << line;
    oracles += line.find(": expected ") != std::string::npos &&
               line.find(", obtained ") != std::string::npos &&
               line.find(", error ") != std::string::npos;
  }
  EXPECT_GT(oracles, 150);
  EXPECT_TRUE(read_file(picture).starts_with("<svg"));
}

TEST(Verify, SaysWhereTheTrainedChecksAre) {
  const TemporaryFolder folder;
  const ProgramResult result = run_moft({"verify", "--trained"}, folder.path());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("scripts/verify_trained"), std::string::npos);
}

}  // namespace
}  // namespace moft::test
