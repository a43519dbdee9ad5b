// The JSON files of a Hugging Face directory. The same bytes serve as
// config.json, as generation_config.json and as the index of shards.
#include <filesystem>

#include <nlohmann/json.hpp>

#include "moft/checkpoints/hf_directory.h"
#include "moft/checkpoints/safetensors_writer.h"
#include "moft/core/errors.h"
#include "moft/models/bert/config.h"
#include "moft/models/gemma/config.h"
#include "moft/models/llama/config.h"

#include "fuzz_target.h"

namespace {

// A real shard for an index to name.
void write_shard(const std::filesystem::path& path) {
  static const float value = 1;
  moft::write_safetensors(path, {{"x", moft::TensorType::kF32, {1}, [] {
                                    return std::as_bytes(std::span(&value, 1));
                                  }}});
}

void parse(std::span<const std::uint8_t> bytes) {
  const auto& folder = moft::fuzz::scratch_folder();
  static const bool prepared = [&] {
    write_shard(folder / "one.safetensors");
    return true;
  }();
  if (!prepared) return;
  moft::fuzz::put(folder / "config.json", bytes);
  moft::fuzz::put(folder / "model.safetensors.index.json", bytes);
  const auto json = nlohmann::json::parse(
      bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) {
    moft::fuzz::refusals_are_fine(
        [](std::span<const std::uint8_t> again) {
          moft::llama_config_from_json(
              nlohmann::json::parse(again.begin(), again.end()), "config");
        },
        bytes);
    moft::fuzz::refusals_are_fine(
        [](std::span<const std::uint8_t> again) {
          moft::gemma_config_from_json(
              nlohmann::json::parse(again.begin(), again.end()), "config");
        },
        bytes);
    moft::fuzz::refusals_are_fine(
        [](std::span<const std::uint8_t> again) {
          moft::bert::parse_config(
              nlohmann::json::parse(again.begin(), again.end()), "config");
        },
        bytes);
  }
  const moft::HfDirectory directory(folder);
  for (const auto& name : directory.names())
    if (!directory.find(name))
      throw std::logic_error("a listed tensor is not found");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  moft::fuzz::refusals_are_fine(parse, {data, size});
  return 0;
}
