// Terminal table, notes, text measures, markup, colours and ticks.
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/evaluation/markup.h"
#include "moft/evaluation/notes.h"
#include "moft/evaluation/plot.h"
#include "moft/evaluation/summarise.h"
#include "moft/evaluation/table.h"
#include "moft/evaluation/text_measures.h"

#include "tests/evaluation/support.h"

namespace moft {
namespace {

using testing::made_up_report;

const std::vector<std::vector<double>> kThree{{0, 1}, {.5, .5}, {1, 0}};

Report steering_report() {
  Report report = made_up_report({"a", "b"}, kThree, 40);
  complete_report(report);
  return report;
}

bool some_note(const std::vector<std::string>& notes, const char* part) {
  for (const std::string& note : notes) {
    if (note.find(part) != std::string::npos) return true;
  }
  return false;
}

TEST(TextMeasures, WordsAndDistinctAnswers) {
  EXPECT_EQ(count_words("  one\ttwo \n three "), 3);
  EXPECT_EQ(count_words(" "), 0);
  EXPECT_NEAR(distinct_share({"x", " x\n", "y", "z"}, {0, 1, 2, 3}), .5, 1e-15);
  // Two samples of one prompt may agree; half of prompt 1's are shared.
  EXPECT_NEAR(
      distinct_share({"x", "x", "y", "z", "z", "z"}, {0, 0, 1, 1, 2, 2}),
      (1 + .5 + 0) / 3,
      1e-15);
  EXPECT_EQ(distinct_share({}, {}), 0);
  EXPECT_THROW(distinct_share({"x"}, {}), CallerError);
}

TEST(TextMeasures, CopiedFiveWordRuns) {
  const std::string post = "The quick brown fox jumps over the lazy dog today.";
  EXPECT_EQ(copied_fraction(post, "\"quick brown FOX jumps over,\""), 1);
  // Runs: four of the answer, of which the first two occur in the post.
  EXPECT_NEAR(
      copied_fraction(post, "quick brown fox jumps over the moon now"),
      2.0 / 4,
      1e-15);
  EXPECT_EQ(copied_fraction(post, "quick brown fox jumps"), 0);
  EXPECT_NEAR(copied_share({post, post}, {post, "a b c d e f"}), 0.5, 1e-15);
  // Ideographs are words, so that a copy shows without spaces too.
  EXPECT_EQ(
      copied_fraction("今天天气很好，我们去公园。", "天气很好，我们去"), 1);
}

TEST(Notes, ASteeringPolicyIsNotAccused) {
  const auto notes = automatic_notes(steering_report());
  EXPECT_FALSE(some_note(notes, "Warning"));
  EXPECT_TRUE(some_note(notes, "No objective falls"));
  EXPECT_TRUE(some_note(notes, "above the reference's at every weighting"));
}

TEST(TextMeasures, EchoesAreOfThePromptAndNotOfItsSource) {
  const std::string post = "We sum up the post above our door in short verse.";
  const std::string prompt = post + " Sum up the post above in one short line.";
  const auto echoes = [&](const std::string& answer) {
    return echoed_share({prompt}, {post}, {answer});
  };
  EXPECT_EQ(echoes("Answer: the post ABOVE, a verse"), 0);
  EXPECT_EQ(echoes("Sure, \"the post ABOVE in\" verse"), 1);
  // The source may say it too, and three words do not make an echo.
  EXPECT_EQ(echoes("sum up the post above our door"), 0);
  EXPECT_EQ(echoes("in one short"), 0);
  EXPECT_EQ(
      echoed_share(
          {prompt, prompt, "", prompt},
          {post, post, "", post},
          {"in one short line", "", "in one short line", "one short line"}),
      0.25);
  EXPECT_EQ(echoed_share({}, {}, {}), 0);
  EXPECT_THROW(echoed_share({}, {"x"}, {"x"}), CallerError);
  EXPECT_THROW(echoed_share({"x"}, {}, {"x"}), CallerError);
}

TEST(Notes, APolicyThatDoesNotSteerIsCalledSo) {
  Report report = made_up_report({"a", "b"}, kThree, 40);
  for (FrontPoint& point : report.points) {
    point.per_prompt = report.points[1].per_prompt;
  }
  complete_report(report);
  EXPECT_EQ(objectives_not_moved(report).size(), 2u);
  EXPECT_TRUE(some_note(
      automatic_notes(report), "Warning: this policy does not steer"));
  EXPECT_EQ(report.summary.spearman.at("a"), 0);
  EXPECT_EQ(report.summary.extent.at("a"), 0);
}

TEST(Notes, StepsBackCopiesRepeatsAndCutsAreNamed) {
  Report report = made_up_report({"a", "b"}, kThree, 20);
  for (double& x : report.points[2].per_prompt.rewards["a"])
    x -= 0.4;
  report.points[2].copied = 0.37;
  report.points[2].echoed = 0.02;
  report.points[1].echoed = 0.0;
  report.points[0].distinct = 0.5;
  report.points[1].finished = 0.25;
  complete_report(report);
  const auto notes = automatic_notes(report);
  EXPECT_TRUE(some_note(
      notes,
      "The front steps back: a falls by 0.210 (standard error 0.000) "
      "when its weight rises from 0.5 to 1."));
  EXPECT_TRUE(some_note(notes, "At a 1, 37% of the answers copy"));
  EXPECT_TRUE(some_note(notes, "At a 1, 2% of the answers repeat the instr"));
  EXPECT_TRUE(some_note(notes, "At a 0, 50% of the prompts get an answer"));
  EXPECT_TRUE(some_note(notes, "At a 0.5, 25% of the answers finish"));
  EXPECT_TRUE(some_note(notes, "rest on 20 prompts only"));
}

TEST(Notes, AReferenceThatIsBetterIsAWarning) {
  Report report = made_up_report({"a", "b"}, kThree, 40);
  for (auto& [name, scores] : report.reference.per_prompt.rewards) {
    scores.assign(40, 2.0);
  }
  complete_report(report);
  EXPECT_TRUE(some_note(
      automatic_notes(report), "Warning: the reference has the higher value"));
}

TEST(Notes, ASingleObjectiveSteersByAlpha) {
  // made_up_report's rewards do not depend on alpha: only the KL does here.
  Report report = made_up_report({"a"}, {{1}, {1}, {1}}, 40);
  for (int k = 0; k < 3; ++k) {
    FrontPoint& point = report.points[k];
    point.alpha = k == 0 ? 0.01 : k == 1 ? 0.1 : 1;
    for (std::size_t n = 0; n < 40; ++n) {
      point.per_prompt.rewards["a"][n] -= 0.2 * k;
      point.per_prompt.kl[n] *= k == 2 ? 0 : 1 - 0.5 * k;
    }
  }
  Report still = report;
  complete_report(report);
  EXPECT_NEAR(report.summary.reach.at("a"), 0.4, 1e-12);
  EXPECT_EQ(report.summary.spearman.at("a"), 1);
  EXPECT_TRUE(objectives_not_moved(report).empty());
  EXPECT_FALSE(some_note(automatic_notes(report), "steer"));
  EXPECT_FALSE(some_note(automatic_notes(report), "answer to alpha"));
  EXPECT_TRUE(some_note(
      automatic_notes(report), "cannot be told apart in value at alpha 1."));

  for (FrontPoint& point : still.points)
    point.per_prompt = still.points[1].per_prompt;
  complete_report(still);
  EXPECT_TRUE(some_note(
      automatic_notes(still),
      "Warning: this policy does not steer. a does not rise"));
  EXPECT_TRUE(some_note(
      automatic_notes(still),
      "does not answer to alpha. Its KL from the reference does not fall by "
      "more than noise when alpha rises from 0.01 to 1."));
}

TEST(Notes, PromptsForChoosingAreSaidToBe) {
  Report report = steering_report();
  const char* remark = "These prompts are for choosing";
  EXPECT_FALSE(some_note(automatic_notes(report), remark));
  report.data = EvaluationData{"evaluation", "h.jsonl", "00", 40, 0};
  EXPECT_TRUE(some_note(automatic_notes(report), remark));
  report.data->split = "final";
  EXPECT_FALSE(some_note(automatic_notes(report), remark));
}

TEST(Notes, BaselinesAreComparedWeightingByWeighting) {
  Report report = made_up_report({"a", "b"}, kThree, 40);
  report.baselines = {{"soup", report.points}, {"self", report.points}};
  auto& soup = report.baselines[0].points;
  for (double& x : soup[0].per_prompt.rewards["b"])
    x -= 0.1;
  for (double& x : soup[1].per_prompt.rewards["a"])
    x -= 0.1;
  for (double& x : soup[2].per_prompt.rewards["a"])
    x += 0.1;
  complete_report(report);
  const auto notes = automatic_notes(report);
  EXPECT_TRUE(some_note(
      notes,
      "Against soup: higher value at 2 of 3 weightings, no difference "
      "shown at 0, lower at 1"));
  EXPECT_TRUE(some_note(notes, "Against self: higher value at 0 of 3"));
  EXPECT_FALSE(some_note(notes, "dominated"));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

TEST(Table, AlignsItsColumns) {
  Report report = steering_report();
  const auto lines = lines_of(results_table(report));
  ASSERT_EQ(lines.size(), 6u);
  const Interval& x = report.points[0].rewards.at("a");
  EXPECT_NE(
      lines[2].find(
          fmt::format("{:.3f} [{:.3f}, {:.3f}]", x.mean, x.low, x.high)),
      std::string::npos);
  EXPECT_EQ(lines[2].substr(0, 5), "0 / 1");
  EXPECT_EQ(lines[4].substr(0, 5), "1 / 0");
  EXPECT_EQ(lines[5].substr(0, 9), "reference");
  for (std::size_t k = 2; k < lines.size(); ++k) {
    EXPECT_EQ(lines[k].size(), lines[0].size()) << lines[k];
  }
}

TEST(Table, SamplesStandSideBySideWithinTheWidth) {
  const Report report = steering_report();
  SampleText sample;
  sample.prompt = "A prompt that is long enough to be wrapped at this width.";
  sample.answers = {
      {"one two three four five six seven eight", {}},
      {"\u65e5\u672c\u8a9e \x1b[31mred", {}},
      {std::string(50, 'x'), {}}};
  const std::string block = sample_block(report, sample, 64);
  EXPECT_EQ(block.find('\x1b'), std::string::npos);
  const auto lines = lines_of(block);
  EXPECT_EQ(
      lines[0], "> A prompt that is long enough to be wrapped at this width.");
  // Three columns of 20: the second starts at 22, the third at 44.
  EXPECT_EQ(
      lines[2],
      "0 / 1" + std::string(17, ' ') + "0.5 / 0.5" + std::string(13, ' ') +
          "1 / 0");
  EXPECT_EQ(lines[4].substr(0, 20), "one two three four  ");
  // Three wide characters take six columns.
  EXPECT_NE(
      lines[4].find("\u65e5\u672c\u8a9e \ufffd[31mred" + std::string(5, ' ')),
      std::string::npos);
  EXPECT_EQ(lines[4].substr(lines[4].size() - 20), std::string(20, 'x'));
  for (const std::string& line : lines_of(sample_block(report, sample, 30))) {
    if (line.find("\u2500") != std::string::npos) continue;
    EXPECT_LE(line.size(), 42u) << line;
  }
}

TEST(Svg, EscapesAndRepairsText) {
  EXPECT_EQ(
      escape_markup("<a b=\"c\">&'"), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
  EXPECT_EQ(escape_markup("\xc3\xa9\n\t"), "\xc3\xa9\n\t");
  // Overlong, surrogate, cut short, stray continuation, out of range, NUL.
  EXPECT_EQ(escape_markup("\xc0\xaf"), "\ufffd\ufffd");
  EXPECT_EQ(escape_markup("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(escape_markup("\xe2\x82"), "\ufffd\ufffd");
  EXPECT_EQ(escape_markup("\x80"), "\ufffd");
  EXPECT_EQ(escape_markup("\xf4\x90\x80\x80"), "\ufffd\ufffd\ufffd\ufffd");
  EXPECT_EQ(escape_markup(std::string_view("\0", 1)), "\ufffd");
}

TEST(Svg, TicksAreRoundAndInside) {
  const auto fifths = nice_ticks(0, 1);
  ASSERT_EQ(fifths.size(), 6u);
  for (int k = 0; k <= 5; ++k)
    EXPECT_NEAR(fifths[k], k / 5.0, 1e-15);
  const auto ticks = nice_ticks(-0.13, 0.42);
  ASSERT_EQ(ticks.size(), 6u);
  EXPECT_NEAR(ticks.front(), -0.1, 1e-15);
  EXPECT_NEAR(ticks.back(), 0.4, 1e-15);
  EXPECT_EQ(nice_ticks(3, 3).size(), 1u);
}

TEST(Svg, NumbersColoursAndShortening) {
  EXPECT_EQ(plain_number(0.5), "0.5");
  EXPECT_EQ(plain_number(-0.001), "0");
  EXPECT_EQ(plain_number(1200), "1200");
  EXPECT_EQ(weighting_colour({1, 0}), objective_colour(0));
  EXPECT_EQ(weighting_colour({0, 1}), objective_colour(1));
  EXPECT_NE(weighting_colour({.5, .5}), objective_colour(0));
  EXPECT_EQ(shorten("\u00e9\u00e9\u00e9", 3), "\u00e9\u00e9\u00e9");
  EXPECT_EQ(shorten("\u00e9\u00e9\u00e9\u00e9", 3), "\u00e9\u00e9\u2026");
}

}  // namespace
}  // namespace moft
