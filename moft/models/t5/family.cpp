// How T5 models are read from files and drawn at random.
#include "moft/models/t5/family.h"

#include <cmath>

#include "moft/core/errors.h"
#include "moft/models/config_keys.h"
#include "moft/models/t5/model.h"
#include "moft/models/t5/names.h"

namespace moft {
namespace {

using nlohmann::json;

constexpr const char* kScaledHead = "scale_decoder_outputs";

std::unique_ptr<LanguageModel> make(
    const json& config,
    const std::string& place,
    const FindParameter& find,
    const LoadOptions& options) {
  return std::make_unique<T5Model>(
      t5_config_from_json(config, place), find, options);
}

// The name of T5's embedding table, which may be the head's when it is tied;
// two tables that differ are an error.
std::string t5_embedding_name(ModelTensors& tensors, bool tied) {
  std::vector<std::string> found;
  for (const char* name : kT5EmbeddingNames) {
    if (!tensors.has(name)) continue;
    found.emplace_back(name);
    tensors.mark_read(name);
  }
  if (found.empty())
    return tied && tensors.has(kHeadWeight) ? kHeadWeight
                                            : kT5EmbeddingNames[0];
  for (const std::string& other : found) {
    if (other == found[0] || tensors.equal(found[0], other)) continue;
    throw_caller_error(
        "{}: tensors '{}' and '{}' differ, but a T5 model has one embedding "
        "table; the file does not hold one",
        tensors.source().describe(),
        found[0],
        other);
  }
  return found[0];
}

// Rows times `scale`.
kernels::RowSource scaled_rows(
    kernels::RowSource rows, std::int64_t width, float scale) {
  return kernels::RowSource(
      [read = std::move(rows.floats), width, scale](
          std::int64_t begin, std::int64_t end, float* target) {
        read(begin, end, target);
        for (std::int64_t i = 0; i < (end - begin) * width; ++i)
          target[i] *= scale;
      });
}

// A T5 model whose head is the embedding table scales the head's input by
// width^-1/2. transformers 5 says tie_word_embeddings for every model it saves
// and keeps that apart, in scale_decoder_outputs. Here a head that is scaled
// without being tied is scaled itself, and one that is tied without being
// scaled is a matrix of its own: both files then mean the same to all versions.
std::unique_ptr<LanguageModel> load_saved(
    SavedModel& saved, const LoadOptions& options) {
  T5Config shape = t5_config_from_json(saved.config(), saved.place());
  const ConfigKeys keys(saved.config(), saved.place(), "T5 model");
  const bool scaled = keys.flag_or(kScaledHead, shape.tied_head);
  ModelTensors tensors(
      saved.files(),
      "",
      t5_part_name(false, 0, T5Part::kSelfAttention) + "q.weight");
  const std::string embedding = t5_embedding_name(tensors, shape.tied_head);
  const bool tied = is_tied(
      tensors,
      embedding,
      {.says = shape.tied_head, .warns = !keys.has(kScaledHead)});
  shape.tied_head = tied && scaled;
  const FindParameter load = [&](const std::string& name,
                                 std::vector<std::int64_t> size) {
    if (name == kT5EmbeddingNames[0]) return tensors.rows(embedding, size);
    if (name != kHeadWeight || !(tied || scaled))
      return tensors.rows(name, size);
    return scaled_rows(
        tensors.rows(tied ? embedding : name, size),
        shape.width,
        scaled ? 1.0F / std::sqrt(static_cast<float>(shape.width)) : 1.0F);
  };
  const bool has_scale = keys.has(kScaledHead);
  saved.correct("tie_word_embeddings", shape.tied_head);
  if (has_scale) saved.correct(kScaledHead, shape.tied_head);
  auto model = std::make_unique<T5Model>(shape, load, options);
  tensors.check_all_read({".block.", "lm_head.", "layer_norm"});
  return model;
}

std::string feed_forward_name(const RandomModelOptions& options) {
  if (options.gated) return "gated-" + enum_name(options.activation);
  // Plain "gelu" would be another function.
  return options.activation == RandomActivation::kGelu
             ? "gelu_new"
             : enum_name(options.activation);
}

json random_config(const RandomModelShape& shape) {
  const RandomModelOptions& options = shape.options;
  const RandomModelTokens& tokens = shape.tokens;
  if (tokens.padding < 0) {
    throw_caller_error(
        "{}.tokenizer has no <pad>, which t5's decoder starts with; give a T5 "
        "tokenizer",
        kRandomModelPlace);
  }
  return {
      {"architectures", {"T5ForConditionalGeneration"}},
      {"model_type", "t5"},
      {"is_encoder_decoder", true},
      {"vocab_size", shape.vocabulary},
      {"d_model", options.width},
      {"d_kv", shape.head_size},
      {"d_ff", options.feed_forward},
      {"num_layers", options.layers},
      {"num_decoder_layers", options.decoder_layers.value_or(options.layers)},
      {"num_heads", options.heads},
      {"relative_attention_num_buckets", 32},
      {"relative_attention_max_distance", 128},
      {"dropout_rate", 0.0},
      {"layer_norm_epsilon", 1e-6},
      {"initializer_factor", 1.0},
      {"feed_forward_proj", feed_forward_name(options)},
      {"tie_word_embeddings", options.tied_head},
      {"use_cache", true},
      {"decoder_start_token_id", tokens.padding},
      {"pad_token_id", tokens.padding},
      {"eos_token_id", tokens.end}};
}

InitialSpread spread(const json& config, const std::string& name) {
  const T5Config c = t5_config_from_json(config, kRandomModelPlace);
  const auto inverse_root = [](std::int64_t size) {
    return 1.0 / std::sqrt(static_cast<double>(size));
  };
  const auto is = [&](const char* ending) { return name.ends_with(ending); };
  if (is("layer_norm.weight")) return {0.0, 1.0};
  if (is(".q.weight")) return {inverse_root(c.width * c.head_size), 0.0};
  if (is(".o.weight")) return {inverse_root(c.heads * c.head_size), 0.0};
  if (is(".wo.weight")) return {inverse_root(c.feed_forward), 0.0};
  const bool inner = is(".k.weight") || is(".v.weight") || is(".wi.weight") ||
                     is(".wi_0.weight") || is(".wi_1.weight") ||
                     is(".relative_attention_bias.weight");
  if (inner) return {inverse_root(c.width), 0.0};
  return {1.0, 0.0};  // the embedding and an untied head
}

}  // namespace

ModelFamily t5_family() {
  return {
      "t5",
      {"t5"},
      /*gguf_architectures=*/{},
      make,
      load_saved,
      /*load_gguf=*/nullptr,
      {[](const RandomModelOptions&, const std::string&) {},
       random_config,
       spread}};
}

}  // namespace moft
