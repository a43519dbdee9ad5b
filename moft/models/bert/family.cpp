// How BERTs are read from files, and their head of a classifier.
#include "moft/models/bert/family.h"

#include "moft/models/bert/config.h"
#include "moft/models/bert/model.h"

namespace moft::bert {

EncoderFamily bert_family() {
  EncoderFamily family;
  family.model_types = {"bert"};
  family.root = "bert.";
  family.anchor = "embeddings.word_embeddings.weight";
  family.unused = {"embeddings.position_ids", "pooler.", "cls.", "classifier."};
  family.size = [](const nlohmann::json& json, const std::string& place) {
    const BertConfig config = parse_config(json, place);
    return EncoderSize{config.vocab_size, config.context()};
  };
  family.make = [](const nlohmann::json& json,
                   const std::string& place,
                   const FindParameter& find,
                   const LoadOptions& options) {
    return std::make_unique<BertModel>(
        parse_config(json, place), find, options);
  };
  family.head = [](const nlohmann::json&, const std::string&) {
    HeadShape head;
    head.dense = "bert.pooler.dense";
    head.activation = Activation::kTanh;
    return head;
  };
  return family;
}

}  // namespace moft::bert
