#include "moft/models/load.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "moft/checkpoints/gguf.h"
#include "moft/checkpoints/hf_directory.h"
#include "moft/core/errors.h"
#include "moft/models/llama/model.h"
#include "moft/models/llama/names.h"

namespace moft {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// llama.cpp stores q and k of the llama architecture with each head's rotary
// pairs interleaved; Hugging Face keeps the two halves apart.
at::Tensor undo_rotary_permutation(
    const at::Tensor& weight, std::int64_t heads) {
  const std::int64_t rows = weight.size(0);
  const std::int64_t half = rows / heads / 2;
  return weight.reshape({heads, half, 2, -1})
      .transpose(1, 2)
      .reshape(weight.sizes())
      .contiguous();
}

std::optional<std::int64_t> permuted_heads(
    const LlamaConfig& config, const std::string& name) {
  if (config.architecture != "llama") return std::nullopt;
  if (name.find(".q_proj.") != std::string::npos) return config.heads;
  if (name.find(".k_proj.") != std::string::npos) return config.kv_heads;
  return std::nullopt;
}

LoadedModel load_gguf(
    const std::filesystem::path& path, const LoadOptions& options) {
  const GgufFile file(path);
  const LlamaConfig config = llama_config_from_gguf(file);
  const LoadTensor load = [&](const std::string& name,
                              std::vector<std::int64_t> shape) {
    const auto theirs = llama_gguf_name(name);
    TORCH_CHECK(theirs, "[load] no GGUF name for ", name);
    at::Tensor value = read_tensor(file, *theirs, shape);
    const auto heads = permuted_heads(config, name);
    return heads ? undo_rotary_permutation(value, *heads) : value;
  };
  LoadedModel loaded;
  loaded.model = std::make_unique<LlamaModel>(
      config, load, options.storage, options.device);
  loaded.config = llama_config_to_json(config);
  loaded.gguf_tokenizer = file.tokenizer_data();
  loaded.weight_files = {path};
  return loaded;
}

LoadedModel load_hugging_face(
    const std::filesystem::path& path, const LoadOptions& options) {
  const HfDirectory directory(path);
  const std::string place = (path / "config.json").string();
  LlamaConfig config = llama_config_from_json(directory.config(), place);
  if (const auto& generation = directory.generation_config()) {
    const auto end = generation->find("eos_token_id");
    if (end != generation->end() && !end->is_null()) {
      nlohmann::json merged = directory.config();
      merged["eos_token_id"] = generation->at("eos_token_id");
      config.end_tokens = llama_config_from_json(merged, place).end_tokens;
    }
  }
  const LoadTensor load = [&](const std::string& name,
                              std::vector<std::int64_t> shape) {
    return read_tensor(directory, name, shape);
  };
  LoadedModel loaded;
  loaded.model = std::make_unique<LlamaModel>(
      config, load, options.storage, options.device);
  loaded.config = directory.config();
  loaded.weight_files = directory.weight_files();
  return loaded;
}

}  // namespace

at::Tensor read_tensor(
    const TensorSource& source,
    const std::string& name,
    const std::vector<std::int64_t>& shape) {
  const auto view = source.find(name);
  if (!view) {
    throw_caller_error(
        "{}: tensor '{}' is missing; the file does not hold this model",
        source.describe(),
        name);
  }
  if (view->shape != shape) {
    throw_caller_error(
        "{}: tensor '{}' has shape {}, but its configuration asks for {}",
        source.describe(),
        name,
        shape_text(view->shape),
        shape_text(shape));
  }
  at::Tensor value = at::empty(shape, at::kFloat);
  to_float(
      *view,
      std::span<float>(
          value.data_ptr<float>(), static_cast<std::size_t>(value.numel())));
  return value;
}

LoadedModel load_language_model(
    const std::filesystem::path& path, const LoadOptions& options) {
  namespace fs = std::filesystem;
  if (fs::is_directory(path)) {
    const fs::path inner = path / "model.gguf";
    return fs::exists(inner) ? load_gguf(inner, options)
                             : load_hugging_face(path, options);
  }
  if (fs::is_regular_file(path)) return load_gguf(path, options);
  throw_caller_error(
      "there is no model at '{}'; give a Hugging Face directory or a GGUF file",
      path.string());
}

}  // namespace moft
