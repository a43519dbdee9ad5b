#include "moft/models/load.h"

#include <cmath>

#include "moft/checkpoints/gguf.h"
#include "moft/checkpoints/hf_directory.h"
#include "moft/checkpoints/model_folder.h"
#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/models/config_keys.h"
#include "moft/models/llama/model.h"
#include "moft/models/llama/names.h"
#include "moft/models/model_tensors.h"
#include "moft/models/t5/model.h"
#include "moft/models/t5/names.h"

namespace moft {
namespace {

// llama.cpp stores q and k of the llama architecture with each head's rotary
// pairs interleaved; Hugging Face keeps the two halves apart. The row of the
// file that is row `row` of the model.
std::int64_t unpermuted_row(std::int64_t row, std::int64_t head_size) {
  const std::int64_t inside = row % head_size, half = head_size / 2;
  return row - inside + inside % half * 2 + inside / half;
}

// The same with the rotary permutation undone.
kernels::RowSource unpermuted(
    kernels::RowSource source,
    const std::vector<std::int64_t>& shape,
    std::int64_t heads) {
  const std::int64_t head_size = shape[0] / heads;
  if (shape.size() == 1) {  // a bias: its elements are the rows
    const auto read = [read = std::move(source.floats),
                       head_size,
                       count = shape[0]](
                          std::int64_t, std::int64_t, float* target) {
      std::vector<float> stored(static_cast<std::size_t>(count));
      read(0, 1, stored.data());
      for (std::int64_t i = 0; i < count; ++i)
        target[i] =
            stored.at(static_cast<std::size_t>(unpermuted_row(i, head_size)));
    };
    return {read};
  }
  const std::int64_t width = shape[1];
  kernels::RowSource result(
      [read = std::move(source.floats), head_size, width](
          std::int64_t begin, std::int64_t end, float* target) {
        for (std::int64_t row = begin; row < end; ++row) {
          const std::int64_t stored = unpermuted_row(row, head_size);
          read(stored, stored + 1, target + (row - begin) * width);
        }
      });
  const kernels::BlockLayout layout = source.blocks.layout;
  if (layout.bits == 0) return result;
  result.blocks.layout = layout;
  result.blocks.read =
      [read = std::move(source.blocks.read),
       head_size,
       width,
       runs = width / layout.run](
          std::int64_t begin, std::int64_t end, kernels::BlockRows target) {
        for (std::int64_t row = begin; row < end; ++row) {
          const std::int64_t stored = unpermuted_row(row, head_size);
          const std::int64_t place = row - begin;
          read(
              stored,
              stored + 1,
              {target.scales + place * runs,
               target.offsets + place * runs,
               target.numbers + place * width});
        }
      };
  return result;
}

std::optional<std::int64_t> permuted_heads(
    const LlamaConfig& config, const std::string& name) {
  if (config.architecture != "llama") return std::nullopt;
  if (name.find(".q_proj.") != std::string::npos) return config.heads;
  if (name.find(".k_proj.") != std::string::npos) return config.kv_heads;
  return std::nullopt;
}

constexpr const char* kHead = "lm_head.weight";
constexpr const char* kScaledHead = "scale_decoder_outputs";

LoadedModel load_gguf(
    const std::filesystem::path& path, const LoadOptions& options) {
  // The mapping lives as long as parameters may be read from it.
  const auto file = std::make_shared<const GgufFile>(path);
  const LlamaConfig config = llama_config_from_gguf(*file);
  ModelTensors tensors(file, "", "token_embd.weight");
  const FindParameter load = [&](const std::string& name,
                                 std::vector<std::int64_t> shape) {
    const auto theirs = llama_gguf_name(name);
    TORCH_CHECK(theirs, "[load] no GGUF name for ", name);
    const auto heads = permuted_heads(config, name);
    auto rows = tensors.rows(*theirs, shape);
    return heads ? unpermuted(std::move(rows), shape, *heads) : rows;
  };
  LoadedModel loaded;
  loaded.model = std::make_unique<LlamaModel>(config, load, options);
  tensors.check_all_read({"blk.", "output", "rope_factors"});
  loaded.config = llama_config_to_json(config);
  loaded.gguf_tokenizer = file->tokenizer_data();
  loaded.weight_files = file->paths();
  return loaded;
}

std::string config_place(const HfDirectory& directory) {
  return (directory.path() / "config.json").string();
}

// config.json, with the end tokens of generation_config.json where it has any.
nlohmann::json merged_config(const HfDirectory& directory) {
  nlohmann::json config = directory.config();
  if (const auto& generation = directory.generation_config()) {
    const auto end = generation->find("eos_token_id");
    if (end != generation->end() && !end->is_null()) {
      config["eos_token_id"] = *end;
    }
  }
  return config;
}

// Whether the head is the embedding table. Versions of transformers disagree on
// a flag that says so beside a head of its own in the file, and on a flag that
// denies it without one: the file's head counts, and none is an error.
bool is_tied(
    ModelTensors& tensors,
    const std::string& embedding,
    bool flag,
    bool warns = true) {
  if (!tensors.has(kHead)) {
    if (flag) return true;
    if (tensors.has("score.weight") || tensors.has("classifier.weight")) {
      throw_caller_error(
          "{}: is a classifier or a reward model (it has a head of scores, and "
          "no '{}'); give a language model",
          tensors.source().describe(),
          kHead);
    }
    throw_caller_error(
        "{}: tensor '{}' is missing, and tie_word_embeddings is false; set "
        "\"tie_word_embeddings\": true in config.json if the head is the "
        "embedding table, or save the model with its head",
        tensors.source().describe(),
        kHead);
  }
  if (!flag) return false;
  if (!tensors.has(embedding)) return true;
  if (tensors.equal(embedding, kHead)) {
    tensors.mark_read(kHead);
    return true;
  }
  if (!warns) return false;
  log_warning(
      "{}: tie_word_embeddings is true, but '{}' differs from '{}'; moft uses "
      "the head that is in the file",
      tensors.source().describe(),
      kHead,
      embedding);
  return false;
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
    return tied && tensors.has(kHead) ? kHead : kT5EmbeddingNames[0];
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
std::unique_ptr<LanguageModel> make_t5(
    const std::shared_ptr<const HfDirectory>& directory,
    nlohmann::json& config,
    const LoadOptions& options) {
  const std::string place = config_place(*directory);
  T5Config shape = t5_config_from_json(config, place);
  const ConfigKeys keys(config, place, "T5 model");
  const bool scaled = keys.flag_or(kScaledHead, shape.tied_head);
  ModelTensors tensors(
      directory,
      "",
      t5_part_name(false, 0, T5Part::kSelfAttention) + "q.weight");
  const std::string embedding = t5_embedding_name(tensors, shape.tied_head);
  const bool tied = is_tied(
      tensors, embedding, shape.tied_head, /*warns=*/!keys.has(kScaledHead));
  shape.tied_head = tied && scaled;
  const FindParameter load = [&](const std::string& name,
                                 std::vector<std::int64_t> size) {
    if (name == kT5EmbeddingNames[0]) return tensors.rows(embedding, size);
    if (name != kHead || !(tied || scaled)) return tensors.rows(name, size);
    return scaled_rows(
        tensors.rows(tied ? embedding : name, size),
        shape.width,
        scaled ? 1.0F / std::sqrt(static_cast<float>(shape.width)) : 1.0F);
  };
  config["tie_word_embeddings"] = shape.tied_head;
  if (keys.has(kScaledHead)) config[kScaledHead] = shape.tied_head;
  auto model = std::make_unique<T5Model>(shape, load, options);
  tensors.check_all_read({".block.", "lm_head.", "layer_norm"});
  return model;
}

std::unique_ptr<LanguageModel> make_llama(
    const std::shared_ptr<const HfDirectory>& directory,
    nlohmann::json& config,
    const LoadOptions& options) {
  LlamaConfig shape = llama_config_from_json(config, config_place(*directory));
  const std::string embedding = "model.embed_tokens.weight";
  ModelTensors tensors(directory, "model.", embedding);
  // Of a tied pair a file may hold either name.
  const bool head_only =
      shape.tied_head && !tensors.has(embedding) && tensors.has(kHead);
  shape.tied_head = is_tied(tensors, embedding, shape.tied_head);
  config["tie_word_embeddings"] = shape.tied_head;
  const FindParameter load = [&](const std::string& name,
                                 std::vector<std::int64_t> size) {
    return tensors.rows(head_only && name == embedding ? kHead : name, size);
  };
  auto model = std::make_unique<LlamaModel>(shape, load, options);
  tensors.check_all_read({"layers.", "lm_head."});
  return model;
}

LoadedModel load_hugging_face(
    const std::filesystem::path& path, const LoadOptions& options) {
  const auto directory = std::make_shared<const HfDirectory>(path);
  nlohmann::json config = merged_config(*directory);
  LoadedModel loaded;
  const bool t5 = config.value("model_type", nlohmann::json()) == "t5";
  loaded.model = t5 ? make_t5(directory, config, options)
                    : make_llama(directory, config, options);
  loaded.config = directory->config();
  for (const char* key : {"tie_word_embeddings", kScaledHead})
    if (config.contains(key)) loaded.config[key] = config[key];
  loaded.weight_files = directory->weight_files();
  return loaded;
}

}  // namespace

at::Tensor read_tensor(
    const TensorSource& source,
    const std::string& name,
    const std::vector<std::int64_t>& shape) {
  const TensorView view = find_tensor(source, name, shape);
  check_finite(source, view);
  at::Tensor value = at::empty(view.shape, at::kFloat);
  to_float(
      view,
      std::span<float>(
          value.data_ptr<float>(), static_cast<std::size_t>(value.numel())));
  return value;
}

LoadedModel load_language_model(
    const std::filesystem::path& path, const LoadOptions& options) {
  const ModelPlace model = find_model(path);
  return model.gguf ? load_gguf(model.path, options)
                    : load_hugging_face(model.path, options);
}

}  // namespace moft
