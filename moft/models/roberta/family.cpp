// How RoBERTas are read from files.
#include "moft/models/roberta/family.h"

#include "moft/models/bert/model.h"

namespace moft::roberta {
namespace {

using nlohmann::json;

bert::BertConfig parse_config(const json& config, const std::string& place) {
  const ConfigKeys keys(config, place, "RoBERTa encoder");
  if (keys.text_or("position_embedding_type", "absolute") != "absolute")
    keys.refuse("position_embedding_type", "absolute positions");
  if (keys.flag_or("is_decoder", false)) keys.refuse("is_decoder", "encoders");
  bert::BertConfig c =
      bert::read_shared_keys(keys, keys.text_or("model_type", ""), 1e-12);
  c.type_vocab_size = keys.size_or("type_vocab_size", 2);
  // A text's first token has the place after the padding token's.
  c.first_position = 2;
  if (keys.has("pad_token_id"))
    c.first_position =
        keys.token(keys.at("pad_token_id"), "pad_token_id", c.vocab_size) + 1;
  if (c.context() < 2)
    keys.refuse("max_position_embeddings", "texts of two tokens and more");
  return c;
}

}  // namespace

EncoderFamily roberta_family() {
  EncoderFamily family;
  family.model_types = {"roberta", "xlm-roberta"};
  family.root = "roberta.";
  family.anchor = "embeddings.word_embeddings.weight";
  family.unused = {
      "embeddings.position_ids", "pooler.", "lm_head.", "classifier."};
  family.size = [](const json& config, const std::string& place) {
    const bert::BertConfig c = parse_config(config, place);
    return EncoderSize{c.vocab_size, c.context()};
  };
  family.make = [](const json& config,
                   const std::string& place,
                   const FindParameter& find,
                   const LoadOptions& options) {
    return std::make_unique<bert::BertModel>(
        parse_config(config, place),
        find,
        options,
        bert::BertNames{.root = "roberta."});
  };
  family.head = [](const json&, const std::string&) {
    HeadShape head;
    head.dense = "classifier.dense";
    head.out = "classifier.out_proj";
    return head;
  };
  return family;
}

}  // namespace moft::roberta
