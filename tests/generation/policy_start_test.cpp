// A trained policy as the start of another training.
#include "moft/generation/policy_start.h"

#include "moft/generation/policy_directory.h"

#include "tests/generation/support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

using test::same_bits;

class PolicyStartTest : public test::TinyPolicyTest {
 protected:
  // Untrained, with these objectives.
  std::unique_ptr<SteeredPolicy> fresh(
      SteeredSet set,
      const std::vector<std::string>& names,
      const std::function<void(PolicyDefinition&)>& change = nullptr) const {
    LoadedModel loaded = load_language_model(base());
    auto tokenizer = load_base_tokenizer(base(), loaded);
    PolicyDefinition wanted = definition(set);
    wanted.objectives.clear();
    for (const std::string& name : names)
      wanted.objectives.push_back({name, 0, 1});
    wanted.provenance = {{"xxh3 base weights model.safetensors", "0123"}};
    if (change) change(wanted);
    return std::make_unique<SteeredPolicy>(
        std::move(loaded), std::move(tokenizer), std::move(wanted), 7);
  }

  fs::path publish(SteeredSet set, const std::vector<std::string>& names) {
    trained_ = fresh(set, names);
    test::perturb(*trained_->conditioning());
    const fs::path directory = folder_ / "run" / "policy";
    fs::create_directories(directory.parent_path());
    save_policy(*trained_, base(), directory, "card\n");
    return directory;
  }

  std::string refusal(SteeredPolicy& policy, const fs::path& start) const {
    const auto before = policy.conditioning()->tensors();
    std::map<std::string, at::Tensor> kept;
    for (const auto& [name, tensor] : before)
      kept[name] = tensor.clone();
    std::string message = "started";
    try {
      start_from_policy(policy, start);
    } catch (const CallerError& error) {
      message = error.what();
    }
    for (const auto& [name, tensor] : policy.conditioning()->tensors())
      EXPECT_TRUE(same_bits(tensor, kept.at(name))) << name;
    return message;
  }

  std::unique_ptr<SteeredPolicy> trained_;
};

TEST_F(PolicyStartTest, CopiesAreTakenByTheNameOfTheirObjective) {
  for (const SteeredSet set :
       {SteeredSet::kLora, SteeredSet::kFull, SteeredSet::kAttention}) {
    const fs::path start = publish(set, {"kind", "odd", "short"});
    const auto policy = fresh(set, {"brief", "kind", "short"});
    const auto untouched = fresh(set, {"brief", "kind", "short"});
    const PolicyStart found = start_from_policy(*policy, start);
    EXPECT_EQ(found.taken, (std::vector<std::string>{"kind", "short"}));
    EXPECT_EQ(found.at_reference, std::vector<std::string>{"brief"});
    EXPECT_EQ(found.left_out, std::vector<std::string>{"odd"});
    EXPECT_TRUE(found.remarks.empty());
    const auto theirs = trained_->conditioning()->tensors();
    const auto before = untouched->conditioning()->tensors();
    for (const auto& [name, tensor] : policy->conditioning()->tensors()) {
      const bool new_one = name.starts_with("brief/");
      const auto& wanted = new_one ? before.at(name) : theirs.at(name);
      EXPECT_TRUE(same_bits(tensor, wanted)) << name;
    }
  }
}

// The reference is the base still: equal logits with and without the start.
TEST_F(PolicyStartTest, TheReferenceStaysTheBase) {
  const fs::path start = publish(SteeredSet::kFull, {"kind", "short"});
  const auto policy = fresh(SteeredSet::kFull, {"kind", "short"});
  const auto reference = RowSteering::uniform(Coefficients::frozen_reference());
  const at::Tensor before =
      logits(policy->model(), test::tiny_batch(), reference).clone();
  start_from_policy(*policy, start);
  EXPECT_TRUE(same_bits(
      logits(policy->model(), test::tiny_batch(), reference), before));
  const auto c = RowSteering::uniform(
      policy->coefficients_of(Steering{Weighting({0.5, 0.5}), 0.1}));
  EXPECT_FALSE(
      same_bits(logits(policy->model(), test::tiny_batch(), c), before));
}

TEST_F(PolicyStartTest, AnotherBaseSetOrRankIsRefusedAndNothingRead) {
  const fs::path start = publish(SteeredSet::kLora, {"kind", "short"});
  const std::vector<std::string> names = {"kind", "short"};
  const auto has = [](const std::string& text, const char* words) {
    return text.find(words) != std::string::npos;
  };
  auto policy = fresh(SteeredSet::kLora, names, [](auto& changed) {
    changed.provenance.begin()->second = "4567";
  });
  EXPECT_TRUE(has(refusal(*policy, start), "other base weights"));
  policy = fresh(SteeredSet::kFull, names);
  EXPECT_TRUE(has(refusal(*policy, start), "conditioning.steered_set"));
  policy = fresh(SteeredSet::kLora, names, [](auto& changed) {
    changed.conditioning.lora.rank = 5;
  });
  EXPECT_TRUE(has(refusal(*policy, start), "conditioning.lora.rank"));
  policy = fresh(SteeredSet::kLora, {"mean", "odd"});
  EXPECT_TRUE(has(refusal(*policy, start), "kind, short"));
}

TEST_F(PolicyStartTest, ADamagedFileIsRefusedAndNothingRead) {
  const fs::path start = publish(SteeredSet::kLora, {"kind", "short"});
  const fs::path file = steering_file_of(start);
  fs::resize_file(file, fs::file_size(file) - 4);
  const auto policy = fresh(SteeredSet::kLora, {"kind", "short"});
  EXPECT_NE(
      refusal(*policy, start).find(file.filename().string()),
      std::string::npos);
}

TEST_F(PolicyStartTest, WhatDiffersOtherwiseIsARemark) {
  const fs::path start = publish(SteeredSet::kLora, {"kind", "short"});
  const auto policy =
      fresh(SteeredSet::kLora, {"kind", "short"}, [](auto& changed) {
        changed.prompt_template = "{text}!";
        changed.temperature = 1.0;
      });
  EXPECT_EQ(start_from_policy(*policy, start).remarks.size(), 2U);
}

TEST_F(PolicyStartTest, PlacesThatMeanATrainedPolicy) {
  const fs::path start = publish(SteeredSet::kLora, {"kind", "short"});
  EXPECT_EQ(trained_policy_at(start), start);
  EXPECT_EQ(trained_policy_at(folder_ / "run"), start);
  EXPECT_EQ(trained_policy_at(start / "model.safetensors"), start);
  EXPECT_FALSE(trained_policy_at(base()));
  EXPECT_FALSE(trained_policy_at(base() / "model.safetensors"));
  EXPECT_FALSE(trained_policy_at(folder_ / "nothing"));
}

}  // namespace
}  // namespace moft
