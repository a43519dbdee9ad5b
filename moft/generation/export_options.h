// What `export` writes.
#pragma once

#include <cstdint>
#include <string>

#include "moft/checkpoints/tensor_type.h"
#include "moft/core/atomic_files.h"
#include "moft/core/field_attributes.h"

namespace moft {

enum class ExportFormat {
  kHf,           // a whole model: a Hugging Face directory
  kPeft,         // an adapter for the base: a PEFT directory
  kGguf,         // a whole model: a GGUF file
  kGgufAdapter,  // an adapter for the base: a GGUF file
};
constexpr auto enum_names(ExportFormat) {
  return EnumNames<ExportFormat, 4>{{
      {ExportFormat::kHf, "hf"},
      {ExportFormat::kPeft, "peft"},
      {ExportFormat::kGguf, "gguf"},
      {ExportFormat::kGgufAdapter, "gguf-adapter"},
  }};
}

struct ExportOptions {
  ExportFormat format = ExportFormat::kHf;
  // Type of a GGUF model's matrices: F32, F16, BF16 or Q8_0. All else is
  // float32.
  TensorType numbers = TensorType::kF32;
  // kReplace: an earlier Hugging Face directory of moft's only.
  IfExists if_exists = IfExists::kRefuse;
  // A Hugging Face model of more bytes is cut into files of at most as many.
  std::uint64_t shard_bytes = 5'000'000'000;
  // base_model_name_or_path of an adapter; empty: as the base is known.
  std::string base_name = {};
};

}  // namespace moft
