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

// The tensors of a decoder whose names are those of LlamaForCausalLM.
class SavedDecoder {
 public:
  // `tied` is what the configuration says of the head.
  SavedDecoder(SavedModel& saved, bool tied);

  bool tied() const { return tied_; }
  // Serves while this object lives.
  FindParameter finder();
  // CallerError when the model did not read a tensor of a layer or the head.
  void check_all_read() const {
    tensors_.check_all_read({"layers.", "lm_head."});
  }

 private:
  ModelTensors tensors_;
  bool head_only_ = false;  // a tied pair under the head's name
  bool tied_ = false;
};

// `config` of a decoder family -> its model.
template <typename Model, typename Config>
std::unique_ptr<Model> load_saved_decoder(
    SavedModel& saved, Config config, const LoadOptions& options) {
  SavedDecoder decoder(saved, config.tied_head);
  config.tied_head = decoder.tied();
  auto model = std::make_unique<Model>(config, decoder.finder(), options);
  decoder.check_all_read();
  return model;
}

}  // namespace moft
