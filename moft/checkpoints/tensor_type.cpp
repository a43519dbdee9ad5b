// The table of element types.
#include "moft/checkpoints/tensor_type.h"

#include <array>
#include <limits>

namespace moft {
namespace {

constexpr std::array<TensorTypeInfo, 18> kTypes = {{
    {TensorType::kBool, "BOOL", true, {}, 1, 1},
    {TensorType::kU8, "U8", true, {}, 1, 1},
    {TensorType::kI8, "I8", true, 24, 1, 1},
    {TensorType::kI16, "I16", true, 25, 1, 2},
    {TensorType::kF16, "F16", true, 1, 1, 2},
    {TensorType::kBF16, "BF16", true, 30, 1, 2},
    {TensorType::kI32, "I32", true, 26, 1, 4},
    {TensorType::kF32, "F32", true, 0, 1, 4},
    {TensorType::kF64, "F64", true, 28, 1, 8},
    {TensorType::kI64, "I64", true, 27, 1, 8},
    {TensorType::kQ4_0, "Q4_0", false, 2, 32, 18},
    {TensorType::kQ4_1, "Q4_1", false, 3, 32, 20},
    {TensorType::kQ5_0, "Q5_0", false, 6, 32, 22},
    {TensorType::kQ5_1, "Q5_1", false, 7, 32, 24},
    {TensorType::kQ8_0, "Q8_0", false, 8, 32, 34},
    {TensorType::kQ4_K, "Q4_K", false, 12, 256, 144},
    {TensorType::kQ5_K, "Q5_K", false, 13, 256, 176},
    {TensorType::kQ6_K, "Q6_K", false, 14, 256, 210},
}};

constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();

}  // namespace

std::span<const TensorTypeInfo> tensor_types() {
  return kTypes;
}

const TensorTypeInfo& tensor_type_info(TensorType type) {
  for (const auto& info : kTypes)
    if (info.type == type) return info;
  __builtin_unreachable();
}

const TensorTypeInfo* find_safetensors_type(std::string_view name) {
  for (const auto& info : kTypes)
    if (info.in_safetensors && info.name == name) return &info;
  return nullptr;
}

const TensorTypeInfo* find_gguf_type(std::uint32_t code) {
  for (const auto& info : kTypes)
    if (info.gguf_code == code) return &info;
  return nullptr;
}

std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 0) return {};
    if (__builtin_mul_overflow(count, size, &count)) return {};
  }
  return count;
}

std::optional<std::uint64_t> tensor_byte_count(
    TensorType type, std::span<const std::int64_t> shape) {
  const auto count = element_count(shape);
  if (!count) return {};
  const auto& info = tensor_type_info(type);
  if (info.block_elements > 1 &&
      (shape.empty() || shape.back() % info.block_elements != 0))
    return {};
  const std::int64_t blocks = *count / info.block_elements;
  if (blocks > kLargest / info.block_bytes) return {};
  return static_cast<std::uint64_t>(blocks) * info.block_bytes;
}

}  // namespace moft
