// A LoRA adapter as PEFT saves it: adapter_config.json and
// adapter_model.safetensors. Source: github.com/huggingface/peft.
//
//   W' = W + scale B A            a linear map, A [rank, in], B [out, rank]
//   W' = W + scale (B A)^T        an embedding table, A [rank, rows]
//   row i of W' times m_i / |row i of W'|    with DoRA's magnitudes m [out]
//
// What is read is exact: ranks and alphas by pattern, rsLoRA, DoRA, the choice
// of modules and layers, parameters saved whole. What would be another
// computation is refused by the name of its setting, and so are tensors that
// PEFT itself would leave out without a word.
//
// Knows no model: names are those of the base's modules, and who merges the
// adapter compares shapes. CallerError, naming the file and the key.
// Thread safety: immutable.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moft/checkpoints/peft_config.h"
#include "moft/checkpoints/safetensors.h"

namespace moft {

inline constexpr const char* kAdapterWeightsFile = "adapter_model.safetensors";

struct AdapterUpdate {
  TensorView down;  // A
  TensorView up;    // B
  double scale = 1.0;
  bool embedding = false;
  std::optional<TensorView> magnitude;  // DoRA

  std::int64_t rank() const { return down.shape[0]; }
};

// A module of the base that an adapter may change.
struct AdaptableModule {
  std::string name;     // "model.layers.3.self_attn.q_proj"
  bool linear = true;   // else an embedding table
  bool output = false;  // the output head
};

class PeftAdapter {
 public:
  explicit PeftAdapter(const std::filesystem::path& directory);

  // By module.
  const std::map<std::string, AdapterUpdate>& updates() const {
    return updates_;
  }
  // Parameters that take the place of the base's (modules_to_save, biases), by
  // the base's name.
  const std::map<std::string, TensorView>& whole() const { return whole_; }
  const PeftConfig& config() const { return config_; }
  const SafetensorsFile& tensors() const { return *tensors_; }
  // Keeps the tensors mapped.
  std::shared_ptr<const SafetensorsFile> source() const { return tensors_; }
  // Both files, for hashing and linking.
  std::vector<std::filesystem::path> files() const;

  // CallerError when the adapter changes a module that the base does not have
  // or its configuration does not name, or lacks one that is named.
  void check_modules(const std::vector<AdaptableModule>& base) const;

 private:
  struct Halves;
  void sort_tensors();
  AdapterUpdate update_of(
      const std::string& module, const Halves& halves) const;

  std::filesystem::path directory_;
  PeftConfig config_;
  std::shared_ptr<const SafetensorsFile> tensors_;
  std::map<std::string, AdapterUpdate> updates_;
  std::map<std::string, TensorView> whole_;
};

}  // namespace moft
