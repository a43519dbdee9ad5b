// A PEFT adapter: the bytes are its configuration beside real tensors, or its
// tensors beside a real configuration.
#include "moft/checkpoints/peft_adapter.h"
#include "moft/checkpoints/safetensors_writer.h"
#include "moft/core/errors.h"

#include "fuzz_target.h"

namespace {

constexpr const char* kModule = "model.layers.0.self_attn.q_proj";

void write_tensors(const std::filesystem::path& path) {
  static const float values[4] = {1, 2, 3, 4};
  const auto bytes = [] { return std::as_bytes(std::span(values)); };
  const std::string name = std::string("base_model.model.") + kModule;
  moft::write_safetensors(
      path,
      {{name + ".lora_A.weight", moft::TensorType::kF32, {2, 2}, bytes},
       {name + ".lora_B.weight", moft::TensorType::kF32, {2, 2}, bytes}});
}

void open_adapter(const std::filesystem::path& folder) {
  const moft::PeftAdapter adapter(folder);
  adapter.check_modules({{kModule}, {"lm_head", true, true}});
}

void parse_config(std::span<const std::uint8_t> bytes) {
  const auto folder = moft::fuzz::scratch_folder() / "config";
  static const bool prepared = [&] {
    std::filesystem::create_directories(folder);
    write_tensors(folder / moft::kAdapterWeightsFile);
    return true;
  }();
  if (!prepared) return;
  moft::fuzz::put(folder / moft::kAdapterConfigFile, bytes);
  open_adapter(folder);
}

void parse_tensors(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kConfig = R"({"peft_type": "LORA", "r": 2})";
  const auto folder = moft::fuzz::scratch_folder() / "tensors";
  std::filesystem::create_directories(folder);
  moft::fuzz::put(
      folder / moft::kAdapterConfigFile,
      {reinterpret_cast<const std::uint8_t*>(kConfig.data()), kConfig.size()});
  moft::fuzz::put(folder / moft::kAdapterWeightsFile, bytes);
  open_adapter(folder);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bool json = size > 0 && data[0] == '{';
  moft::fuzz::refusals_are_fine(
      json ? parse_config : parse_tensors, {data, size});
  return 0;
}
