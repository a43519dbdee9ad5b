// The model families that moft runs, in one table.
//
// A family is found by `model_type` in config.json or by the architecture that
// a GGUF file names. A new decoder family is a configuration that DecoderModel
// computes (decoder_config.h), or a CausalModel of its own, and an entry here;
// decoding and scoring are shared.
//
// Errors: CallerError naming the model type and those that the table has.
// Thread safety: register families before models are loaded; reading the table
// is safe from any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/checkpoints/gguf.h"
#include "moft/models/gguf_layout.h"
#include "moft/models/language_model.h"
#include "moft/models/model_builder.h"
#include "moft/models/random/options.h"
#include "moft/models/saved_model.h"

namespace moft {

// A model from a GGUF file and the config.json that transformers would read.
struct GgufModel {
  std::unique_ptr<LanguageModel> model;
  nlohmann::json config;
};

// What `model.random` needs of a family.
struct RandomInitialisation {
  // CallerError for shapes that the family does not compute; `path` is the
  // options' dotted path with a dot at its end.
  std::function<void(const RandomModelOptions&, const std::string& path)> check;
  // The config.json of the model.
  std::function<nlohmann::json(const RandomModelShape&)> config;
  // How a parameter is drawn, by its Hugging Face name.
  std::function<InitialSpread(
      const nlohmann::json& config, const std::string& name)>
      spread;
};

struct ModelFamily {
  std::string name;  // in `model.random.family`
  std::vector<std::string> model_types;
  std::vector<std::string> gguf_architectures;  // none: no GGUF files

  // The model that config.json describes, with the parameters that `find`
  // gives. `place` opens error messages.
  std::function<std::unique_ptr<LanguageModel>(
      const nlohmann::json& config,
      const std::string& place,
      const FindParameter& find,
      const LoadOptions& options)>
      make;
  std::function<std::unique_ptr<LanguageModel>(
      SavedModel& saved, const LoadOptions& options)>
      load_saved;
  std::function<GgufModel(
      const std::shared_ptr<const GgufFile>& file, const LoadOptions& options)>
      load_gguf;
  RandomInitialisation random;
  // How a model of this configuration is written as GGUF; none: it is not.
  std::function<GgufLayout(const nlohmann::json& config, const std::string&)>
      gguf_layout = nullptr;
};

// Adds a family; its model types must be new.
void register_family(ModelFamily family);

const ModelFamily& family_of_config(
    const nlohmann::json& config, const std::string& place);
const ModelFamily& family_of_gguf(const GgufFile& file);
const ModelFamily& family_of(RandomFamily family);

}  // namespace moft
