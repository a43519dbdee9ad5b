// Models as GGUF: metadata, tokenizer, tensors.
#include "moft/generation/export_gguf.h"

#include <memory>

#include "moft/checkpoints/encode.h"
#include "moft/checkpoints/gguf_metadata.h"
#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/generation/export_parts.h"
#include "moft/models/families.h"
#include "moft/tokenizers/gguf_from_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// llama.cpp's numbers for kinds of files.
std::int64_t file_type_of(TensorType numbers) {
  switch (numbers) {
    case TensorType::kF16:
      return 1;
    case TensorType::kQ8_0:
      return 7;
    case TensorType::kBF16:
      return 32;
    default:
      return 0;
  }
}

// Vectors stay float32; rows that are not whole blocks become F16, as in
// llama.cpp.
TensorType type_of(const at::Tensor& value, TensorType numbers) {
  if (value.dim() < 2) return TensorType::kF32;
  const auto block = tensor_type_info(numbers).block_elements;
  return value.size(1) % block == 0 ? numbers : TensorType::kF16;
}

using Buffer = std::vector<std::byte>;

// `buffer` holds the bytes of one tensor at a time.
SafetensorsEntry encoded_entry(
    const std::string& name,
    const at::Tensor& value,
    TensorType type,
    const std::shared_ptr<Buffer>& buffer) {
  if (type == TensorType::kF32) return float_entry(name, value);
  return {name, type, value.sizes().vec(), [name, value, type, buffer] {
            encode_floats(
                std::span<const float>(
                    value.const_data_ptr<float>(),
                    static_cast<std::size_t>(value.numel())),
                type,
                name,
                *buffer);
            return std::span<const std::byte>(*buffer);
          }};
}

// Every token that ends a completion has a key, or is known by its text.
void add_end_tokens(
    const std::vector<std::int32_t>& ends,
    const std::optional<std::int32_t>& eos,
    GgufValues& values) {
  constexpr const char* kKeys[] = {
      "eos_token_id", "eot_token_id", "eom_token_id"};
  std::vector<std::int32_t> all = ends;
  if (all.empty() && eos) all.push_back(*eos);
  const std::string prefix = "tokenizer.ggml.";
  for (std::size_t i = 0; i < all.size() && i < std::size(kKeys); ++i)
    values.add_u32(prefix + kKeys[i], all[i]);
  if (all.size() > std::size(kKeys)) {
    log_warning(
        "the model has {} end tokens, of which GGUF names {}; other programs "
        "end at the rest only if they know their text",
        all.size(),
        std::size(kKeys));
  }
}

// As many tokens as the model has rows for.
void fill_up(GgufTokenizerData& data, std::int64_t rows) {
  constexpr std::int32_t kUnused = 5;
  const auto size = static_cast<std::size_t>(rows);
  if (data.token_types.empty()) data.token_types.assign(data.tokens.size(), 1);
  if (data.tokens.size() > size) {
    throw_caller_error(
        "the tokenizer has {} tokens and the model {} rows; use the tokenizer "
        "that belongs to the model",
        data.tokens.size(),
        rows);
  }
  while (data.tokens.size() < size) {
    data.tokens.push_back(fmt::format("[PAD{}]", data.tokens.size()));
    data.token_types.push_back(kUnused);
    if (!data.scores.empty()) data.scores.push_back(-1000.0F);
  }
}

void add_tokenizer(
    const GgufTokenizerData& data,
    const std::vector<std::int32_t>& ends,
    GgufValues& values) {
  const std::string prefix = "tokenizer.ggml.";
  values.add_text(prefix + "model", data.model);
  values.add_text(prefix + "pre", data.pre.empty() ? "default" : data.pre);
  values.add_texts(prefix + "tokens", data.tokens);
  values.add_i32s(prefix + "token_type", data.token_types);
  if (!data.scores.empty()) values.add_f32s(prefix + "scores", data.scores);
  if (data.model == "gpt2") values.add_texts(prefix + "merges", data.merges);
  if (data.bos) values.add_u32(prefix + "bos_token_id", *data.bos);
  add_end_tokens(ends, data.eos, values);
  if (data.pad) values.add_u32(prefix + "padding_token_id", *data.pad);
  if (data.unknown) values.add_u32(prefix + "unknown_token_id", *data.unknown);
  values.add_bool(prefix + "add_bos_token", data.add_bos);
  values.add_bool(prefix + "add_eos_token", data.add_eos);
  if (data.model == "llama")
    values.add_bool(prefix + "add_space_prefix", data.add_space_prefix);
  add_chat_templates(data.chat_templates, values);
}

// With the policy's own chat templates where it has some.
GgufTokenizerData tokenizer_of(
    const SteeredPolicy& policy, const fs::path& directory) {
  const LoadedModel& base = policy.base();
  GgufTokenizerData tokenizer =
      base.gguf_tokenizer ? *base.gguf_tokenizer : gguf_tokenizer_of(directory);
  if (const auto& chat = policy.definition().chat)
    tokenizer.chat_templates = chat->templates;
  fill_up(tokenizer, base.model->info().vocabulary);
  return tokenizer;
}

std::vector<SafetensorsEntry> tensors_of(
    const SteeredPolicy& policy,
    const Coefficients& c,
    const GgufLayout& layout,
    TensorType numbers) {
  const auto buffer = std::make_shared<Buffer>();
  std::vector<SafetensorsEntry> tensors;
  for (const auto& [name, vector] : layout.vectors)
    tensors.push_back(
        float_entry(name, at::tensor(at::ArrayRef<float>(vector), at::kFloat)));
  for (const auto& [name, value] : weights_under(policy, c)) {
    const auto place = layout.place(name);
    TORCH_CHECK(place, "[export] no GGUF name for ", name);
    tensors.push_back(encoded_entry(
        place->name,
        in_gguf_rows(value, *place),
        type_of(value, numbers),
        buffer));
  }
  return tensors;
}

}  // namespace

GgufLayout gguf_layout_of(const SteeredPolicy& policy) {
  const std::string place = "config.json";
  const ModelFamily& family = family_of_config(policy.base().config, place);
  if (family.gguf_layout)
    return family.gguf_layout(policy.base().config, place);
  throw_caller_error(
      "models of the family {} are not written as GGUF; export --format hf and "
      "convert that with llama.cpp's convert_hf_to_gguf.py",
      family.name);
}

at::Tensor in_gguf_rows(const at::Tensor& value, const GgufPlace& place) {
  if (place.head_size == 0) return value;
  at::Tensor result = at::empty_like(value);
  for (std::int64_t row = 0; row < value.size(0); ++row)
    result.select(0, gguf_row(row, place.head_size)).copy_(value[row]);
  return result;
}

void add_chat_templates(
    const std::map<std::string, std::string>& templates, GgufValues& values) {
  std::vector<std::string> names;
  for (const auto& [name, text] : templates) {
    if (!is_plain_name(name)) {
      throw_caller_error(
          "the chat template {} is not named by letters, digits, '_', '-' and "
          "'.', as GGUF files need it; rename it in the model's files",
          quote_text(name));
    }
    const bool usual = name == "default";
    values.add_text(
        usual ? "tokenizer.chat_template" : "tokenizer.chat_template." + name,
        text);
    if (!usual) names.push_back(name);
  }
  if (!names.empty()) values.add_texts("tokenizer.chat_templates", names);
}

void refuse_existing(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(file, ignored))) return;
  throw_caller_error(
      "{}: exists already and will not be overwritten; give another name",
      file.string());
}

void export_gguf(
    const SteeredPolicy& policy,
    const fs::path& policy_path,
    const std::optional<Steering>& steering,
    const fs::path& file,
    const ExportOptions& options) {
  const GgufLayout layout = gguf_layout_of(policy);
  refuse_existing(file);
  const GgufTokenizerData tokenizer = tokenizer_of(policy, policy_path);
  GgufValues values;
  values.add_text("general.architecture", layout.architecture);
  values.add_text("general.type", "model");
  values.add_text("general.name", file.stem().string());
  values.add_u32("general.file_type", file_type_of(options.numbers));
  values.add_u32("general.quantization_version", 2);
  // What llama.cpp samples with unless told (common_init_sampler_from_model()):
  // the policy's own distribution, without the cuts that it makes by default.
  values.add_i32("general.sampling.top_k", 0);
  values.add_f32("general.sampling.top_p", 1.0);
  values.add_f32("general.sampling.min_p", 0.0);
  values.add_f32("general.sampling.temp", policy.temperature());
  values.append(layout.values);
  add_tokenizer(tokenizer, policy.base().model->info().end_tokens, values);
  nlohmann::ordered_json note = export_note(policy, steering);
  note["temperature"] = policy.temperature();
  values.add_text("moft.export", note.dump());
  const Coefficients c = policy.coefficients_of(steering);
  make_folder_of(file);
  write_gguf(file, values, tensors_of(policy, c, layout, options.numbers));
}

}  // namespace moft
