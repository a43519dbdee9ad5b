// The strings are those of the acceptance notes (d_fmix.json, "prompt").
#include "moft/conditioning/prompt_prefix.h"

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

const std::vector<std::string> kTwo{"factuality", "rouge"};

TEST(PromptPrefix, IsThePapersStringToTheLetter) {
  const std::string prefix = prompt_prefix(kTwo, Weighting({0.4, 0.6}), 5);
  EXPECT_EQ(
      prefix, "factuality: 0.4 0.4 0.4 0.4 0.4; rouge: 0.6 0.6 0.6 0.6 0.6.");
  EXPECT_EQ(prefix.size(), 60U);
  EXPECT_EQ(
      prompt_prefix(kTwo, Weighting({1.0, 0.0}), 5),
      "factuality: 1.0 1.0 1.0 1.0 1.0; rouge: 0.0 0.0 0.0 0.0 0.0.");
  EXPECT_EQ(
      prompt_prefix(
          {"factuality", "rouge", "tldr"}, Weighting({0.33, 0.25, 0.42}), 5),
      "factuality: 0.33 0.33 0.33 0.33 0.33; rouge: 0.25 0.25 0.25 0.25 0.25; "
      "tldr: 0.42 0.42 0.42 0.42 0.42.");
}

TEST(PromptPrefix, RepeatsAsOftenAsAsked) {
  const Weighting w({0.4, 0.6});
  EXPECT_EQ(prompt_prefix(kTwo, w, 1), "factuality: 0.4; rouge: 0.6.");
  for (const std::int64_t n : {1, 5, 10}) {
    const std::string prefix = prompt_prefix(kTwo, w, n);
    std::int64_t found = 0;
    for (std::size_t at = prefix.find(" 0.4"); at != std::string::npos;
         at = prefix.find(" 0.4", at + 1)) {
      ++found;
    }
    EXPECT_EQ(found, n);
  }
}

TEST(PromptPrefix, NumbersAreShortAndRounded) {
  EXPECT_EQ(prompt_number(1.0 / 3), "0.33");
  EXPECT_EQ(prompt_number(2.0 / 3), "0.67");
  EXPECT_EQ(prompt_number(0.999), "1.0");
  EXPECT_EQ(prompt_number(0.004), "0.0");
  EXPECT_EQ(prompt_number(0.5), "0.5");
  EXPECT_EQ(prompt_number(0.05), "0.05");
}

TEST(PromptPrefix, ObjectivesCanHaveOtherNamesInThePrompt) {
  PromptConditioningOptions options;
  options.names = {{"nli", "factuality"}};
  const std::vector<std::string> objectives{"nli", "rouge"};
  EXPECT_EQ(prompt_names(options, objectives, "conditioning.prompt"), kTwo);
  options.names = {{"tldr", "summary"}};
  try {
    prompt_names(options, objectives, "conditioning.prompt");
    ADD_FAILURE() << "a name for no objective passed";
  } catch (const CallerError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("conditioning.prompt.names"), std::string::npos);
    EXPECT_NE(message.find("tldr"), std::string::npos);
  }
}

}  // namespace
}  // namespace moft
