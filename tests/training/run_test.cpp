// A run around the trainer: stopping, resuming, guards, full disks.
#include "moft/training/run.h"

#include <csignal>
#include <fstream>
#include <new>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/distributed/stopped_waiting.h"
#include "moft/generation/knob_effects.h"
#include "moft/generation/policy_directory.h"

#include "tests/training/run_support.h"

namespace moft::test {
namespace {

TEST(Run, StoppedAndResumedEqualsUndisturbed) {
  for (const SteeredSet kind : {SteeredSet::kLora, SteeredSet::kFull}) {
    const Scratch scratch;
    TinyRun options = six_steps();
    options.steered_set = kind;
    const fs::path straight = scratch.path() / "straight";
    const fs::path broken = scratch.path() / "broken";
    EXPECT_TRUE(run_in(straight, scratch.path(), options).finished);

    const RunOutcome stopped = run_in(broken, scratch.path(), options, 3);
    EXPECT_FALSE(stopped.finished);
    EXPECT_EQ(stopped.step, 3);
    ASSERT_TRUE(stopped.checkpoint);
    EXPECT_EQ(stopped.checkpoint->filename(), "step-3");
    EXPECT_FALSE(fs::exists(broken / "policy"));
    EXPECT_TRUE(run_in(broken, scratch.path(), options).finished);

    const char* steering = "policy/steering.safetensors";
    EXPECT_EQ(read_all(straight / steering), read_all(broken / steering));
    EXPECT_FALSE(read_all(straight / steering).empty());
    EXPECT_EQ(
        read_all(straight / "checkpoints/step-6/optimizer.safetensors"),
        read_all(broken / "checkpoints/step-6/optimizer.safetensors"));
    EXPECT_EQ(timeless_metrics(straight), timeless_metrics(broken));
    EXPECT_EQ(timeless_metrics(straight).size(), 6U);
    EXPECT_EQ(
        read_all(straight / kSamplesFile), read_all(broken / kSamplesFile));
  }
}

TEST(Run, KeepsTheLastCheckpointsAndPublishesThePolicy) {
  const Scratch scratch;
  const fs::path run = scratch.path() / "run";
  const RunOutcome outcome = run_in(run, scratch.path(), six_steps());
  std::vector<std::string> names;
  for (const fs::path& path : list_checkpoints(run))
    names.push_back(path.filename());
  EXPECT_EQ(names, (std::vector<std::string>{"step-4", "step-6"}));
  const auto reloaded = load_policy(outcome.product);
  EXPECT_EQ(reloaded->names(), (std::vector<std::string>{"a", "b"}));
  // Linked, not copied: one more name for the same bytes.
  EXPECT_TRUE(fs::equivalent(
      outcome.product / "model.safetensors",
      scratch.path() / "base/model.safetensors"));
  const std::string card = read_all(outcome.product / "README.md");
  for (const char* words :
       {"# tiny",
        "tiny-base",
        "| a |",
        "| b |",
        "{word} is ",
        "moft generate",
        "licence",
        "| reward |",
        "step 6"}) {
    EXPECT_NE(card.find(words), std::string::npos) << words;
  }
}

TEST(Run, AFinishedRunCanGrow) {
  const Scratch scratch;
  TinyRun options = six_steps();
  const fs::path straight = scratch.path() / "straight";
  const fs::path grown = scratch.path() / "grown";
  run_in(straight, scratch.path(), options);
  options.training.steps = 4;
  run_in(grown, scratch.path(), options);
  options.training.steps = 6;
  run_in(grown, scratch.path(), options);
  const char* steering = "policy/steering.safetensors";
  EXPECT_EQ(read_all(straight / steering), read_all(grown / steering));
}

TEST(Run, GoingOnFromAnOlderCheckpointForgetsTheLaterOnes) {
  const Scratch scratch;
  const TinyRun options = six_steps();
  const fs::path run = scratch.path() / "run";
  run_in(run, scratch.path(), options);
  const std::string masters = read_all(run / "policy/steering.safetensors");
  {
    TinyTraining tiny(scratch.path(), options);
    RunSetup setup = setup_of(run);
    setup.stop_requested = [&] { return tiny.trainer->finished_steps() >= 5; };
    const auto older = read_checkpoint(run / "checkpoints/step-4");
    run_tiny(setup, tiny, older);
  }
  std::vector<std::string> names;
  for (const fs::path& path : list_checkpoints(run))
    names.push_back(path.filename());
  EXPECT_EQ(names, (std::vector<std::string>{"step-4", "step-5"}));
  EXPECT_TRUE(run_in(run, scratch.path(), options).finished);
  EXPECT_EQ(read_all(run / "policy/steering.safetensors"), masters);
}

TEST(Run, AGuardStopsItAndNamesTheLastGoodCheckpoint) {
  const Scratch scratch;
  TinyRun options = six_steps();
  options.training.checkpoint.every = 1;
  options.training.guards.kl_ceiling = 1e-9;
  options.training.guards.patience = 2;
  const fs::path run = scratch.path() / "run";
  try {
    run_in(run, scratch.path(), options);
    ADD_FAILURE() << "the KL passed a ceiling of 1e-9";
  } catch (const WorldError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("kl_ceiling"), std::string::npos) << message;
    EXPECT_NE(
        message.find((run / "checkpoints/step-1").string()), std::string::npos)
        << message;
  }
  // Nothing was saved while the guard was alarmed; the KL of step 1 is 0.
  EXPECT_EQ(list_checkpoints(run).size(), 1U);
  EXPECT_FALSE(fs::exists(run / "policy"));
}

std::string alarmed_run(const fs::path& run, const fs::path& scratch) {
  TinyRun options = six_steps();
  options.training.steps = 3;
  options.training.checkpoint.every = 1;
  options.training.guards.kl_ceiling = 1e-9;
  testing::internal::CaptureStderr();
  std::string refusal;
  try {
    run_in(run, scratch, options);
  } catch (const WorldError& error) {
    refusal = error.what();
  }
  return testing::internal::GetCapturedStderr() + refusal;
}

// Two of three steps had a KL above the ceiling, fewer than guards.patience.
TEST(Run, APolicyInAlarmIsPublishedWithItsAlarm) {
  const Scratch scratch;
  const fs::path run = scratch.path() / "run";
  const std::string said = alarmed_run(run, scratch.path());
  const std::string card = read_all(run / "policy/README.md");
  for (const std::string& text : {said, card}) {
    EXPECT_NE(text.find("kl_ceiling = 1e-09"), std::string::npos) << text;
    EXPECT_NE(text.find("2 steps in a row"), std::string::npos) << text;
  }
  EXPECT_NE(said.find("THIS POLICY WAS IN ALARM"), std::string::npos) << said;
  EXPECT_NE(said.find((run / "checkpoints/step-1").string()), std::string::npos)
      << said;
}

TEST(Run, APolicyInAlarmDoesNotReplaceAnEarlierOne) {
  const Scratch scratch;
  const fs::path run = scratch.path() / "run";
  TinyRun good = six_steps();
  good.training.steps = 1;
  run_in(run, scratch.path(), good);
  const std::string before = read_all(run / "policy/steering.safetensors");
  const std::string said = alarmed_run(run, scratch.path());
  EXPECT_NE(said.find("step 3 was the last and in alarm"), std::string::npos)
      << said;
  EXPECT_NE(said.find((run / "policy").string()), std::string::npos) << said;
  EXPECT_EQ(read_all(run / "policy/steering.safetensors"), before);
}

// One step so long that the parameters leave float32.
TEST(Run, APolicyThatIsNotFiniteIsNeitherSavedNorPublished) {
  const Scratch scratch;
  TinyRun options = six_steps();
  options.steered_set = SteeredSet::kFull;
  options.training.steps = 1;
  options.training.checkpoint.every = 1;
  options.training.optimizer.learning_rate = 1e39;
  const fs::path run = scratch.path() / "run";
  try {
    run_in(run, scratch.path(), options);
    ADD_FAILURE() << "published";
  } catch (const WorldError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("stopped at step 1"), std::string::npos) << message;
    EXPECT_NE(message.find("not finite"), std::string::npos) << message;
  }
  EXPECT_TRUE(list_checkpoints(run).empty());
  EXPECT_FALSE(fs::exists(run / "policy"));
}

// The evaluation of the third step throws `thrown`, and the run an Error with
// these words, whose checkpoint of the second step is left.
template <class Error, class Thrown>
void expect_stop_at_step_3(
    const Thrown& thrown, const std::vector<std::string>& words) {
  const Scratch scratch;
  TinyRun options = six_steps();
  options.training.evaluation.every = 3;
  TinyTraining tiny(scratch.path(), options);
  RunSetup setup = setup_of(scratch.path() / "run");
  setup.on_evaluate = [&](std::int64_t) -> std::map<std::string, double> {
    throw thrown;
  };
  try {
    run_tiny(setup, tiny);
    ADD_FAILURE() << "went on";
  } catch (const Error& error) {
    const std::string message = error.what();
    for (const char* always : {"stopped at step 3", "checkpoints/step-2"})
      EXPECT_NE(message.find(always), std::string::npos) << message;
    for (const std::string& word : words)
      EXPECT_NE(message.find(word), std::string::npos) << message;
  }
  EXPECT_EQ(list_checkpoints(setup.directory).size(), 1U);
}

// So that the process ends with the signal's code.
TEST(Run, AStopThatWaitsNoLongerSaysWhatIsLeft) {
  expect_stop_at_step_3<StoppedWaiting>(
      StoppedWaiting("rank 0: rank 1 hangs"), {"rank 1 hangs"});
}

TEST(Run, OutOfMemorySaysWhatToLowerAndWhatIsLeft) {
  expect_stop_at_step_3<WorldError>(
      std::bad_alloc(), {"not enough memory", "training.prompts_per_step"});
}

TEST(Run, EvaluationJoinsTheMetricsOfItsSteps) {
  const Scratch scratch;
  TinyRun options = six_steps();
  options.training.evaluation.every = 3;
  TinyTraining tiny(scratch.path(), options);
  RunSetup setup = setup_of(scratch.path() / "run");
  setup.on_evaluate = [](std::int64_t step) {
    return std::map<std::string, double>{
        {"evaluation/a", static_cast<double>(step)}};
  };
  run_tiny(setup, tiny);
  const auto lines = timeless_metrics(scratch.path() / "run");
  for (const nlohmann::json& line : lines) {
    const std::int64_t step = line.at("step");
    EXPECT_EQ(line.contains("evaluation/a"), step % 3 == 0) << step;
  }
  EXPECT_EQ(lines.at(5).at("evaluation/a"), 6.0);
}

// The largest file a process may write stands in for the full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limited = before_;
    limited.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  sighandler_t handler_;
};

TEST(Run, AFullDiskLeavesOlderCheckpointsAndNothingHalfWritten) {
  const Scratch scratch;
  TinyRun options = six_steps();
  const fs::path run = scratch.path() / "run";
  run_in(run, scratch.path(), options, 2);
  const fs::path good = run / "checkpoints/step-2";
  const std::string masters = read_all(good / "steering.safetensors");
  const auto size = fs::file_size(good / "optimizer.safetensors");
  ASSERT_GT(size, 2 * fs::file_size(run / kSamplesFile));
  {
    const FileSizeLimit limit(size - 1);
    EXPECT_THROW(run_in(run, scratch.path(), options), WorldError);
  }
  EXPECT_EQ(read_all(good / "steering.safetensors"), masters);
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints"))
    left.push_back(entry.path().filename());
  EXPECT_EQ(left, std::vector<std::string>{"step-2"});
  // With room again it continues to the end.
  EXPECT_TRUE(run_in(run, scratch.path(), options).finished);
}

TEST(Run, DamagedCheckpointsAreRefused) {
  const Scratch scratch;
  const fs::path run = scratch.path() / "run";
  const RunOutcome outcome = run_in(run, scratch.path(), six_steps(), 2);
  const fs::path directory = *outcome.checkpoint;
  const auto spoil = [&](const char* name, const std::string& text) {
    const std::string before = read_all(directory / name);
    std::ofstream(directory / name) << text;
    EXPECT_THROW(run_in(run, scratch.path(), six_steps()), CallerError) << name;
    std::ofstream(directory / name, std::ios::binary) << before;
  };
  spoil("recipe.yaml", "name: other\n");
  spoil("state.json", "{}");
  spoil("state.json", "{\"step\": 2");
  spoil("optimizer.safetensors", "short");
  const std::string masters = read_all(directory / "steering.safetensors");
  spoil("steering.safetensors", masters.substr(0, masters.size() - 4));
  EXPECT_TRUE(run_in(run, scratch.path(), six_steps()).finished);
}

TEST(Publish, SteeringEffectIsNoneAtFirstAndThereAfterTraining) {
  const Scratch scratch;
  for (const SteeredSet kind : {SteeredSet::kLora, SteeredSet::kFull}) {
    TinyRun options = tiny_run();
    options.steered_set = kind;
    TinyTraining tiny(scratch.path(), options);
    const TokenIds& prompt = tiny.trainer->prompts().ids().front();
    EXPECT_EQ(knob_effects(*tiny.policy, prompt).weighting, 0.0);
    EXPECT_EQ(steering_warnings(*tiny.policy, prompt).size(), 2u);
    for (int step = 0; step < 3; ++step)
      tiny.trainer->step();
    EXPECT_GT(knob_effects(*tiny.policy, prompt).weighting, 1e-3);
    EXPECT_TRUE(steering_warnings(*tiny.policy, prompt).empty());
  }
}

// With one objective alpha is the only knob.
TEST(Publish, TheKnobForAlphaIsLookedAtToo) {
  const Scratch scratch;
  for (const SteeredSet kind : {SteeredSet::kLora, SteeredSet::kFull}) {
    TinyRun options = tiny_run();
    options.steered_set = kind;
    options.training.kl_strength = 0.1;
    TinyTraining tiny(scratch.path(), options);
    const TokenIds& prompt = tiny.trainer->prompts().ids().front();
    EXPECT_EQ(knob_effects(*tiny.policy, prompt).alpha, 0.0);
    for (int step = 0; step < 3; ++step)
      tiny.trainer->step();
    EXPECT_GT(knob_effects(*tiny.policy, prompt).alpha, 1e-3);
  }
}

// Without KL control 0 is the only alpha: there is no knob to miss.
TEST(Publish, APolicyWithoutKlControlIsPublished) {
  for (const SteeredSet kind : {SteeredSet::kLora, SteeredSet::kFull}) {
    const Scratch scratch;
    TinyRun options = six_steps();
    options.steered_set = kind;
    options.training.kl_strength = 0.0;
    const fs::path run = scratch.path() / "run";
    EXPECT_TRUE(run_in(run, scratch.path(), options).finished);
    EXPECT_TRUE(fs::exists(run / "policy/moft.json"));
  }
}

TEST(Publish, SaysHowLongThePolicyWasTrained) {
  const Scratch scratch;
  const fs::path run = scratch.path() / "run";
  TinyRun options = six_steps();
  run_in(run, scratch.path(), options);
  const auto definition = [&] {
    return parse_json(read_all(run / "policy/moft.json"), "moft.json");
  };
  EXPECT_EQ(definition().at("steps"), 6);
  EXPECT_EQ(definition().at("answers"), 6 * 6 * 4);
  // A run that went on and stopped leaves the policy as it was.
  options.training.steps = 10;
  EXPECT_FALSE(run_in(run, scratch.path(), options, 8).finished);
  EXPECT_EQ(definition().at("steps"), 6);
  run_in(run, scratch.path(), options);
  EXPECT_EQ(definition().at("steps"), 10);
  EXPECT_EQ(definition().at("answers"), 10 * 6 * 4);
}

}  // namespace
}  // namespace moft::test
