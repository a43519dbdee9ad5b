// The program's door: commands, help, exit codes.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cli/support.h"

namespace moft::test {
namespace {

void expect_refusal(
    const std::vector<std::string>& arguments, const std::string& sentence) {
  ProgramResult result = run_moft(arguments);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "moft: " + sentence + "\n");
  EXPECT_EQ(result.out, "");
}

TEST(Program, WithoutACommandShowsHelpAndFails) {
  ProgramResult result = run_moft({});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("Usage: moft"), std::string::npos);
  EXPECT_EQ(result.err, run_moft({"help"}).out);
  EXPECT_EQ(result.err, run_moft({"--help"}).out);
}

TEST(Program, NamesTheNearestCommandOrOption) {
  expect_refusal(
      {"recpie"},
      "command 'recpie' is not known to 'moft'; did you mean 'recipe'?");
  expect_refusal(
      {"wibble"},
      "command 'wibble' is not known to 'moft'; 'moft help' shows what is");
  expect_refusal(
      {"--hlep"},
      "option '--hlep' is not known to 'moft'; did you mean '--help'?");
  expect_refusal(
      {"version", "--wibble"},
      "option '--wibble' is not known to 'moft version'; 'moft help version' "
      "shows what is");
  expect_refusal(
      {"help", "recipe", "shwo"},
      "command 'shwo' is not known to 'moft recipe'; did you mean 'show'?");
}

TEST(Program, HelpSaysHowToCallACommand) {
  ProgramResult help = run_moft({"help", "recipe", "show"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(
      help.out.find("Usage: moft recipe show [OPTIONS] RECIPE [OVERRIDES...]"),
      std::string::npos);
  EXPECT_EQ(help.out, run_moft({"recipe", "show", "--help"}).out);
}

TEST(Program, HelpExplainsRecipeKeys) {
  ProgramResult help = run_moft({"help", "training.steps"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(
      help.out,
      "training.steps: whole number (default: 40)\n"
      "    number of updates of the policy; from 1 to 1000000000 [steps]\n");
}

TEST(Program, VersionPrintsWhatABugReportNeeds) {
  ProgramResult version = run_moft({"version"});
  EXPECT_EQ(version.exit_code, 0);
  for (std::string key :
       {"moft ",
        "revision ",
        "build ",
        "libtorch ",
        "devices ",
        "cpu capability ",
        "threads ",
        "system "}) {
    EXPECT_NE(version.out.find(key), std::string::npos) << key;
  }
  EXPECT_EQ(version.out.find("unknown-"), std::string::npos);
  EXPECT_EQ(version.out, run_moft({"--version"}).out);
}

}  // namespace
}  // namespace moft::test
