// A model directory in Hugging Face's layout: config.json and the weights, in
// `model.safetensors` or in shards named by `model.safetensors.index.json`.
#pragma once

#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors.h"

namespace moft {

// All tensors of the directory as one source. CallerError, naming the file,
// for whatever is missing, unreadable or contradictory.
class HfDirectory : public TensorSource {
 public:
  explicit HfDirectory(std::filesystem::path path);

  const std::vector<std::string>& names() const override { return names_; }
  std::optional<TensorView> find(std::string_view name) const override;
  std::string describe() const override { return path_.string(); }

  const std::filesystem::path& path() const { return path_; }
  // config.json, always an object.
  const nlohmann::json& config() const { return config_; }
  // generation_config.json, an object, where there is one.
  const std::optional<nlohmann::json>& generation_config() const {
    return generation_config_;
  }
  // The files that hold the weights (index included), for hashing and linking.
  const std::vector<std::filesystem::path>& weight_files() const {
    return weight_files_;
  }

 private:
  void open_single(const std::filesystem::path& file);
  void open_shards(const std::filesystem::path& index);

  std::filesystem::path path_;
  nlohmann::json config_;
  std::optional<nlohmann::json> generation_config_;
  std::vector<std::filesystem::path> weight_files_;
  std::vector<std::unique_ptr<SafetensorsFile>> shards_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, const SafetensorsFile*> owners_;
};

}  // namespace moft
