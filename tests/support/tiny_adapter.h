// A PEFT LoRA adapter for the tiny model, as PEFT writes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors_writer.h"
#include "moft/core/random.h"

#include "tests/support/tiny_model.h"

namespace moft::test {

struct TinyAdapter {
  std::int64_t rank = 2;
  double alpha = 4.0;
  std::vector<std::string> modules = {"q_proj", "v_proj"};  // of self_attn
  std::uint64_t seed = 1;
  TinyModel model = {};
};

inline nlohmann::json tiny_adapter_config(const TinyAdapter& adapter) {
  return {
      {"peft_type", "LORA"},
      {"task_type", "CAUSAL_LM"},
      {"base_model_name_or_path", "tiny"},
      {"r", adapter.rank},
      {"lora_alpha", adapter.alpha},
      {"target_modules", adapter.modules}};
}

// Names and shapes of PEFT; every element is drawn.
inline std::vector<SafetensorsEntry> tiny_adapter_tensors(
    const TinyAdapter& adapter) {
  std::vector<SafetensorsEntry> entries;
  const auto add =
      [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
        RandomStream stream(
            adapter.seed,
            Purpose::kTest,
            1,
            static_cast<std::uint32_t>(entries.size()));
        std::vector<float> values;
        for (std::int64_t i = 0; i < rows * columns; ++i)
          values.push_back(static_cast<float>(0.5 * stream.normal()));
        entries.push_back({name, TensorType::kF32, {rows, columns}, [values] {
                             return std::as_bytes(std::span(values));
                           }});
      };
  const TinyModel& model = adapter.model;
  const std::int64_t head = model.width / model.heads;
  for (std::int64_t layer = 0; layer < model.layers; ++layer) {
    for (const std::string& module : adapter.modules) {
      const std::string name = "base_model.model.model.layers." +
                               std::to_string(layer) + ".self_attn." + module;
      const bool narrow = module == "k_proj" || module == "v_proj";
      add(name + ".lora_A.weight", adapter.rank, model.width);
      add(name + ".lora_B.weight",
          narrow ? model.kv_heads * head : model.width,
          adapter.rank);
    }
  }
  return entries;
}

inline void write_tiny_adapter(
    const std::filesystem::path& directory,
    const nlohmann::json& config,
    std::vector<SafetensorsEntry> tensors) {
  std::filesystem::create_directories(directory);
  write_tiny_text(directory / "adapter_config.json", config.dump());
  write_safetensors(
      directory / "adapter_model.safetensors",
      std::move(tensors),
      {{"format", "pt"}});
}

inline void write_tiny_adapter(
    const std::filesystem::path& directory, const TinyAdapter& adapter = {}) {
  write_tiny_adapter(
      directory, tiny_adapter_config(adapter), tiny_adapter_tensors(adapter));
}

}  // namespace moft::test
