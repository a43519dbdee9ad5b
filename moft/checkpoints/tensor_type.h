// The element types that moft reads, with their names and sizes in the file
// formats: one table, used in both directions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace moft {

enum class TensorType {
  kF64,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  // GGUF blocks along the last dimension: of 32 elements ..
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  // .. and of 256, whose parts of 32 or 16 have scales of their own.
  kQ4_K,
  kQ5_K,
  kQ6_K,
};

struct TensorTypeInfo {
  TensorType type;
  std::string_view name;  // in messages, and in safetensors where it exists
  bool in_safetensors;    // the name is one that safetensors knows
  std::optional<std::uint32_t> gguf_code;
  std::uint32_t block_elements;  // 1 for plain types
  std::uint32_t block_bytes;
};

// In the order in which safetensors' own writer lays out types, last first.
std::span<const TensorTypeInfo> tensor_types();
const TensorTypeInfo& tensor_type_info(TensorType type);

// Both absent for a type that moft does not read.
const TensorTypeInfo* find_safetensors_type(std::string_view name);
const TensorTypeInfo* find_gguf_type(std::uint32_t code);

// Elements of a shape ([] is one scalar); absent when negative or above 2^63-1.
std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape);

// Bytes of a packed tensor; absent when the count or the bytes overflow, or
// when the last dimension is not a whole number of blocks.
std::optional<std::uint64_t> tensor_byte_count(
    TensorType type, std::span<const std::int64_t> shape);

}  // namespace moft
