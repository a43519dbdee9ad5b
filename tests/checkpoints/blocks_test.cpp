// Dequantised numbers against the Python package gguf.
#include "moft/checkpoints/blocks.h"

#include <bit>
#include <cmath>

#include "moft/checkpoints/gguf.h"
#include "moft/checkpoints/safetensors.h"
#include "moft/checkpoints/tensor_type.h"

#include "tests/checkpoints/support.h"

namespace moft {
namespace {

using test::fixture;

TensorView view_of(
    TensorType type,
    std::vector<std::int64_t> shape,
    const std::string& bytes) {
  return {
      "x",
      type,
      std::move(shape),
      std::as_bytes(std::span(bytes.data(), bytes.size()))};
}

// Every half-precision number against its definition,
// (-1)^s 2^(e-15) (1 + f/1024), or (-1)^s 2^-14 f/1024 when e is 0.
TEST(ToFloat, AllHalfPrecisionNumbers) {
  std::string bytes;
  for (int i = 0; i < 65536; ++i)
    bytes += test::raw(static_cast<std::uint16_t>(i));
  const auto floats =
      test::floats_of(view_of(TensorType::kF16, {65536}, bytes));
  for (int i = 0; i < 65536; ++i) {
    const int exponent = (i >> 10) & 31;
    const int fraction = i & 1023;
    const bool negative = i >= 32768;
    ASSERT_EQ(std::signbit(floats[i]), negative) << i;
    const double size = std::abs(static_cast<double>(floats[i]));
    if (exponent == 31) {
      ASSERT_TRUE(fraction == 0 ? std::isinf(size) : std::isnan(size)) << i;
    } else if (exponent == 0) {
      ASSERT_EQ(size, std::ldexp(fraction, -24)) << i;
    } else {
      ASSERT_EQ(size, std::ldexp(1024 + fraction, exponent - 25)) << i;
    }
  }
}

TEST(ToFloat, BrainNumbersAreTheUpperHalves) {
  const std::string bytes = test::raw<std::uint16_t>(0x3fc0) +
                            test::raw<std::uint16_t>(0xc000) +
                            test::raw<std::uint16_t>(0x7f80);
  const auto floats = test::floats_of(view_of(TensorType::kBF16, {3}, bytes));
  EXPECT_EQ(floats[0], 1.5f);
  EXPECT_EQ(floats[1], -2.0f);
  EXPECT_TRUE(std::isinf(floats[2]));
}

// A block worked by hand: d = 0.5, m = -1, low nibbles are elements 0..15.
TEST(ToFloat, OneQ41BlockByHand) {
  std::string bytes =
      test::raw<std::uint16_t>(0x3800) + test::raw<std::uint16_t>(0xbc00);
  for (int i = 0; i < 16; ++i)
    bytes += static_cast<char>(i | (15 - i) << 4);
  const auto floats = test::floats_of(view_of(TensorType::kQ4_1, {32}, bytes));
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(floats[i], 0.5f * static_cast<float>(i) - 1.0f);
    EXPECT_EQ(floats[i + 16], 0.5f * static_cast<float>(15 - i) - 1.0f);
  }
}

// Random blocks, against the values that python's gguf package computes.
TEST(ToFloat, AgreesWithTheGgufPackageBitForBit) {
  std::size_t found = 0;
  for (const std::string name : {"blocks", "k_blocks"}) {
    const GgufFile blocks(fixture(name + ".gguf"));
    const SafetensorsFile expected(fixture(name + "_as_float.safetensors"));
    for (const auto& tensor : expected.names()) {
      const auto view = blocks.find(tensor);
      ASSERT_TRUE(view.has_value()) << tensor;
      const auto reference = expected.find(tensor);
      EXPECT_EQ(view->shape, reference->shape) << tensor;
      EXPECT_TRUE(
          test::same_bits(test::floats_of(*view), test::floats_of(*reference)))
          << tensor;
      ++found;
    }
  }
  EXPECT_EQ(found, 12u);
}

// All block tensors of the fixtures, the files kept open.
class ToBlocks : public testing::Test {
 protected:
  ToBlocks() {
    for (const GgufFile* file : {&first_, &second_})
      for (const auto& name : file->names())
        if (block_form(file->find(name)->type).bits != 0)
          views_.push_back(*file->find(name));
  }
  GgufFile first_{fixture("blocks.gguf")};
  GgufFile second_{fixture("k_blocks.gguf")};
  std::vector<TensorView> views_;
};

// The parts of random blocks make the numbers that to_float() makes.
TEST_F(ToBlocks, PartsMakeTheFloats) {
  EXPECT_EQ(views_.size(), 8u);
  for (const TensorView& view : views_) {
    const std::string& name = view.name;
    const BlockForm form = block_form(view.type);
    const auto run = static_cast<std::size_t>(form.run);
    const auto floats = test::floats_of(view);
    std::vector<std::int8_t> numbers(floats.size());
    std::vector<float> scales(floats.size() / run);
    std::vector<float> offsets(form.offsets ? scales.size() : 0);
    to_blocks(view, scales, offsets, numbers);
    for (std::size_t i = 0; i < floats.size(); ++i) {
      const float product = static_cast<float>(numbers[i]) * scales[i / run];
      const float offset = form.offsets ? offsets[i / run] : 0.0f;
      ASSERT_EQ(product + offset, floats[i]) << name << " " << i;
      if (form.bits == 4) {
        ASSERT_EQ(numbers[i] & 15, numbers[i]) << name << " " << i;
      }
    }
  }
}

// Products may fuse scale * number + offset only if the product is exact.
TEST_F(ToBlocks, ProductsAreExact) {
  for (const TensorView& view : views_) {
    const BlockForm form = block_form(view.type);
    const auto run = static_cast<std::size_t>(form.run);
    const auto count = static_cast<std::size_t>(view.element_count());
    std::vector<std::int8_t> numbers(count);
    std::vector<float> scales(count / run), offsets(count / run);
    to_blocks(view, scales, offsets, numbers);
    for (std::size_t i = 0; i < count; ++i) {
      const double exact = static_cast<double>(numbers[i]) *
                           static_cast<double>(scales[i / run]);
      ASSERT_EQ(static_cast<double>(static_cast<float>(exact)), exact)
          << view.name;
    }
  }
}

// One infinity or NaN at a known place of every type.
TEST(FindNotFinite, NamesTheFirstElement) {
  const auto bits16 = [](std::uint16_t bits) { return test::raw(bits); };
  std::string halves;
  for (int i = 0; i < 3000; ++i)
    halves += bits16(i == 2500 ? 0x7c00 : 0x7bff);
  EXPECT_EQ(find_not_finite(view_of(TensorType::kF16, {3000}, halves)), 2500);
  const std::string brain = bits16(0x7f7f) + bits16(0x7fc0) + bits16(0xff80);
  EXPECT_EQ(find_not_finite(view_of(TensorType::kBF16, {3}, brain)), 1);
  const std::string floats = test::raw(3.4e38f) + test::raw(-HUGE_VALF);
  EXPECT_EQ(find_not_finite(view_of(TensorType::kF32, {2}, floats)), 1);
  const std::string doubles = test::raw(1e38) + test::raw(1e39);
  EXPECT_EQ(find_not_finite(view_of(TensorType::kF64, {2}, doubles)), 1);
  const std::string bytes(64, '\xff');
  EXPECT_EQ(find_not_finite(view_of(TensorType::kI8, {64}, bytes)), -1);
}

TEST(FindNotFinite, LooksAtTheScalesOfBlocks) {
  struct Case {
    TensorType type;
    std::vector<std::size_t> places;  // of half-precision numbers
  };
  for (const Case& one : std::vector<Case>{
           {TensorType::kQ8_0, {0}},
           {TensorType::kQ4_0, {0}},
           {TensorType::kQ4_1, {0, 2}},
           {TensorType::kQ5_0, {0}},
           {TensorType::kQ5_1, {0, 2}},
           {TensorType::kQ4_K, {0, 2}},
           {TensorType::kQ5_K, {0, 2}},
           {TensorType::kQ6_K, {208}}}) {
    const auto& info = tensor_type_info(one.type);
    const std::vector<std::int64_t> shape{3, info.block_elements};
    for (std::size_t place : one.places) {
      std::string bytes(3 * info.block_bytes, '\x11');
      EXPECT_EQ(find_not_finite(view_of(one.type, shape, bytes)), -1);
      place += 2 * info.block_bytes;
      bytes.replace(place, 2, test::raw<std::uint16_t>(0xfc01));
      EXPECT_EQ(
          find_not_finite(view_of(one.type, shape, bytes)),
          2 * info.block_elements)
          << info.name;
    }
  }
}

TEST(ToFloat, AgreesWithTorchBitForBit) {
  const SafetensorsFile types(fixture("types.safetensors"));
  const SafetensorsFile expected(fixture("types_as_float.safetensors"));
  ASSERT_EQ(expected.names().size(), 7u);
  for (const auto& name : expected.names())
    EXPECT_TRUE(test::same_bits(
        test::floats_of(*types.find(name)),
        test::floats_of(*expected.find(name))))
        << name;
}

TEST(ToFloat, RefusesIntegersAndWrongSizes) {
  const SafetensorsFile types(fixture("types.safetensors"));
  test::expect_refusal(
      [&] { test::floats_of(*types.find("long")); }, {"long", "I64"});
  std::vector<float> too_few(14);
  test::expect_refusal(
      [&] { to_float(*types.find("float"), too_few); }, {"float", "14"});
}

TEST(TensorType, ByteCountsAndTheirLimits) {
  using Shape = std::vector<std::int64_t>;
  EXPECT_EQ(tensor_byte_count(TensorType::kF32, Shape{}), 4u);
  EXPECT_EQ(tensor_byte_count(TensorType::kI64, Shape{3, 0, 5}), 0u);
  EXPECT_EQ(tensor_byte_count(TensorType::kQ4_1, Shape{5, 64}), 5u * 2 * 20);
  EXPECT_EQ(tensor_byte_count(TensorType::kQ4_0, Shape{5, 48}), std::nullopt);
  EXPECT_EQ(tensor_byte_count(TensorType::kQ8_0, Shape{}), std::nullopt);
  EXPECT_EQ(
      tensor_byte_count(TensorType::kU8, Shape{1l << 32, 1l << 32}),
      std::nullopt);
  EXPECT_EQ(tensor_byte_count(TensorType::kF64, Shape{1l << 61}), std::nullopt);
  EXPECT_EQ(tensor_byte_count(TensorType::kF32, Shape{-1}), std::nullopt);
}

// One table, both directions.
TEST(TensorType, NamesAndCodesLeadBack) {
  for (const auto& info : tensor_types()) {
    EXPECT_EQ(tensor_type_info(info.type).name, info.name);
    const auto* by_name = find_safetensors_type(info.name);
    EXPECT_EQ(by_name, info.in_safetensors ? &info : nullptr);
    if (info.gguf_code) {
      EXPECT_EQ(find_gguf_type(*info.gguf_code), &info);
    }
  }
  EXPECT_EQ(find_safetensors_type("F8_E4M3"), nullptr);
}

}  // namespace
}  // namespace moft
