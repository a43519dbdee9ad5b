// How DeBERTas are read from files.
#include "moft/models/deberta/family.h"

#include "moft/models/deberta/model.h"

namespace moft::deberta {

EncoderFamily deberta_family() {
  EncoderFamily family;
  family.model_types = {"deberta-v2"};
  family.root = "deberta.";
  family.anchor = "embeddings.word_embeddings.weight";
  family.unused = {
      "position_ids",
      "position_embeddings",
      "pooler.",
      "cls.",
      "lm_predictions.",
      "mask_predictions.",
      "classifier."};
  family.size = [](const nlohmann::json& config, const std::string& place) {
    const bert::BertConfig c = parse_config(config, place).bert;
    return EncoderSize{c.vocab_size, c.context()};
  };
  family.make = [](const nlohmann::json& config,
                   const std::string& place,
                   const FindParameter& find,
                   const LoadOptions& options) {
    return std::make_unique<DebertaModel>(
        parse_config(config, place), find, options);
  };
  family.head = [](const nlohmann::json& config, const std::string& place) {
    HeadShape head;
    head.dense = "pooler.dense";
    head.activation =
        read_activation(ConfigKeys(config, place), "pooler_hidden_act");
    return head;
  };
  return family;
}

}  // namespace moft::deberta
