// The families of encoders that moft runs, in one table: sentence encoders and
// classifiers are made of them.
//
// A family is found by `model_type` in config.json. A new one is a
// configuration, a model, its names and an entry here.
//
// Errors: CallerError naming the model type and those that the table has.
// Thread safety: reading the table is safe from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/checkpoints/tensor_source.h"
#include "moft/models/encoder_model.h"
#include "moft/models/model_builder.h"
#include "moft/models/output_head.h"
#include "moft/models/random/options.h"

namespace moft {

struct EncoderSize {
  std::int64_t vocabulary = 0;
  std::int64_t context = 0;  // tokens of the longest text
};

struct EncoderFamily {
  std::vector<std::string> model_types;
  // Names of tensors begin with this in a classifier's file ("bert."); files of
  // the encoder alone leave it out.
  std::string root;
  std::string anchor;               // a tensor that every file has, below root
  std::vector<std::string> unused;  // parts of names that may be left unread
  // What config.json says; CallerError for what the family does not compute.
  std::function<EncoderSize(
      const nlohmann::json& config, const std::string& place)>
      size;
  std::function<std::unique_ptr<EncoderModel>(
      const nlohmann::json& config,
      const std::string& place,
      const FindParameter& find,
      const LoadOptions& options)>
      make;
  // The head of ..ForSequenceClassification; the caller sets `outputs`.
  std::function<HeadShape(
      const nlohmann::json& config, const std::string& place)>
      head;
  // How a new head's matrix is drawn, by its name; null:
  // usual_head_spread().
  std::function<InitialSpread(
      const nlohmann::json& config, const std::string& name)>
      head_spread = nullptr;
};

// Normal with the spread that config.json names (initializer_range).
InitialSpread usual_head_spread(const nlohmann::json& config);

const std::vector<EncoderFamily>& encoder_families();
// Null for a model_type that the table does not have.
const EncoderFamily* find_encoder_family(const nlohmann::json& config);

// Gives `build` the tensors of `source` by the family's names: checked to be
// finite, and to be read, all of them but those that may be left unread. `has`
// says whether there is one of a name.
using HasTensor = std::function<bool(const std::string& name)>;
void load_encoder_tensors(
    const EncoderFamily& family,
    std::shared_ptr<const TensorSource> source,
    const std::function<void(const FindParameter& find, const HasTensor& has)>&
        build);

}  // namespace moft
