// The half of `moft soup` that mixes PEFT adapters instead of runs.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "moft/generation/steered_policy.h"

#include "cli/parser.h"
#include "cli/prompt_flags.h"

namespace moft {

class AdapterSoup {
 public:
  void declare(Parser& parser);
  // Whether any of its flags was given.
  bool given() const;

  // A policy on --model whose copies are the adapters, in the alphabetical
  // order of recipes' objectives.
  // Nothing is trained, so alpha is the amount of the base that is mixed in.
  std::unique_ptr<SteeredPolicy> mix() const;

  const std::string& model() const { return model_; }
  std::string card(const SteeredPolicy& policy) const;
  // One line for each adapter.
  void print() const;

 private:
  std::vector<PolicyObjective> objectives() const;

  const Parser* parser_ = nullptr;
  std::string model_;
  std::vector<std::string> adapters_;  // NAME=DIR
  std::vector<std::string> ranges_;    // NAME=LOW,HIGH
  std::string prompt_template_;
  PromptFlags chat_;
};

}  // namespace moft
