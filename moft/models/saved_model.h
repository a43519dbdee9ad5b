// What the families share when they read a directory that transformers saved:
// its configuration, and where the output head is.
//
// Errors: CallerError naming the file and the tensor.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "moft/checkpoints/hf_directory.h"
#include "moft/models/decoder_config.h"
#include "moft/models/language_model.h"
#include "moft/models/model_builder.h"
#include "moft/models/model_tensors.h"

namespace moft {

inline constexpr const char* kHeadWeight = "lm_head.weight";

class SavedModel {
 public:
  explicit SavedModel(const std::filesystem::path& directory);

  const std::shared_ptr<const HfDirectory>& files() const { return files_; }
  // config.json, with the end tokens of generation_config.json where it has
  // any: what families read.
  const nlohmann::json& config() const { return config_; }
  // Opens error messages: the path of config.json.
  const std::string& place() const { return place_; }
  // config.json as the files turned out to be.
  const nlohmann::json& corrected() const { return corrected_; }
  // Says what was found in the files: changes config() and corrected().
  void correct(const char* key, const nlohmann::json& value);

 private:
  std::shared_ptr<const HfDirectory> files_;
  nlohmann::json config_;
  nlohmann::json corrected_;
  std::string place_;
};

// Whether the head is the embedding table. Versions of transformers disagree on
// a flag that says so beside a head of its own in the file, and on a flag that
// denies it without one: the file's head counts, and a missing one is an error.
struct TiedFlag {
  bool says = false;  // tie_word_embeddings
  bool warns = true;  // when the file's head differs from the table
};
bool is_tied(
    ModelTensors& tensors, const std::string& embedding, const TiedFlag& flag);

// The decoder whose configuration is `config` and whose tensors have the names
// of LlamaForCausalLM.
std::unique_ptr<LanguageModel> load_saved_decoder(
    SavedModel& saved, DecoderConfig config, const LoadOptions& options);

}  // namespace moft
