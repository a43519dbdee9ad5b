// Checkpoints of several ranks: shards, their manifest, and what is refused.
#include "moft/training/checkpoint.h"

#include <algorithm>
#include <atomic>

#include <gtest/gtest.h>

#include "moft/algorithms/adamw.h"
#include "moft/algorithms/stored_moments.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/training/apply_update.h"
#include "moft/training/make_optimizer.h"

#include "tests/support/thread_group.h"
#include "tests/training/run_support.h"

namespace moft::test {
namespace {

constexpr std::int64_t kLong = 70'000;  // three chunks
constexpr const char* kRecipe = "name: tiny\n";

std::vector<TrainedTensor> parameters() {
  return {
      {"long", (at::arange(kLong, at::kFloat) * 0.1).sin()},
      {"short", (at::arange(35, at::kFloat) * 0.2).cos().view({5, 7})}};
}

void take_step(Optimizer& optimizer, int step) {
  std::vector<ScaledGradient> gradients;
  for (const TrainedTensor& parameter : optimizer.parameters())
    gradients.push_back({(parameter.master * (1.7 + step)).cos()});
  optimizer.step(gradients, 0.01);
}

TrainerState state_of(const Optimizer& optimizer, std::int64_t step) {
  TrainerState state;
  state.step = step;
  for (const TrainedTensor& parameter : optimizer.parameters())
    state.masters[parameter.name] = parameter.master;
  state.optimizer = optimizer.export_state();
  state.value = state.masters;
  state.value_optimizer = state.optimizer;
  return state;
}

// Two steps on `ranks`, saved as step 2.
fs::path save_two_steps(const fs::path& run, int ranks) {
  run_as_ranks(ranks, [&](ThreadGroup& group) {
    AdamW optimizer(parameters(), {}, optimizer_ranks(&group));
    take_step(optimizer, 0);
    take_step(optimizer, 1);
    const fs::path path =
        save_checkpoint(run, state_of(optimizer, 2), {}, kRecipe, &group);
    EXPECT_EQ(path, run / "checkpoints/step-2");
  });
  return run / "checkpoints/step-2";
}

// The state as a process alone would have it.
NamedTensors state_in(const NamedTensors& stored) {
  AdamW alone(parameters(), {});
  alone.import_state(stored);
  NamedTensors copies;
  for (const auto& [name, tensor] : alone.export_state())
    copies.emplace(name, tensor.clone());
  return copies;
}

void expect_equal(const NamedTensors& a, const NamedTensors& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a)
    EXPECT_TRUE(tensor.equal(b.at(name))) << name;
}

nlohmann::json state_json(const fs::path& checkpoint) {
  return nlohmann::json::parse(read_all(checkpoint / "state.json"));
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : contents_of(folder))
    names.push_back(name);
  return names;
}

TEST(Checkpoint, OfAProcessAloneIsWhatItWas) {
  const Scratch scratch;
  const fs::path path = save_two_steps(scratch.path(), 1);
  EXPECT_EQ(
      names_in(path),
      (std::vector<std::string>{
          "optimizer.safetensors",
          "recipe.yaml",
          "state.json",
          "steering.safetensors",
          "value.safetensors",
          "value_optimizer.safetensors"}));
  EXPECT_EQ(state_json(path).at("format_version"), 2);
  EXPECT_FALSE(state_json(path).contains("ranks"));
}

TEST(Checkpoint, OfSeveralRanksHasTheStateOfOne) {
  const Scratch one;
  const TrainerState expected =
      load_checkpoint(read_intact_checkpoint(save_two_steps(one.path(), 1)));
  for (const int ranks : {2, 3, 4}) {
    SCOPED_TRACE(ranks);
    const Scratch scratch;
    const fs::path path = save_two_steps(scratch.path(), ranks);
    EXPECT_EQ(names_in(path).size(), 4U + 2U * ranks);
    EXPECT_TRUE(fs::exists(
        path / fmt::format("optimizer-{}-of-{}.safetensors", ranks, ranks)));
    const auto checkpoint = newest_intact_checkpoint(scratch.path());
    ASSERT_TRUE(checkpoint);
    EXPECT_EQ(checkpoint->state.ranks, ranks);
    const TrainerState found = load_checkpoint(*checkpoint);
    EXPECT_EQ(found.step, 2);
    expect_equal(found.masters, expected.masters);
    expect_equal(found.value, expected.value);
    expect_equal(state_in(found.optimizer), state_in(expected.optimizer));
    expect_equal(
        state_in(found.value_optimizer), state_in(expected.value_optimizer));
  }
}

TEST(Checkpoint, GoesOnWithAnyNumberOfRanks) {
  AdamW straight(parameters(), {});
  for (int step = 0; step < 4; ++step)
    take_step(straight, step);
  for (const auto& [before, after] : {std::pair(2, 1), {1, 3}, {3, 2}}) {
    SCOPED_TRACE(testing::Message() << before << " to " << after);
    const Scratch scratch;
    const Checkpoint checkpoint =
        read_intact_checkpoint(save_two_steps(scratch.path(), before));
    run_as_ranks(after, [&](ThreadGroup& group) {
      const TrainerState state = load_checkpoint(checkpoint);
      AdamW optimizer(parameters(), {}, optimizer_ranks(&group));
      optimizer.import_state(state.optimizer);
      for (const TrainedTensor& parameter : optimizer.parameters()) {
        at::Tensor master = parameter.master;
        master.copy_(state.masters.at(parameter.name));
      }
      take_step(optimizer, 2);
      take_step(optimizer, 3);
      for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_TRUE(optimizer.parameters()[i].master.equal(
            straight.parameters()[i].master));
      }
    });
  }
}

// A whole run: two steps, saved as three ranks would, four more in one process.
TEST(Checkpoint, OfThreeRanksGoesOnInOneProcessToTheSameBits) {
  const Scratch scratch;
  const TinyRun options = six_steps();
  const fs::path straight = scratch.path() / "straight";
  const fs::path moved = scratch.path() / "moved";
  ASSERT_TRUE(run_in(straight, scratch.path(), options).finished);
  ASSERT_FALSE(run_in(moved, scratch.path(), options, 2).finished);
  const Checkpoint own = read_checkpoint(moved / "checkpoints/step-2");
  const TrainerState whole = load_checkpoint(own);
  TinyTraining tiny(scratch.path(), options);
  run_as_ranks(3, [&](ThreadGroup& group) {
    const auto optimizer = make_optimizer(
        *tiny.policy->conditioning(),
        options.training.optimizer,
        optimizer_ranks(&group));
    optimizer->import_state(whole.optimizer);
    TrainerState part = whole;
    part.optimizer = optimizer->export_state();
    save_checkpoint(moved, part, own.state, own.recipe, &group);
  });
  EXPECT_FALSE(fs::exists(moved / "checkpoints/step-2/optimizer.safetensors"));
  ASSERT_TRUE(run_in(moved, scratch.path(), options).finished);
  const auto expected = contents_of(straight / "checkpoints/step-6");
  const auto found = contents_of(moved / "checkpoints/step-6");
  for (const char* name : {"steering.safetensors", "optimizer.safetensors"})
    EXPECT_EQ(found.at(name), expected.at(name)) << name;
  EXPECT_EQ(timeless_metrics(moved), timeless_metrics(straight));
}

TEST(Checkpoint, WhatOneRankCannotWriteNobodyHas) {
  const Scratch scratch;
  std::atomic<int> failed = 0;
  run_as_ranks(3, [&](ThreadGroup& group) {
    AdamW optimizer(parameters(), {}, optimizer_ranks(&group));
    TrainerState state = state_of(optimizer, 2);
    if (group.rank() == 1)
      state.optimizer["wide"] = at::zeros({3}, at::kDouble);
    try {
      save_checkpoint(scratch.path(), state, {}, kRecipe, &group);
    } catch (const CallerError&) {
      ++failed;
    }
  });
  EXPECT_EQ(failed, 3);
  EXPECT_TRUE(fs::is_empty(scratch.path() / "checkpoints"));
}

TEST(Checkpoint, OldShardsAreReplacedAndRemoved) {
  const Scratch scratch;
  const fs::path path = save_two_steps(scratch.path(), 3);
  write_file(path / "notes.txt", "mine");
  write_file(path / "optimizer-of-mine.safetensors", "mine");
  save_two_steps(scratch.path(), 2);
  const auto names = names_in(path);
  EXPECT_EQ(names.size(), 10U);
  EXPECT_FALSE(fs::exists(path / "optimizer-1-of-3.safetensors"));
  remove_later_checkpoints(scratch.path(), 1);
  EXPECT_EQ(
      names_in(path),
      (std::vector<std::string>{"notes.txt", "optimizer-of-mine.safetensors"}));
}

// ---- damage ----------------------------------------------------------------

// Step 4 of three ranks, newer than step 2 of two.
fs::path two_checkpoints(const fs::path& run) {
  save_two_steps(run, 2);
  run_as_ranks(3, [&](ThreadGroup& group) {
    AdamW optimizer(parameters(), {}, optimizer_ranks(&group));
    save_checkpoint(run, state_of(optimizer, 4), {}, kRecipe, &group);
  });
  return run / "checkpoints/step-4";
}

TEST(Checkpoint, WithoutACompleteManifestIsPassedOver) {
  const Scratch scratch;
  const fs::path newest = two_checkpoints(scratch.path());
  EXPECT_EQ(newest_intact_checkpoint(scratch.path())->state.step, 4);
  const auto passed_over = [&] {
    testing::internal::CaptureStderr();
    const auto found = newest_intact_checkpoint(scratch.path());
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("step-4 is damaged"), std::string::npos) << said;
    return found && found->state.step == 2 && found->damaged.size() == 1;
  };
  for (const char* name :
       {"state.json",
        "optimizer-2-of-3.safetensors",
        "value_optimizer-3-of-3.safetensors",
        "steering.safetensors"}) {
    SCOPED_TRACE(name);
    const std::string good = read_all(newest / name);
    fs::remove(newest / name);
    EXPECT_TRUE(passed_over());
    EXPECT_EQ(has_lost_its_state(newest), name == std::string("state.json"));
    std::ofstream(newest / name, std::ios::binary) << good.substr(1);
    EXPECT_TRUE(passed_over());
    std::ofstream(newest / name, std::ios::binary) << good;
  }
  flip_a_bit(newest / "optimizer-3-of-3.safetensors");
  EXPECT_TRUE(passed_over());
  flip_a_bit(newest / "optimizer-3-of-3.safetensors");
  EXPECT_EQ(newest_intact_checkpoint(scratch.path())->state.step, 4);
}

// One sentence, which names the file.
void expect_refused(const fs::path& checkpoint, const std::string& words) {
  try {
    load_checkpoint(read_intact_checkpoint(checkpoint));
    ADD_FAILURE() << "not refused: " << words;
  } catch (const CallerError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find(words), std::string::npos) << text;
    EXPECT_NE(text.find(checkpoint.string()), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  }
}

TEST(Checkpoint, HostileManifestsAreRefused) {
  const Scratch scratch;
  const fs::path path = save_two_steps(scratch.path(), 3);
  const nlohmann::json good = state_json(path);
  using Spoil = std::function<void(nlohmann::json & state)>;
  const auto refuse = [&](const std::string& words, const Spoil& spoil) {
    nlohmann::json state = good;
    spoil(state);
    std::ofstream(path / "state.json") << state.dump();
    expect_refused(path, words);
  };
  const std::string hash = good.at("file_hashes").at("steering.safetensors");
  for (const char* name :
       {"../step-1/optimizer-1-of-3.safetensors",
        "/etc/passwd",
        "optimizer-4-of-3.safetensors",
        "optimizer-0-of-3.safetensors",
        "optimizer-01-of-3.safetensors",
        "optimizer-1-of-2.safetensors",
        "optimizer.safetensors",
        "best.safetensors/../steering.safetensors",
        ""}) {
    refuse("names the file", [&](nlohmann::json& state) {
      state["file_hashes"][name] = hash;
    });
  }
  for (const char* name :
       {"optimizer-2-of-3.safetensors",
        "value_optimizer-1-of-3.safetensors",
        "steering.safetensors"}) {
    refuse("does not name", [&](nlohmann::json& state) {
      state["file_hashes"].erase(name);
    });
    refuse("is damaged", [&](nlohmann::json& state) {
      state["file_hashes"][name] = std::string(32, '0');
    });
  }
  refuse("names the file", [](auto& state) { state["ranks"] = 2; });
  refuse("does not name", [](auto& state) {
    state["file_hashes"] = nlohmann::json::object();
  });
  for (const nlohmann::json& ranks :
       {nlohmann::json(0),
        nlohmann::json(-3),
        nlohmann::json(1'000'000'000'000),
        nlohmann::json(1e300),
        nlohmann::json("3"),
        nlohmann::json::array({3})}) {
    refuse("ranks", [&](nlohmann::json& state) { state["ranks"] = ranks; });
  }
  std::ofstream(path / "state.json") << good.dump();
  EXPECT_EQ(read_intact_checkpoint(path).state.ranks, 3);
}

// ---- masters that ranks share
// ------------------------------------------------

// Two copies of which each rank has a part, after a step.
fs::path save_parts(const fs::path& run, int ranks) {
  run_as_ranks(ranks, [&](ThreadGroup& group) {
    const std::vector<Shard> shards = divide({kLong}, ranks);
    TrainerState state;
    state.step = 2;
    state.masters_in_parts = true;
    std::vector<TrainedTensor> parts;
    for (const Shard& shard : shards) {
      if (shard.rank != group.rank()) continue;
      for (const char* name : {"a/long", "b/long"}) {
        const at::Tensor whole = parameters()[0].master * (name[0] - 'Z');
        parts.push_back({name, part_of(whole, shard).clone()});
        parts.back().part = TensorPart{{kLong}, shard.begin, shard.end};
        state.masters[shard_name(name, shard.begin, shard.end)] =
            parts.back().master;
      }
    }
    if (group.rank() == 0) state.masters["shared/gain"] = at::ones({3});
    AdamW optimizer(std::move(parts), {}, optimizer_ranks(&group));
    state.optimizer = optimizer.export_state();
    save_checkpoint(run, state, {}, kRecipe, &group);
  });
  return run / "checkpoints/step-2";
}

at::Tensor master_in(const fs::path& checkpoint, const std::string& name) {
  const auto state = load_checkpoint(read_intact_checkpoint(checkpoint));
  const StoredMoments stored(state.masters, "master");
  EXPECT_EQ(stored.size(), 3);
  stored.check(name, {kLong});
  at::Tensor whole = at::empty({kLong}, at::kFloat);
  stored.copy(name, 0, whole);
  return whole;
}

TEST(Checkpoint, OfSharedMastersHasAShardOfEachRank) {
  for (const int ranks : {2, 3}) {
    SCOPED_TRACE(ranks);
    const Scratch scratch;
    const fs::path path = save_parts(scratch.path(), ranks);
    EXPECT_EQ(state_json(path).at("format_version"), 4);
    EXPECT_FALSE(fs::exists(path / "steering.safetensors"));
    for (int rank = 1; rank <= ranks; ++rank) {
      const fs::path file =
          path / fmt::format("steering-{}-of-{}.safetensors", rank, ranks);
      EXPECT_LT(
          fs::file_size(file), 2 * 4 * (kLong / ranks + kNormChunk) + 999);
    }
    EXPECT_TRUE(master_in(path, "a/long").equal(parameters()[0].master * 7));
    EXPECT_TRUE(master_in(path, "b/long").equal(parameters()[0].master * 8));
    fs::remove(path / "state.json");
    EXPECT_TRUE(has_lost_its_state(path));
  }
}

TEST(Checkpoint, HostileShardsOfMastersAreRefused) {
  const Scratch scratch;
  const fs::path path = save_parts(scratch.path(), 3);
  const nlohmann::json good = state_json(path);
  const std::string second = "steering-2-of-3.safetensors";
  const auto manifest = [&](const std::string& words, const auto& spoil) {
    nlohmann::json state = good;
    spoil(state);
    std::ofstream(path / "state.json") << state.dump();
    expect_refused(path, words);
  };
  const std::string hash = good.at("file_hashes").at(second);
  for (const char* name :
       {"steering.safetensors",
        "steering-4-of-3.safetensors",
        "steering-1-of-2.safetensors",
        "../steering-1-of-3.safetensors"}) {
    manifest("names the file", [&](nlohmann::json& state) {
      state["file_hashes"][name] = hash;
    });
  }
  manifest("does not name", [&](nlohmann::json& state) {
    state["file_hashes"].erase(second);
  });
  // Before format 4 masters were whole.
  manifest("names the file", [](nlohmann::json& state) {
    state["format_version"] = 3;
  });
  manifest("format_version", [](nlohmann::json& state) {
    state["format_version"] = 5;
  });
  const std::string bytes = read_all(path / second);
  const auto put = [&](const std::string& spoiled) {
    std::ofstream(path / second, std::ios::binary) << spoiled;
    nlohmann::json state = good;
    state["file_hashes"][second] = hash_file(path / second);
    std::ofstream(path / "state.json") << state.dump();
  };
  const auto renamed = [&](const std::string& from, const std::string& to) {
    std::string text = bytes;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  put(read_all(path / "steering-1-of-3.safetensors"));
  expect_refused(path, "is in the file of another rank too");
  for (const char* range :
       {"[32767:65535]", "[32768:99999]", "[32769:65537]"}) {
    put(renamed("a/long[32768:65536]", std::string("a/long") + range));
    EXPECT_THROW(master_in(path, "a/long"), CallerError) << range;
  }
  put(bytes.substr(0, bytes.size() - 4));
  expect_refused(path, second);
  put(bytes);
  EXPECT_TRUE(master_in(path, "a/long").equal(parameters()[0].master * 7));
}

// The manifest agrees with the files, but the files are wrong.
TEST(Checkpoint, HostileShardsAreRefused) {
  const Scratch scratch;
  const fs::path path = save_two_steps(scratch.path(), 3);
  nlohmann::json state = state_json(path);
  const std::string second = "optimizer-2-of-3.safetensors";
  const std::string good = read_all(path / second);
  const auto put = [&](const std::string& bytes) {
    std::ofstream(path / second, std::ios::binary) << bytes;
    state["file_hashes"][second] = hash_file(path / second);
    std::ofstream(path / "state.json") << state.dump();
  };
  put(read_all(path / "optimizer-1-of-3.safetensors"));
  expect_refused(path, "is in the file of another rank too");
  const auto renamed = [&](const std::string& from, const std::string& to) {
    std::string bytes = good;
    const std::size_t at = bytes.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return bytes.replace(at, from.size(), to);
  };
  put(renamed("[32768:65536]", "[32767:65535]"));
  const auto import = [&] {
    AdamW alone(parameters(), {});
    alone.import_state(load_checkpoint(read_intact_checkpoint(path)).optimizer);
  };
  EXPECT_THROW(import(), CallerError);
  put(renamed("[32768:65536]", "[32768:99999]"));
  EXPECT_THROW(import(), CallerError);
  put(renamed("\"F32\"", "\"I32\""));
  expect_refused(path, "neither float32 nor int64");
  put(good.substr(0, good.size() - 4));
  expect_refused(path, second);
  put("\xff\xff\xff\xff\xff\xff\xff\x7f");
  expect_refused(path, second);
  put(good);
  EXPECT_NO_THROW(import());
}

}  // namespace
}  // namespace moft::test
