// Keys that decoder families read the same way.
#include "moft/models/decoder_config.h"

#include "moft/core/errors.h"

namespace moft {

std::vector<std::int32_t> read_end_tokens(
    const ConfigKeys& keys, std::int64_t vocabulary) {
  std::vector<std::int32_t> ids;
  if (!keys.has("eos_token_id")) return ids;
  const nlohmann::json& value = keys.at("eos_token_id");
  const auto add = [&](const nlohmann::json& id) {
    if (!id.is_number_integer()) {
      throw_caller_error(
          "{}: eos_token_id (here or in generation_config.json) must be a "
          "token id or a list of them",
          keys.place());
    }
    const auto number = id.get<std::int64_t>();
    if (number < 0 || number >= vocabulary) {
      throw_caller_error(
          "{}: eos_token_id (here or in generation_config.json) is {}, but the "
          "model has {} tokens; write the id of its end token",
          keys.place(),
          number,
          vocabulary);
    }
    ids.push_back(static_cast<std::int32_t>(number));
  };
  if (value.is_array()) {
    for (const nlohmann::json& id : value)
      add(id);
  } else {
    add(value);
  }
  return ids;
}

std::optional<std::vector<bool>> read_windows(
    const ConfigKeys& keys, std::int64_t layers) {
  constexpr const char* kTypes = "layer_types";
  if (!keys.has(kTypes)) return std::nullopt;
  const nlohmann::json& types = keys.at(kTypes);
  if (!types.is_array() || std::ssize(types) != layers) {
    throw_caller_error(
        "{}: {} must list the kind of each of the {} layers",
        keys.place(),
        kTypes,
        layers);
  }
  std::vector<bool> windows;
  for (const nlohmann::json& type : types) {
    windows.push_back(type == "sliding_attention");
    if (!windows.back() && type != "full_attention") {
      keys.refuse(kTypes, "sliding_attention and full_attention");
    }
  }
  return windows;
}

void refuse_quantised(const ConfigKeys& keys) {
  if (!keys.has("quantization_config")) return;
  throw_caller_error(
      "{}: quantization_config says that the weights are quantised, which moft "
      "reads from GGUF files only; take the unquantised model or its GGUF",
      keys.place());
}

void check_heads(const HeadShape& c, const std::string& place) {
  if (c.head_size < 1) {
    throw_caller_error(
        "{}: {} attention heads are too many for a width of {}",
        place,
        c.heads,
        c.width);
  }
  if (c.heads % c.kv_heads != 0) {
    throw_caller_error(
        "{}: {} attention heads cannot share {} key/value heads evenly",
        place,
        c.heads,
        c.kv_heads);
  }
  if (c.head_size % 2 != 0) {
    throw_caller_error(
        "{}: head size {} is odd; rotary embeddings need an even one",
        place,
        c.head_size);
  }
}

}  // namespace moft
