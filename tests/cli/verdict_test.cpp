// `moft verdict` on the real program.
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/support.h"

namespace moft::test {
namespace {

TEST(VerdictCommand, DecidesEachClaimOfAFile) {
  const TemporaryFolder folder;
  const std::string file = folder.write("claims.json", R"({"claims": [
    {"id": "3.1", "parts": [{"name": "clp - soup", "delta": 0.02,
      "seeds": [[[0.5], [0.5]], [[0.5], [0.5]]]}]},
    {"id": "3.8", "parts": [{"name": "soup - clp", "kind": "not_less",
      "seeds": [[[-0.5]], [[-0.25]]]}]}]})");
  const ProgramResult result =
      run_moft({"verdict", file, "--json"}, folder.path());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::size_t end = result.out.find('\n');
  const auto first = nlohmann::json::parse(result.out.substr(0, end));
  const auto second = nlohmann::json::parse(result.out.substr(end + 1));
  EXPECT_EQ(first["id"], "3.1");
  EXPECT_EQ(first["verdict"], "reproduced");
  EXPECT_EQ(first["parts"][0]["lower"], 0.5);
  EXPECT_EQ(second["verdict"], "contradicted");
  EXPECT_EQ(second["parts"][0]["d"], -0.375);
  const ProgramResult text = run_moft({"verdict", file}, folder.path());
  EXPECT_TRUE(text.out.starts_with(
      "3.1: reproduced\n"
      "  clp - soup: d 0.5000, 95% bounds 0.5000 and 0.5000, more than 0.02; "
      "seeds 0.5000 0.5000; reproduced\n"))
      << text.out;
}

TEST(VerdictCommand, NamesWhatIsWrongInTheFile) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& text) {
    const ProgramResult result =
        run_moft({"verdict", folder.write("c.json", text)}, folder.path());
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.out, "");
    return result.err;
  };
  EXPECT_NE(error("{}").find("claims"), std::string::npos);
  EXPECT_NE(
      error(R"({"claims": [{"id": "1", "parts": []}]})").find("claims.0.parts"),
      std::string::npos);
  EXPECT_NE(
      error(R"({"claims": [{"id": "1", "parts": [{"name": "a",
        "seeds": [[[1]], [[1], [2]]]}]}]})")
          .find("seeds.1 has 2 prompts"),
      std::string::npos);
}

}  // namespace
}  // namespace moft::test
