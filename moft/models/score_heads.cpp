// The table of decoders with a head of scores.
#include "moft/models/score_heads.h"

#include <algorithm>

#include "moft/models/decoder_model.h"
#include "moft/models/gemma/config.h"
#include "moft/models/gpt2/family.h"
#include "moft/models/llama/config.h"
#include "moft/models/model_tensors.h"

namespace moft {
namespace {

using nlohmann::json;
using ReadConfig = DecoderConfig (*)(const json&, const std::string& place);

// A family that a DecoderConfig describes.
ScoreFamily decoder_scores(std::vector<std::string> types, ReadConfig read) {
  ScoreFamily family;
  family.model_types = std::move(types);
  family.root = "model.";
  family.anchor = "embed_tokens.weight";
  family.unused = {"lm_head."};
  family.size = [read](const json& config, const std::string& place) {
    const DecoderConfig c = read(config, place);
    return EncoderSize{c.vocabulary, c.context - 1};
  };
  family.make = [read](
                    const json& config,
                    const std::string& place,
                    const FindParameter& find,
                    const LoadOptions& options) {
    DecoderConfig c = read(config, place);
    c.tied_head = true;
    return std::make_unique<DecoderModel>(std::move(c), find, options);
  };
  return family;
}

}  // namespace

const std::vector<ScoreFamily>& score_families() {
  static const std::vector<ScoreFamily> families{
      decoder_scores(
          {"llama", "mistral", "qwen2", "qwen3"}, llama_config_from_json),
      decoder_scores({"gemma2", "gemma3_text"}, gemma_config_from_json),
      gpt2::score_family(),
  };
  return families;
}

const ScoreFamily* find_score_family(const json& config) {
  const auto type = config.find("model_type");
  if (type == config.end() || !type->is_string()) return nullptr;
  const auto name = type->get<std::string>();
  for (const ScoreFamily& family : score_families()) {
    const auto& types = family.model_types;
    if (std::ranges::find(types, name) != types.end()) return &family;
  }
  return nullptr;
}

std::unique_ptr<SequenceModel> load_score_model(
    const ScoreFamily& family,
    const std::shared_ptr<const HfDirectory>& files,
    const std::string& place,
    std::int64_t outputs,
    const LoadOptions& options,
    const FindParameter& new_head) {
  ModelTensors tensors(files, family.root, family.root + family.anchor);
  const FindParameter find = [&](const std::string& name,
                                 std::vector<std::int64_t> shape) {
    return tensors.rows(name, std::move(shape));
  };
  std::unique_ptr<SequenceModel> decoder =
      family.make(files->config(), place, find, options);
  const std::int64_t width = decoder->info().width;
  const at::Tensor head = at::empty({outputs, width}, at::kFloat);
  (new_head ? new_head : find)(kScoreWeight, {outputs, width})
      .floats(0, outputs, head.data_ptr<float>());
  std::vector<std::string> unused = family.unused;
  if (new_head) unused.emplace_back(kScoreWeight);
  tensors.check_all_read({family.root}, unused);
  decoder->replace_head(std::make_shared<SteeredParameter>(
      kScoreWeight, head.to(options.device)));
  return decoder;
}

}  // namespace moft
