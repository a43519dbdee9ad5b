// A policy of a tiny model, its rewards and its trainer, ready to step.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "moft/rewards/reward_options.h"
#include "moft/training/online.h"
#include "moft/weightings/weighting_options.h"

#include "tests/support/watched_model.h"

namespace moft::test {

// A fresh folder that disappears with the object.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct TinyRun {
  at::Device device = at::kCPU;
  kernels::Storage storage = kernels::Storage::kFloat32;
  SteeredSet steered_set = SteeredSet::kLora;
  std::string lora_layers = "all";
  std::function<void(ConditioningOptions&)> change_conditioning;  // or null
  Watch* watch = nullptr;  // sees the policy's model, when given
  // By objective, the expression its reward looks for; its own name without.
  std::map<std::string, std::string> patterns;
  // The objectives `a` and `b`, in place of these expressions; empty: those.
  Objectives objectives;
  WeightingOptions weightings;
  TrainingOptions training;
  Group* group = nullptr;  // that takes the steps; none: one process
};

// Six prompts of four completions of at most 6 tokens; learning rate 0.02.
TinyRun tiny_run();

// Objectives `a` (is there an "a"?) and `b` (is there a "b"?), so that
// weightings conflict. The value network of baseline: value starts from the
// same base. `folder` must hold the files as long as it lives.
struct TinyTraining {
  TinyTraining(const std::filesystem::path& folder, const TinyRun& run);

  std::filesystem::path base;
  std::unique_ptr<SteeredPolicy> policy;
  std::unique_ptr<ObjectiveSet> objectives;
  std::vector<Example> examples;
  std::unique_ptr<OnlineTrainer> trainer;
};

// A step of the trainer's policy on the examples `chosen`, four completions
// each, up to its advantages; nothing is learned.
Experience experience_of(
    const TinyTraining& tiny,
    const TrainingOptions& options,
    const std::vector<std::size_t>& chosen,
    std::int64_t step);

std::string read_all(const std::filesystem::path& path);

// Copies of the masters by name.
std::map<std::string, at::Tensor> masters_of(const SteeredPolicy& policy);

}  // namespace moft::test
