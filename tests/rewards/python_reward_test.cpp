// Python functions in every signature, and how they fail; programs that are
// asked in lines.
#include "moft/rewards/outside/python_reward.h"

#include <chrono>
#include <filesystem>

#include <gtest/gtest.h>

#include "moft/rewards/outside/source_calls.h"

#include "tests/rewards/outside_support.h"

namespace moft::test {
namespace {

using Values = std::vector<double>;

Example example() {
  return {
      .id = "e1",
      .fields =
          {{"post", "12345678"},
           {"label", "good"},
           {"answer", "good"},
           {"data_source", "math"},
           {"prompt", "left out"},
           // Also inside of reward_model, as read_examples() has it.
           {"reward_model.ground_truth", "good"}},
      .values =
          {{"score", "0.5"},
           {"tags", "[\"a\", \"b\"]"},
           {"info", "{\"bonus\": 2}"},
           {"extra_info", "{\"index\": 7}"},
           {"reward_model", "{\"ground_truth\": \"good\"}"}},
      .where = "posts.jsonl:1"};
}

const Example& shared_example() {
  static const Example made = example();
  return made;
}

RewardBatch batch_of(std::vector<std::string> completions = {"good", "bad"}) {
  return answers_to({&shared_example()}, std::move(completions));
}

std::string python(const std::string& function, const std::string& more = "") {
  return "  made: {python: {file: " + outside_file("functions.py").string() +
         ", function: " + function + more + "}}\n";
}

std::string command(const std::string& fault, const std::string& more = "") {
  return "  made: {command: {run: [python3, " +
         outside_file("scorer.py").string() + ", " + fault + ", made]" + more +
         "}}\n";
}

struct Case {
  std::string name;
  std::string function;
  std::string more;
  Values values;
};

class Signature : public testing::TestWithParam<Case> {};

TEST_P(Signature, GivesItsRewards) {
  const Case& c = GetParam();
  EXPECT_EQ(
      scores_of(objectives_from(python(c.function, c.more)), batch_of()),
      c.values);
}

INSTANTIATE_TEST_SUITE_P(
    Python,
    Signature,
    testing::Values(
        Case{"trl", "trl_sync", "", {8, 7}},
        Case{"trl_async", "trl_async", "", {0.5, 0.375}},
        Case{"trl_columns", "trl_columns", "", {5.5, 5.5}},
        Case{"trl_chat", "trl_chat", ", chat: true", {8, 7}},
        Case{"trl_instance", "instance", "", {12, 9}},
        Case{"trl_partial", "half", "", {2, 1.5}},
        Case{"trl_tensor", "trl_tensor", "", {4, 3}},
        Case{"labelled", "labelled", "", {1, 0}},
        Case{"positional", "positional", "", {12, 11}},
        Case{"has_a_loop", "has_a_loop", "", {4, 3}},
        Case{"hands_on", "hands_on", "", {0.5, 0.375}},
        Case{"generates", "generates", "", {2, 1.5}},
        Case{"decorated", "decorated", "", {12, 11}},
        Case{"folder", "changes_its_folder", ", unit: row", {1, 1}},
        Case{"output", "closes_its_output", ", unit: row", {1, 1}},
        Case{"forks", "forks", "", {1, 1}},
        Case{"openrlhf", "openrlhf", "", {8, 7}},
        Case{"openrlhf_lists", "openrlhf_lists", "", {8, 7}},
        Case{"openrlhf_list_logs", "openrlhf_lists", ", key: acc", {4, 3.5}},
        Case{"openrlhf_scores", "openrlhf", ", key: scores", {0.25, 0.25}},
        Case{"openrlhf_logs", "openrlhf", ", key: matches", {1, 0}},
        Case{"verl", "compute_score", "", {4, 3}},
        Case{"verl_key", "compute_score", ", key: acc", {1, 0}},
        Case{
            "verl_arguments",
            "compute_score",
            R"(, arguments: '{"scale": 2}')",
            {8, 6}},
        Case{"verl_keywords", "verl_keywords", ", interface: verl", {1, 0}},
        Case{"verl_async", "compute_plain", "", {1, 0}},
        Case{"verl_batch", "compute_batch", "", {4, 3}},
        Case{"verifiers", "verifiers_sync", "", {1, 0}},
        Case{"verifiers_async", "verifiers_async", "", {6, 5}},
        Case{"verifiers_group", "verifiers_group", "", {1, 0}},
        Case{"standard_input", "reads_input", "", {0, 0}}),
    [](const auto& c) { return c.param.name; });

// statistics.mean, called with the completions alone: none, so it is not asked.
TEST(PythonReward, AModuleIsFoundAsPythonFindsIt) {
  objectives_from("  m: {python: {module: statistics, function: mean}}\n")
      .check_sources();
}

// Two objectives from one call, and a third that runs beside them.
TEST(PythonReward, ObjectivesOfOneFileShareAProcess) {
  const std::string file = outside_file("functions.py").string();
  const auto objective = [&](const char* name, const char* function) {
    return std::string("  ") + name + ": {python: {file: " + file +
           ", function: " + function + "}}\n";
  };
  const ObjectiveSet set = objectives_from(
      objective("a", "letter_b") + objective("b", "trl_sync") +
      "  c: {python: {file: " + file + ", function: letter_b, workers: 2}}\n");
  const auto source = [&](std::size_t i) {
    return set.objectives()[i].reward->source();
  };
  EXPECT_EQ(source(0), source(1));
  EXPECT_NE(source(0), source(2));
  const RewardBatch batch = batch_of();
  EXPECT_EQ(scores_of(set, batch, 0), (Values{0, 1}));
  EXPECT_EQ(scores_of(set, batch, 1), (Values{8, 7}));
  EXPECT_EQ(scores_of(set, batch, 2), (Values{0, 1}));
}

TEST(PythonReward, ANoneStopsTheRunOrLeavesItsRowOut) {
  EXPECT_EQ(
      fault_of(objectives_from(python("trl_none")), batch_of()),
      "reward 'made': gave no number (None or null); `missing: skip` leaves "
      "such completions out of the update; prompt 'ask:', completion 'bad'");
  const Scores scores = objectives_from(python("trl_none", ", missing: skip"))
                            .score(batch_of({"good", "bad", "fine"}));
  EXPECT_EQ(scores.skipped, std::vector<std::size_t>{1});
  EXPECT_EQ(scores.raw[0][0].item<double>(), 1);
  EXPECT_TRUE(std::isnan(scores.raw[1][0].item<double>()));
}

// Two entries of one dictionary, and one of other arguments.
TEST(PythonReward, ObjectivesThatDifferInTheirKeyShareACall) {
  const std::string file = outside_file("functions.py").string();
  const auto objective = [&](const char* name, const char* more) {
    return std::string("  ") + name + ": {python: {file: " + file +
           ", function: counts_calls" + more + "}}\n";
  };
  const ObjectiveSet set = objectives_from(
      objective("a", "") + objective("b", ", key: acc") +
      objective("c", ", chat: true"));
  const Scores scores = set.score(batch_of());
  EXPECT_EQ(column_of(scores.raw, 0), (Values{1, 2}));
  EXPECT_EQ(column_of(scores.raw, 1), (Values{1, 2}));
  EXPECT_EQ(column_of(scores.raw, 2), (Values{3, 4}));
  // An entry that is an objective is not a metric.
  EXPECT_EQ(scores.metrics.at("reward_metrics/length"), 3.5);
}

// Whatever one does to its lists, the others see their own.
TEST(PythonReward, FunctionsOfACallDoNotShareLists) {
  const std::string file = outside_file("functions.py").string();
  const auto objective = [&](const char* name, const char* function) {
    return std::string("  ") + name + ": {python: {file: " + file +
           ", function: " + function + "}}\n";
  };
  const ObjectiveSet set = objectives_from(
      objective("a", "changes_its_lists") + objective("b", "trl_sync"));
  EXPECT_EQ(scores_of(set, batch_of(), 0), (Values{1, 1}));
  EXPECT_EQ(scores_of(set, batch_of(), 1), (Values{8, 7}));
}

// 100 MB without a line end, then 100,000 lines.
TEST(PythonReward, AFloodOfTextIsCutInTheLog) {
  const ObjectiveSet set = objectives_from(python("prints_much"));
  testing::internal::CaptureStderr();
  EXPECT_EQ(scores_of(set, batch_of()), (Values{1, 1}));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_LT(log.size(), 1'001'000u);
  EXPECT_NE(
      log.find("[functions.py] says more than 1000000 bytes in one call"),
      std::string::npos);
}

TEST(PythonReward, DialoguesArriveAsMessages) {
  RewardBatch batch = batch_of();
  const auto turns = std::make_shared<const ChatTurns>(ChatTurns{
      .messages = {
          {.role = "system", .content = "Be brief."},
          {.role = "user", .content = "Hello?"},
          {.role = "assistant", .content = "Hello!"},
          {.role = "user", .content = "How are you?"}}});
  batch.turns = {turns, turns};
  EXPECT_EQ(
      scores_of(objectives_from(python("trl_roles", ", chat: true")), batch),
      (Values{4, 4}));
}

TEST(PythonReward, MetricsOfFunctionsAreKept) {
  RewardBatch batch = batch_of();
  batch.step = 6;
  const Scores scores = objectives_from(python("trl_columns")).score(batch);
  EXPECT_EQ(scores.metrics.at("reward_metrics/seen"), 6);
  EXPECT_EQ(scores.metrics.at("reward_metrics/lengths"), 3.5);
  EXPECT_FALSE(scores.metrics.contains("reward_metrics/words"));
  using Texts = std::map<std::string, RowTexts>;
  EXPECT_EQ(scores.texts, (Texts{{"words", {"good", "bad"}}}));
  EXPECT_EQ(
      objectives_from(python("trl_columns", ", unit: row")).score(batch).texts,
      scores.texts);
  const Scores math = objectives_from(python("compute_score")).score(batch);
  EXPECT_EQ(math.metrics.at("reward_metrics/acc"), 0.5);
  EXPECT_GT(scores.metrics.at("time/reward_calls"), 0);
}

struct Fault {
  std::string name;
  std::string objectives;
  std::string message;
};

class OutsideFault : public testing::TestWithParam<Fault> {};

TEST_P(OutsideFault, StopsTheRunAndNamesObjectivePromptAndCompletion) {
  const std::string said =
      fault_of(objectives_from(GetParam().objectives), batch_of());
  EXPECT_TRUE(said.starts_with("reward 'made': ")) << said;
  EXPECT_NE(said.find(GetParam().message), std::string::npos) << said;
  EXPECT_NE(said.find("prompt 'ask:'"), std::string::npos) << said;
}

INSTANTIATE_TEST_SUITE_P(
    Python,
    OutsideFault,
    testing::Values(
        Fault{
            "raises",
            python("raises"),
            "made raised ValueError: no such thing (functions.py:"},
        Fault{
            "raises_at_row",
            python("raises_at_row"),
            "in raises_at_row); prompt 'ask:', completion 'bad'"},
        Fault{
            "not_finite",
            python("not_finite"),
            "is inf; prompt 'ask:', completion 'bad'"},
        Fault{"too_few", python("too_few"), "1 rewards for 2 completions"},
        Fault{"too_many", python("too_many"), "3 rewards for 2 completions"},
        Fault{
            "nothing",
            python("nothing"),
            "NoneType where a list of 2 rewards is expected"},
        Fault{"lists", python("lists"), "made raised TypeError: "},
        Fault{
            "exits",
            python("exits"),
            "made tried to end its process with SystemExit('no more') "
            "(functions.py:"},
        Fault{
            "exits_later",
            python("exits_later"),
            "made tried to end its process with SystemExit(3)"},
        Fault{
            "half_a_character",
            python("half_a_character"),
            "made raised ValueError: ? broken"},
        Fault{
            "needs_more",
            python("needs_more"),
            "made raised TypeError: it needs 'weight', but is given answer, "},
        Fault{
            "breaks",
            python("breaks"),
            "the program ended with signal 11 (Segmentation fault)"},
        Fault{
            "class",
            python("Callable"),
            "give a function, or an object that can be called"},
        Fault{"text", python("text"), "a reward is 'high', not a number"},
        Fault{
            "dies",
            python("dies"),
            "the program ended with exit code 3; it last said 'about to die'; "
            "gave up after 3 attempts"},
        Fault{
            "stalls",
            python("stalls", ", timeout: 0.3, call_deadline: 2"),
            "no answer within the timeout; gave up after "},
        Fault{
            "late_for_the_step",
            python("stalls", ", timeout: 0.3, step_deadline: 2"),
            "(step_deadline is 2 s)"},
        Fault{
            "missing",
            python("no_such"),
            "functions.py has no function 'no_such'; it has "},
        Fault{
            "no_file",
            "  made: {python: {file: no_such.py, function: f}}\n",
            "FileNotFoundError"},
        Fault{
            "no_interpreter",
            python("raises", ", interpreter: no-such-python"),
            "the program 'no-such-python' cannot be started"}),
    [](const auto& fault) { return fault.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Command,
    OutsideFault,
    testing::Values(
        Fault{
            "error",
            command("error"),
            "it broke; prompt 'ask:', completion 'bad'"},
        Fault{
            "garbage",
            command("garbage"),
            "a line that is not JSON: 'Loading model ..'"},
        Fault{
            "exits",
            command("exits"),
            "exit code 7; it last said 'out of memory'"},
        Fault{
            "closes",
            command("closes", ", call_deadline: 60"),
            "the program ended"},
        Fault{
            "stalls",
            command("stalls", ", timeout: 0.3, call_deadline: 1"),
            "no answer within the timeout"},
        Fault{"other", command("other"), "the answer is for call '2'"},
        Fault{"future", command("future"), "speaks version '99'"},
        Fault{"large", command("large"), "where a number or null is expected"}),
    [](const auto& fault) { return fault.param.name; });

// One completion is judged for 100 s when the other one fails.
TEST(PythonReward, AFailureEndsTheCallsBesideIt) {
  const auto start = std::chrono::steady_clock::now();
  const std::string said = fault_of(
      objectives_from(python("stalls_or_fails", ", unit: row, workers: 2")),
      batch_of());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(50));
  EXPECT_NE(said.find("ValueError: no judge"), std::string::npos) << said;
  EXPECT_NE(said.find("completion 'bad'"), std::string::npos) << said;
}

// The wait ends, and the call with it.
TEST(PythonReward, AWaitEndsOnRequest) {
  const ObjectiveSet set = objectives_from(python("stalls"));
  RewardMemo memo;
  int asked = 0;
  memo.stop_requested = [&] { return ++asked == 3; };
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(set.score(batch_of(), memo), WaitStopped);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(50));
  EXPECT_EQ(asked, 3);
}

TEST(PythonReward, AProcessThatDiedIsStartedAgain) {
  const auto mark = std::filesystem::temp_directory_path() /
                    ("moft-dies-once-" + std::to_string(::getpid()));
  Example one = example();
  one.fields["mark"] = mark.string();
  EXPECT_EQ(
      scores_of(
          objectives_from(python("dies_once")),
          answers_to({&one}, {"good", "bad"})),
      (Values{1, 1}));
  std::filesystem::remove(mark);
}

// As users write them: nothing is started, so the files need not exist.
TEST(PythonReward, TheUsualLinesOfARecipeAreUnderstood) {
  const ObjectiveSet set = objectives_from(
      "  tidy: {python: {file: my_rewards.py, function: tidy, chat: false}}\n"
      "  correct: {python: {file: math_dapo.py, function: compute_score, "
      "key: acc}}\n"
      "  helpful: {http: {url: \"http://127.0.0.1:9000/score\", format: "
      "openrlhf, name: helpful}}\n"
      "  concise: {command: {run: [./scorer, --fast]}}\n");
  EXPECT_EQ(set.size(), 4u);
}

TEST(PythonReward, SourcesAreCheckedBeforeARun) {
  objectives_from(python("trl_sync")).check_sources();
  EXPECT_THROW(objectives_from(python("no_such")).check_sources(), CallerError);
}

TEST(CommandReward, AnswersInLines) {
  EXPECT_EQ(
      scores_of(objectives_from(command("none")), batch_of()), (Values{4, 3}));
  EXPECT_EQ(
      scores_of(objectives_from(command("greets")), batch_of()),
      (Values{4, 3}));
}

// Sent out one by one, in any order: placed by row.
TEST(CommandReward, RowsAreSentInUnitsAndPlacedByRow) {
  static const Example kOther{.id = "e2", .where = "posts.jsonl:2"};
  const RewardBatch batch = answers_to(
      {&shared_example(), &kOther}, {"1", "22", "333", "4444", "55555", "6"});
  for (const std::string unit : {"row", "group", "step"}) {
    const ObjectiveSet set =
        objectives_from(command("none", ", workers: 3, unit: " + unit));
    RewardMemo memo;
    for (const std::size_t row : {5, 0, 3, 2, 4, 1})
      set.row_arrived(batch, row, memo);
    EXPECT_EQ(
        column_of(set.score(batch, memo).raw, 0), (Values{1, 2, 3, 4, 5, 1}))
        << unit;
  }
}

}  // namespace
}  // namespace moft::test
