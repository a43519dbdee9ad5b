// What a run may touch in its folder, and checkpoints that are damaged.
#include "moft/training/run_directory.h"

#include <gtest/gtest.h>

#include "moft/core/errors.h"

#include "tests/training/run_support.h"

namespace moft::test {
namespace {

// An older checkpoint that cannot be loaded leaves the newer one usable: logs,
// recipe and checkpoints stay as they are.
TEST(Run, AResumeThatFailsChangesNothing) {
  const Scratch scratch;
  const TinyRun options = six_steps();
  const fs::path run = scratch.path() / "run";
  run_in(run, scratch.path(), options);
  const fs::path older = run / "checkpoints/step-4";
  const auto resume_older = [&] {
    TinyTraining tiny(scratch.path(), options);
    RunSetup setup = setup_of(run);
    setup.recipe = "name: other\n";
    PolicyPublisher publisher = publisher_of(tiny);
    moft::Run(setup, *tiny.trainer, publisher, read_checkpoint(older));
  };
  for (const char* name : {"optimizer.safetensors", "steering.safetensors"}) {
    const std::string good = read_all(older / name);
    fs::resize_file(older / name, 200);
    const auto before = contents_of(run);
    EXPECT_THROW(resume_older(), CallerError) << name;
    EXPECT_TRUE(contents_of(run) == before) << name;
    std::ofstream(older / name, std::ios::binary) << good;
  }
  // Tensors that do not fit the trainer are seen in time too.
  const std::string good = read_all(older / "optimizer.safetensors");
  fs::copy_file(
      older / "steering.safetensors",
      older / "optimizer.safetensors",
      fs::copy_options::overwrite_existing);
  const auto before = contents_of(run);
  EXPECT_THROW(resume_older(), CallerError);
  EXPECT_TRUE(contents_of(run) == before);
  EXPECT_EQ(newest_intact_checkpoint(run)->state.step, 6);
}

TEST(Run, ADamagedCheckpointIsSetAsideForTheOneBefore) {
  const Scratch scratch;
  TinyRun options = six_steps();
  const fs::path straight = scratch.path() / "straight";
  const fs::path broken = scratch.path() / "broken";
  run_in(straight, scratch.path(), options);
  run_in(broken, scratch.path(), options, 4);
  flip_a_bit(broken / "checkpoints/step-4/optimizer.safetensors");
  const auto resume = newest_intact_checkpoint(broken);
  ASSERT_TRUE(resume);
  EXPECT_EQ(resume->state.step, 2);
  EXPECT_EQ(resume->damaged.size(), 1U);
  TinyTraining tiny(scratch.path(), options);
  run_tiny(setup_of(broken), tiny, resume);
  EXPECT_TRUE(fs::exists(broken / "checkpoints/step-4-damaged/state.json"));
  const char* steering = "policy/steering.safetensors";
  EXPECT_EQ(read_all(straight / steering), read_all(broken / steering));
  EXPECT_EQ(timeless_metrics(straight), timeless_metrics(broken));
  remove_run(broken);
  EXPECT_TRUE(fs::is_empty(broken));
}

TEST(Run, EveryKindOfDamageIsSeen) {
  const Scratch scratch;
  const fs::path run = scratch.path() / "run";
  run_in(run, scratch.path(), six_steps(), 2);
  const fs::path step = run / "checkpoints/step-2";
  for (const char* name :
       {"steering.safetensors",
        "optimizer.safetensors",
        "recipe.yaml",
        "state.json"}) {
    const std::string good = read_all(step / name);
    std::ofstream(step / name, std::ios::binary)
        << good.substr(0, good.size() / 2);
    EXPECT_THROW(newest_intact_checkpoint(run), CallerError) << name;
    fs::remove(step / name);
    EXPECT_THROW(newest_intact_checkpoint(run), CallerError) << name;
    std::ofstream(step / name, std::ios::binary) << good;
  }
  flip_a_bit(step / "steering.safetensors");
  EXPECT_THROW(newest_intact_checkpoint(run), CallerError);
  flip_a_bit(step / "steering.safetensors");
  EXPECT_EQ(newest_intact_checkpoint(run)->state.step, 2);
  EXPECT_FALSE(newest_intact_checkpoint(scratch.path()));
}

TEST(Run, ABaseThatChangesWhileItTrainsStopsIt) {
  const Scratch scratch;
  const TinyRun options = six_steps();
  const fs::path run = scratch.path() / "run";
  TinyTraining tiny(scratch.path(), options);
  RunSetup setup = setup_of(run);
  const fs::path weights = scratch.path() / "base/model.safetensors";
  setup.watch.add(weights);
  setup.stop_requested = [&] {
    if (tiny.trainer->finished_steps() == 3) flip_a_bit(weights);
    return false;
  };
  EXPECT_THROW(run_tiny(setup, tiny), WorldError);
  EXPECT_EQ(tiny.trainer->finished_steps(), 3);
  EXPECT_EQ(list_checkpoints(run).size(), 1U);  // step-2
  EXPECT_FALSE(fs::exists(run / "policy"));
}

TEST(RunDirectory, OneProcessAtATime) {
  const Scratch scratch;
  const fs::path run = scratch.path() / "run";
  {
    const RunLock lock(run);
    EXPECT_THROW(RunLock second(run), CallerError);
  }
  const RunLock again(run);
}

TEST(RunDirectory, RemovingARunLeavesForeignFiles) {
  const Scratch scratch;
  const fs::path run = scratch.path() / "run";
  EXPECT_FALSE(holds_run(run));
  run_in(run, scratch.path(), six_steps());
  write_file(run / "report/report.json", R"({"format_version": 1,
      "points": [], "summary": {}})");
  const std::map<std::string, std::string> theirs = {
      {"notes.txt", "mine"},
      {"policy/notes.txt", "mine"},
      {"policy/thesis/chapter.tex", "mine"},
      {"checkpoints/best.pt", "mine"},
      {"checkpoints/step-4/plot.png", "mine"},
      {"checkpoints/step-9/weights.bin", "mine"},
      {"model/config.json", "mine"},
      {"model/w.bin", "mine"},
      {"report/thesis.txt", "mine"}};
  for (const auto& [name, text] : theirs)
    write_file(run / name, text);
  EXPECT_EQ(find_run_kind(run), RunKind::kTrain);
  remove_run(run);
  EXPECT_FALSE(holds_run(run));
  EXPECT_TRUE(contents_of(run) == theirs);
  EXPECT_FALSE(fs::exists(run / "checkpoints/step-6"));
  // Nothing of it is in the way of the next run.
  EXPECT_TRUE(things_in_the_way(run, RunKind::kTrain).empty());
  EXPECT_EQ(
      things_in_the_way(run, RunKind::kSft),
      std::vector<fs::path>{kModelDirectory});
}

TEST(RunDirectory, AFolderOfOthersIsNotARun) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_file(folder / "recipe.yaml", "training:\n  steps: 1\n");
  write_file(folder / "metrics.jsonl", "{}\n");
  write_file(folder / "model/config.json", "{}");
  write_file(folder / "checkpoints/best.pt", "x");
  write_file(folder / "checkpoints/step-1/steering.safetensors", "x");
  write_file(folder / "policy/README.md", "x");
  EXPECT_FALSE(holds_run(folder));
  const auto before = contents_of(folder);
  remove_run(folder);
  EXPECT_TRUE(contents_of(folder) == before);
  EXPECT_EQ(
      things_in_the_way(folder, RunKind::kTrain),
      (std::vector<fs::path>{
          "recipe.yaml", "metrics.jsonl", "policy", "checkpoints/step-1"}));
}

TEST(RunDirectory, FoldersWithoutTheirKindAreRecognised) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_file(folder / "a/recipe.yaml", "name: x\ntraining:\n  steps: 1\n");
  EXPECT_FALSE(find_run_kind(folder / "a"));
  write_file(folder / "a/policy/moft.json", "{}");
  EXPECT_EQ(find_run_kind(folder / "a"), RunKind::kSoup);
  write_file(folder / "a/events.out.tfevents.moft", "");
  EXPECT_EQ(find_run_kind(folder / "a"), RunKind::kTrain);
  write_file(folder / "b/recipe.yaml", "name: x\nsft:\n  steps: 1\n");
  write_file(folder / "b/model/moft_export.json", "{}");
  EXPECT_EQ(find_run_kind(folder / "b"), RunKind::kSft);
  write_file(folder / "c/recipe.yaml", "name: x\nsft:\n  steps: 1\n");
  write_file(folder / "c/checkpoints/step-3/state.json", "{}");
  EXPECT_EQ(find_run_kind(folder / "c"), RunKind::kSft);
  write_run_kind(folder / "c", RunKind::kSoup);
  EXPECT_EQ(find_run_kind(folder / "c"), RunKind::kSoup);
  write_file(folder / "c/moft_run.json", "[]");
  EXPECT_THROW(find_run_kind(folder / "c"), CallerError);
}

}  // namespace
}  // namespace moft::test
