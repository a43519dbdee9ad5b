// A tiny model on disk and a policy made from it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/generation/export.h"
#include "moft/generation/policy_directory.h"

#include "tests/models/decoder_support.h"
#include "tests/support/tensors.h"
#include "tests/support/tiny_model.h"

namespace moft::test {

namespace fs = std::filesystem;

inline std::int32_t tiny_end() {
  return static_cast<std::int32_t>(tiny_vocabulary().size()) - 1;
}

inline ConditioningOptions tiny_conditioning(SteeredSet set) {
  ConditioningOptions options;
  options.steered_set = set;
  options.lora.rank = 3;
  options.alpha_min = 0.1;
  return options;
}

// Every master of the policy moves by `deviation`, each its own way.
inline void perturb(Conditioning& conditioning, double deviation = 0.2) {
  at::NoGradGuard no_gradient;
  std::uint32_t row = 1000;
  for (const TrainedTensor& entry : conditioning.trained()) {
    const auto shape = entry.master.sizes().vec();
    entry.master.add_(normal_tensor(shape, row++, deviation));
  }
  conditioning.masters_changed();
}

inline Coefficients mixed(double beta, std::vector<double> w) {
  return Coefficients(beta, Weighting(std::move(w)));
}

class TinyPolicyTest : public testing::Test {
 protected:
  TinyPolicyTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string(test->test_suite_name()) + test->name();
    for (char& letter : name)
      if (letter == '/') letter = '_';
    folder_ = fs::path(testing::TempDir()) / name;
    fs::remove_all(folder_);
    write_tiny_model(base());
  }
  ~TinyPolicyTest() override { fs::remove_all(folder_); }

  fs::path base() const { return folder_ / "base"; }

  PolicyDefinition definition(SteeredSet set) const {
    PolicyDefinition definition;
    definition.objectives = {{"short", 0, 1}, {"kind", -1, 2}};
    definition.conditioning = tiny_conditioning(set);
    definition.kl_strength = 0.1;
    definition.temperature = 0.8;
    definition.prompt_template = "say {text}";
    definition.provenance = {{"base", "tiny"}};
    return definition;
  }

  std::unique_ptr<SteeredPolicy> make(SteeredSet set) const {
    LoadedModel loaded = load_language_model(base());
    auto tokenizer = load_base_tokenizer(base(), loaded);
    return std::make_unique<SteeredPolicy>(
        std::move(loaded), std::move(tokenizer), definition(set), 7);
  }
  std::unique_ptr<SteeredPolicy> make_trained(SteeredSet set) const {
    auto policy = make(set);
    perturb(*policy->conditioning());
    return policy;
  }

  static at::Tensor logits(
      LanguageModel& model,
      const ScoreBatch& batch,
      const RowSteering& steering) {
    at::NoGradGuard no_gradient;
    return model.completion_logits(batch, steering);
  }

  fs::path folder_;
};

// Two prompts, three completions; the first two share a prompt.
inline ScoreBatch tiny_batch() {
  ScoreBatch batch;
  batch.prompts = {{3, 9, 0, 14}, {7, 7}};
  batch.completions = {{5, 1, 28}, {2, 20, 13, 4}, {11}};
  batch.prompt_of_row = {0, 0, 1};
  return batch;
}

}  // namespace moft::test
