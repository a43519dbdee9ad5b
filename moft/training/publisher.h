// What a finished run leaves behind: a policy directory or a plain model.
//
// Errors: WorldError for numbers that are not finite; those of save_policy and
// export_policy.
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "moft/training/publish.h"

namespace moft {

// A run that has reached its last step.
struct FinishedRun {
  std::filesystem::path directory;  // the run's, its logs on the disk
  std::filesystem::path product;    // the directory to write
  std::int64_t steps = 0;
  std::string alarm;  // of a guard in the last step; empty: none
};

class Publisher {
 public:
  virtual ~Publisher() = default;
  // Asked before every checkpoint and before publishing.
  virtual void require_finite() = 0;
  virtual void publish(const FinishedRun& run) = 0;
  // Every rank calls it: runs rank 0's `work`, in which it publishes, with the
  // help of the others, which give null.
  virtual void serve(const std::function<void()>& work) {
    if (work) work();
  }
};

// A steerable policy with its model card.
struct PolicyProduct {
  SteeredPolicy* policy = nullptr;
  Prompt prompt;  // one of training, to look at the policy's logits
  std::filesystem::path base_path;    // of the base model's files
  ModelCard card;                     // name, description and base_model
  std::int64_t answers_per_step = 0;  // completions seen in a step
};

class PolicyPublisher : public Publisher {
 public:
  explicit PolicyPublisher(PolicyProduct product)
      : product_(std::move(product)) {}

  void require_finite() override;
  // Warns of knobs that the policy does not answer to.
  void publish(const FinishedRun& run) override;
  void serve(const std::function<void()>& work) override {
    product_.policy->conditioning()->serve(work);
  }

 private:
  PolicyProduct product_;
};

// The model of one steering as an ordinary Hugging Face directory.
class ModelPublisher : public Publisher {
 public:
  // policy outlives the publisher; base_path: of the tokenizer's files.
  ModelPublisher(
      SteeredPolicy& policy, Steering steering, std::filesystem::path base_path)
      : policy_(policy),
        steering_(std::move(steering)),
        base_path_(std::move(base_path)) {}

  void require_finite() override { require_finite_masters(policy_); }
  void publish(const FinishedRun& run) override;

 private:
  SteeredPolicy& policy_;
  Steering steering_;
  std::filesystem::path base_path_;
};

}  // namespace moft
