// adapter_config.json of a PEFT LoRA adapter: ranks, scales and modules.
//
// Errors: CallerError naming the file and the key, for settings that change the
// computation in a way that moft does not have, too.
// Thread safety: immutable.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/core/pattern.h"

namespace moft {

inline constexpr const char* kAdapterConfigFile = "adapter_config.json";

class PeftConfig {
 public:
  explicit PeftConfig(const std::filesystem::path& file);

  const std::filesystem::path& file() const { return file_; }
  // base_model_name_or_path; may be empty.
  const std::string& base() const { return base_; }
  // By rank_pattern and alpha_pattern, else r and lora_alpha.
  std::int64_t rank_of(const std::string& module) const;
  // alpha / rank, or alpha / sqrt(rank) with use_rslora.
  double scale_of(const std::string& module) const;
  bool dora() const { return dora_; }

  // Whether the adapter is meant to change this module; absent where the file
  // does not name any. `output`: the head, which "all-linear" leaves out.
  std::optional<bool> targets(
      const std::string& module, bool linear, bool output) const;

 private:
  // A value for the modules whose names match.
  struct PatternValue {
    Pattern pattern;
    double value;
  };
  // Modules by names, or by a regular expression.
  struct ModuleNames {
    std::vector<std::string> names;
    std::optional<Pattern> pattern;

    bool contain(const std::string& module) const;
  };

  void read_ranks(const nlohmann::json& config);
  void read_layers(const nlohmann::json& config);
  std::vector<PatternValue> read_patterns(
      const nlohmann::ordered_json& config, const char* key, bool whole) const;
  std::optional<ModuleNames> read_names(
      const nlohmann::json& config, const char* key) const;
  bool layer_is_chosen(const std::string& module) const;

  std::filesystem::path file_;
  std::string base_;
  double rank_ = 8;
  double alpha_ = 8;
  bool rslora_ = false;
  bool dora_ = false;
  std::vector<PatternValue> rank_pattern_;
  std::vector<PatternValue> alpha_pattern_;
  std::optional<ModuleNames> targets_;
  std::optional<ModuleNames> excluded_;
  bool all_linear_ = false;
  std::vector<std::int64_t> layers_;  // empty: all
  std::vector<std::string> layers_pattern_;
};

}  // namespace moft
