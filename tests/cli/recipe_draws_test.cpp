// `moft recipe draws` (row 56): figure 11's histograms.
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cli/support.h"

namespace moft::test {
namespace {

// Shares of the twenty bins by quantity.
std::map<std::string, std::vector<double>> shares_of(
    const std::vector<std::string>& words) {
  const ProgramResult result = run_moft(words);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  std::istringstream lines(result.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "quantity,from,to,share");
  std::map<std::string, std::vector<double>> shares;
  while (std::getline(lines, line)) {
    shares[line.substr(0, line.find(','))].push_back(
        std::stod(line.substr(line.rfind(',') + 1)));
  }
  return shares;
}

TEST(RecipeDraws, InverseSamplerMakesTheMixingAmountUniform) {
  const auto shares = shares_of({"recipe", "draws", "paper/multi-kl"});
  ASSERT_EQ(shares.at("f_mix").size(), 20u);
  for (const double share : shares.at("f_mix"))
    EXPECT_NEAR(share, .05, .005);
  // f_mix(.05) and f_mix(.1) at alpha_min .01.
  EXPECT_NEAR(shares.at("alpha")[0], .8080808, .005);
  EXPECT_NEAR(shares.at("alpha")[1], .9090909 - .8080808, .005);
  EXPECT_EQ(shares.at("relevance")[18], 1);  // the weighting is fixed at .9
}

TEST(RecipeDraws, ConcentrationMovesWeightsFromCornersToTheMiddle) {
  const std::vector<std::string> words = {
      "recipe", "draws", "paper/nli-rouge", "--steps", "20000"};
  const auto uniform = shares_of(words);
  for (const double share : uniform.at("rouge"))
    EXPECT_NEAR(share, .05, .01);
  // The KL strength is fixed, so nothing of the reference is mixed in.
  EXPECT_EQ(uniform.at("f_mix")[0], 1);

  auto crowded_words = words;
  crowded_words.push_back("weightings.concentration=100");
  const auto crowded = shares_of(crowded_words);
  EXPECT_GT(crowded.at("rouge")[9] + crowded.at("rouge")[10], .8);
}

}  // namespace
}  // namespace moft::test
