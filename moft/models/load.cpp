#include "moft/models/load.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "moft/checkpoints/gguf.h"
#include "moft/checkpoints/hf_directory.h"
#include "moft/checkpoints/tensor_type.h"
#include "moft/core/errors.h"
#include "moft/models/llama/model.h"
#include "moft/models/llama/names.h"
#include "moft/models/t5/model.h"
#include "moft/models/t5/names.h"

namespace moft {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

bool holds_whole_numbers(TensorType type) {
  switch (type) {
    case TensorType::kI64:
    case TensorType::kI32:
    case TensorType::kI16:
    case TensorType::kI8:
    case TensorType::kU8:
    case TensorType::kBool:
      return true;
    default:
      return false;
  }
}

// A parameter's place in its file, after checking its shape and type.
TensorView find_tensor(
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
  if (holds_whole_numbers(view->type)) {
    throw_caller_error(
        "{}: tensor '{}' holds {}, where floating-point numbers are needed",
        source.describe(),
        name,
        tensor_type_info(view->type).name);
  }
  return *view;
}

// llama.cpp stores q and k of the llama architecture with each head's rotary
// pairs interleaved; Hugging Face keeps the two halves apart. The row of the
// file that is row `row` of the model.
std::int64_t unpermuted_row(std::int64_t row, std::int64_t head_size) {
  const std::int64_t inside = row % head_size, half = head_size / 2;
  return row - inside + inside % half * 2 + inside / half;
}

// A view's rows as matrix rows, some of them as a view.
struct ViewRows {
  TensorView view;
  std::int64_t width;

  explicit ViewRows(const TensorView& whole)
      : view(whole),
        width(
            whole.shape.size() < 2 ? whole.element_count()
                                   : whole.element_count() / whole.shape[0]) {}

  TensorView part(std::int64_t begin, std::int64_t end) const {
    const std::int64_t rows = view.element_count() / width;
    const std::size_t bytes =
        view.bytes.size() / static_cast<std::size_t>(rows);
    TensorView found = view;
    found.shape = {end - begin, width};
    found.bytes = view.bytes.subspan(
        static_cast<std::size_t>(begin) * bytes,
        static_cast<std::size_t>(end - begin) * bytes);
    return found;
  }
};

// Rows of a view as blocks, where the file has such.
kernels::ReadBlocks blocks_of(
    std::shared_ptr<const TensorSource> source, const ViewRows& rows) {
  const int bits = block_bits(rows.view.type);
  if (bits == 0) return {};
  const auto read =
      [source = std::move(source), rows](
          std::int64_t begin, std::int64_t end, kernels::BlockRows target) {
        const auto count = static_cast<std::size_t>((end - begin) * rows.width);
        const std::size_t blocks = count / kernels::kBlockInputs;
        to_blocks(
            rows.part(begin, end),
            std::span(target.scales, blocks),
            std::span(target.offsets, blocks),
            std::span(target.numbers, count));
      };
  return {bits, read};
}

// Rows of a view; `source` keeps the mapping alive.
kernels::RowSource rows_of(
    const std::shared_ptr<const TensorSource>& source, const TensorView& view) {
  const ViewRows rows(view);
  const auto read = [source, rows](
                        std::int64_t begin, std::int64_t end, float* target) {
    const auto count = static_cast<std::size_t>((end - begin) * rows.width);
    to_float(rows.part(begin, end), std::span(target, count));
  };
  return {read, blocks_of(source, rows)};
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
  if (source.blocks.bits == 0) return result;
  result.blocks.bits = source.blocks.bits;
  result.blocks.read =
      [read = std::move(source.blocks.read), head_size, width](
          std::int64_t begin, std::int64_t end, kernels::BlockRows target) {
        for (std::int64_t row = begin; row < end; ++row) {
          const std::int64_t stored = unpermuted_row(row, head_size);
          const std::int64_t blocks = width / kernels::kBlockInputs;
          const std::int64_t place = row - begin;
          read(
              stored,
              stored + 1,
              {target.scales + place * blocks,
               target.offsets + place * blocks,
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

LoadedModel load_gguf(
    const std::filesystem::path& path, const LoadOptions& options) {
  // The mapping lives as long as parameters may be read from it.
  const auto file = std::make_shared<const GgufFile>(path);
  const LlamaConfig config = llama_config_from_gguf(*file);
  const LoadTensor load = [&](const std::string& name,
                              std::vector<std::int64_t> shape) {
    const auto theirs = llama_gguf_name(name);
    TORCH_CHECK(theirs, "[load] no GGUF name for ", name);
    const auto heads = permuted_heads(config, name);
    auto rows = rows_of(file, find_tensor(*file, *theirs, shape));
    return heads ? unpermuted(std::move(rows), shape, *heads) : rows;
  };
  LoadedModel loaded;
  loaded.model = std::make_unique<LlamaModel>(
      config, load, options.storage, options.device);
  loaded.config = llama_config_to_json(config);
  loaded.gguf_tokenizer = file->tokenizer_data();
  loaded.weight_files = {path};
  return loaded;
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

// The embedding table under any of its names; two that differ are an error.
TensorView find_t5_embedding(
    const TensorSource& source, const std::vector<std::int64_t>& shape) {
  std::vector<TensorView> found;
  for (const char* name : kT5EmbeddingNames) {
    if (const auto view = source.find(name)) found.push_back(*view);
  }
  if (found.empty()) return find_tensor(source, kT5EmbeddingNames[0], shape);
  for (const TensorView& other : found) {
    if (other.shape == found[0].shape && other.type == found[0].type &&
        std::ranges::equal(other.bytes, found[0].bytes)) {
      continue;
    }
    throw_caller_error(
        "{}: tensors '{}' and '{}' differ, but a T5 model has one embedding "
        "table; the file does not hold one",
        source.describe(),
        found[0].name,
        other.name);
  }
  return find_tensor(source, found[0].name, shape);
}

std::unique_ptr<LanguageModel> make_hugging_face_model(
    const std::shared_ptr<const HfDirectory>& directory,
    const LoadOptions& options) {
  const std::string place = (directory->path() / "config.json").string();
  const nlohmann::json config = merged_config(*directory);
  const bool t5 = config.value("model_type", nlohmann::json()) == "t5";
  const LoadTensor load = [&](const std::string& name,
                              std::vector<std::int64_t> shape) {
    return rows_of(
        directory,
        t5 && name == kT5EmbeddingNames[0]
            ? find_t5_embedding(*directory, shape)
            : find_tensor(*directory, name, shape));
  };
  if (t5) {
    return std::make_unique<T5Model>(
        t5_config_from_json(config, place),
        load,
        options.storage,
        options.device);
  }
  return std::make_unique<LlamaModel>(
      llama_config_from_json(config, place),
      load,
      options.storage,
      options.device);
}

LoadedModel load_hugging_face(
    const std::filesystem::path& path, const LoadOptions& options) {
  const auto directory = std::make_shared<const HfDirectory>(path);
  LoadedModel loaded;
  loaded.model = make_hugging_face_model(directory, options);
  loaded.config = directory->config();
  loaded.weight_files = directory->weight_files();
  return loaded;
}

}  // namespace

at::Tensor read_tensor(
    const TensorSource& source,
    const std::string& name,
    const std::vector<std::int64_t>& shape) {
  const TensorView view = find_tensor(source, name, shape);
  at::Tensor value = at::empty(view.shape, at::kFloat);
  to_float(
      view,
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
