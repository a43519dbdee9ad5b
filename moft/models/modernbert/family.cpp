// How ModernBERTs are read from files.
#include "moft/models/modernbert/family.h"

#include <cmath>

#include "moft/models/config_keys.h"
#include "moft/models/modernbert/model.h"

namespace moft::modernbert {
namespace {

// head.dense, head.norm and the classifier, on [CLS] or the mean.
HeadShape head_of(const nlohmann::json& config, const std::string& place) {
  const ConfigKeys keys(config, place, "ModernBERT encoder");
  const std::string pooling = keys.text_or("classifier_pooling", "cls");
  if (pooling != "cls" && pooling != "mean")
    keys.refuse("classifier_pooling", "cls and mean");
  HeadShape head;
  head.read_at = pooling == "cls" ? ReadAt::kFirstToken : ReadAt::kMean;
  head.dense = "head.dense";
  head.dense_bias = keys.flag_or("classifier_bias", false);
  head.activation = read_activation(keys, "classifier_activation");
  head.norm = "head.norm";
  head.norm_bias = keys.flag_or("norm_bias", false);
  head.norm_epsilon = keys.positive_or("norm_eps", 1e-5);
  return head;
}

// transformers' truncated normals.
InitialSpread head_spread(
    const nlohmann::json& config, const std::string& name) {
  const double width = config.value("hidden_size", 768);
  const double layers = config.value("num_hidden_layers", 22);
  return {
      .deviation = name.starts_with("classifier")
                       ? 1.0 / std::sqrt(width)
                       : config.value("initializer_range", 0.02) /
                             std::sqrt(2.0 * layers),
      .cutoff = config.value("initializer_cutoff_factor", 2.0)};
}

}  // namespace

EncoderFamily modernbert_family() {
  EncoderFamily family;
  family.model_types = {"modernbert"};
  family.root = "model.";
  family.anchor = "embeddings.tok_embeddings.weight";
  family.unused = {"head.", "decoder.", "classifier."};
  family.size = [](const nlohmann::json& config, const std::string& place) {
    const ModernBertConfig c = parse_config(config, place);
    return EncoderSize{c.vocabulary, c.context};
  };
  family.make = [](const nlohmann::json& config,
                   const std::string& place,
                   const FindParameter& find,
                   const LoadOptions& options) {
    return std::make_unique<ModernBertModel>(
        parse_config(config, place), find, options);
  };
  family.head = head_of;
  family.head_spread = head_spread;
  return family;
}

}  // namespace moft::modernbert
