// How MPNets are read from files.
#include "moft/models/mpnet/family.h"

#include "moft/models/mpnet/model.h"

namespace moft::mpnet {

EncoderFamily mpnet_family() {
  EncoderFamily family;
  family.model_types = {"mpnet"};
  family.root = "mpnet.";
  family.anchor = "embeddings.word_embeddings.weight";
  family.unused = {
      "embeddings.position_ids", "pooler.", "lm_head.", "classifier."};
  family.size = [](const nlohmann::json& config, const std::string& place) {
    const bert::BertConfig c = parse_config(config, place);
    return EncoderSize{c.vocab_size, c.context()};
  };
  family.make = [](const nlohmann::json& config,
                   const std::string& place,
                   const FindParameter& find,
                   const LoadOptions& options) {
    return std::make_unique<MpnetModel>(
        parse_config(config, place), find, options);
  };
  family.head = [](const nlohmann::json&, const std::string&) {
    HeadShape head;
    head.dense = "classifier.dense";
    head.out = "classifier.out_proj";
    return head;
  };
  return family;
}

}  // namespace moft::mpnet
