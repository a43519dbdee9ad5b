// GGUF files as they are written, and numbers as narrower types.
#include "moft/checkpoints/gguf_writer.h"

#include <bit>
#include <cmath>
#include <limits>

#include "moft/checkpoints/encode.h"
#include "moft/checkpoints/gguf.h"
#include "moft/checkpoints/half.h"
#include "moft/core/files.h"

#include "tests/checkpoints/support.h"

namespace moft {
namespace {

using test::fixture;
using test::floats_of;
using test::TemporaryFolder;

std::vector<std::byte> encoded(
    const std::vector<float>& numbers, TensorType type) {
  std::vector<std::byte> bytes;
  encode_floats(numbers, type, "t", bytes);
  return bytes;
}

std::uint16_t bits_of(float number, TensorType type) {
  return load<std::uint16_t>(encoded({number}, type).data());
}

TEST(EncodeFloats, HalvesAreRoundedToNearestTiesToEven) {
  const std::pair<float, std::uint16_t> kCases[] = {
      {1.0F, 0x3c00},
      {-2.0F, 0xc000},
      {0.0F, 0x0000},
      {-0.0F, 0x8000},
      {65504.0F, 0x7bff},
      {65519.99F, 0x7bff},
      {0.1F, 0x2e66},
      {1.0F + 0x1p-11F, 0x3c00},       // a tie, down
      {1.0F + 3 * 0x1p-11F, 0x3c02},   // a tie, up
      {0x1p-14F, 0x0400},              // the smallest normal
      {0x1p-24F, 0x0001},              // the smallest
      {0x1p-25F, 0x0000},              // a tie
      {1.5F * 0x1p-24F, 0x0002},       // a tie
      {0x1p-14F - 0x1p-26F, 0x0400}};  // up to a normal number
  for (const auto& [number, bits] : kCases)
    EXPECT_EQ(bits_of(number, TensorType::kF16), bits) << number;
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    const float number = half_table()[half];
    if (!std::isfinite(number)) continue;
    ASSERT_EQ(bits_of(number, TensorType::kF16), half);
  }
}

TEST(EncodeFloats, BrainFloatsAreRoundedToNearestTiesToEven) {
  const auto bits = [](std::uint32_t value) {
    return bits_of(std::bit_cast<float>(value), TensorType::kBF16);
  };
  EXPECT_EQ(bits(0x3f800000), 0x3f80);
  EXPECT_EQ(bits(0x3f808000), 0x3f80);
  EXPECT_EQ(bits(0x3f818000), 0x3f82);
  EXPECT_EQ(bits(0x3f808001), 0x3f81);
  EXPECT_EQ(bits(0xbf807fff), 0xbf80);
  EXPECT_EQ(bits(0x00000001), 0x0000);
}

// d = 12.7 / 127 = 0.1 as F16; ties go away from zero.
TEST(EncodeFloats, BlocksHoldTheirScaleAndRoundedNumbers) {
  std::vector<float> numbers(32, 0.0F);
  numbers[0] = -12.7F;
  numbers[1] = 6.35F;
  numbers[2] = -0.05F;
  numbers[3] = 0.04F;
  const auto bytes = encoded(numbers, TensorType::kQ8_0);
  ASSERT_EQ(bytes.size(), 34u);
  EXPECT_EQ(load<std::uint16_t>(bytes.data()), 0x2e66);
  const auto at = [&](std::size_t i) {
    return static_cast<int>(load<std::int8_t>(bytes.data() + 2 + i));
  };
  const float inverse = 1.0F / (12.7F / 127.0F);
  EXPECT_EQ(at(0), -127);
  EXPECT_EQ(at(1), static_cast<int>(std::round(6.35F * inverse)));
  EXPECT_EQ(at(2), static_cast<int>(std::round(-0.05F * inverse)));
  EXPECT_EQ(at(3), 0);
  const auto zeros = encoded(std::vector<float>(32, 0.0F), TensorType::kQ8_0);
  EXPECT_EQ(zeros, std::vector<std::byte>(34));
}

TEST(EncodeFloats, NumbersThatAreTooLargeAreRefused) {
  const auto refused = [](float number, TensorType type) {
    try {
      encoded(std::vector<float>(32, number), type);
    } catch (const CallerError&) {
      return true;
    }
    return false;
  };
  EXPECT_TRUE(refused(65520.0F, TensorType::kF16));
  EXPECT_TRUE(refused(-1e6F, TensorType::kF16));
  EXPECT_FALSE(refused(1e6F, TensorType::kQ8_0));
  EXPECT_TRUE(refused(1e7F, TensorType::kQ8_0));
  EXPECT_FALSE(refused(3e38F, TensorType::kBF16));
  EXPECT_TRUE(refused(std::numeric_limits<float>::max(), TensorType::kBF16));
  EXPECT_TRUE(refused(NAN, TensorType::kF32));
  EXPECT_TRUE(refused(INFINITY, TensorType::kBF16));
}

TEST(GgufWriter, WhatIsWrittenIsReadBack) {
  const TemporaryFolder folder;
  GgufValues values;
  values.add_text("general.architecture", "llama");
  values.add_u32("a.u32", 4000000000);
  values.add_f32("a.f32", 0.5);
  values.add_bool("a.bool", true);
  const std::vector<std::string> texts = {"", "\xc3\xa9", "b c"};
  values.add_texts("a.texts", texts);
  values.add_i32s("a.i32s", std::vector<std::int32_t>{-1, 7});
  GgufValues more;
  more.add_f32s("a.f32s", std::vector<float>{0.25F, -3.0F});
  values.append(more);
  const std::vector<float> numbers = {1, 2, 3, 4, 5, 6};
  const auto bytes = encoded(numbers, TensorType::kF16);
  const std::vector<SafetensorsEntry> tensors = {
      {"one",
       TensorType::kF32,
       {3, 2},
       [&] { return std::as_bytes(std::span(numbers)); }},
      {"two", TensorType::kF16, {6}, [&] {
         return std::span<const std::byte>(bytes);
       }}};
  write_gguf(folder / "a.gguf", values, tensors);
  const GgufFile file(folder / "a.gguf");
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.integer("a.u32"), 4000000000);
  EXPECT_EQ(file.number("a.f32"), 0.5);
  EXPECT_TRUE(file.boolean("a.bool"));
  EXPECT_EQ(file.texts("a.texts"), texts);
  EXPECT_EQ(file.integers("a.i32s"), (std::vector<std::int64_t>{-1, 7}));
  EXPECT_EQ(file.numbers("a.f32s"), (std::vector<double>{0.25, -3.0}));
  EXPECT_EQ(file.names(), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(file.find("one")->shape, (std::vector<std::int64_t>{3, 2}));
  EXPECT_EQ(floats_of(*file.find("one")), numbers);
  EXPECT_EQ(floats_of(*file.find("two")), numbers);
  EXPECT_EQ(std::filesystem::file_size(folder / "a.gguf") % 32, 0u);
}

// Every tensor of a file that the gguf package quantised, written again.
TEST(GgufWriter, BlocksAreThoseOfTheGgufPackage) {
  const GgufFile f32(
      std::filesystem::path(MOFT_SOURCE_DIR) /
      "tests/reference/models/llama_gguf_f32.gguf");
  const GgufFile q8(
      std::filesystem::path(MOFT_SOURCE_DIR) /
      "tests/reference/models/llama_gguf_q8_0.gguf");
  int blocks = 0;
  for (const std::string& name : q8.names()) {
    const TensorView wanted = *q8.find(name);
    if (wanted.type != TensorType::kQ8_0) continue;
    const auto bytes = encoded(floats_of(*f32.find(name)), TensorType::kQ8_0);
    EXPECT_TRUE(std::ranges::equal(bytes, wanted.bytes)) << name;
    ++blocks;
  }
  EXPECT_GT(blocks, 0);
}

TEST(GgufWriter, MistakesOfTheCallerAreRefused) {
  const TemporaryFolder folder;
  const std::vector<float> numbers(32);
  const auto tensor = [&](TensorType type, std::vector<std::int64_t> shape) {
    return SafetensorsEntry{"t", type, std::move(shape), [&] {
                              return std::as_bytes(std::span(numbers));
                            }};
  };
  const auto refused = [&](const std::vector<SafetensorsEntry>& tensors) {
    EXPECT_THROW(
        write_gguf(folder / "a.gguf", GgufValues(), tensors), CallerError);
    EXPECT_TRUE(folder.listing().empty());
  };
  refused({tensor(TensorType::kU8, {128})});
  refused({tensor(TensorType::kQ8_0, {16, 2})});
  refused({tensor(TensorType::kF32, {31})});
  refused({tensor(TensorType::kF32, {32}), tensor(TensorType::kF32, {32})});
}

TEST(ModelTensors, AreCutIntoFilesOfAtMostTheLimit) {
  const TemporaryFolder folder;
  std::vector<std::vector<float>> numbers;
  for (const std::size_t size : {10U, 10U, 30U, 5U, 5U, 10U})
    numbers.emplace_back(size, static_cast<float>(numbers.size()));
  std::vector<SafetensorsEntry> entries;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto& values = numbers[i];
    entries.push_back(
        {std::string(1, static_cast<char>('f' - i)),
         TensorType::kF32,
         {static_cast<std::int64_t>(values.size())},
         [&values] { return std::as_bytes(std::span(values)); }});
  }
  write_model_tensors(folder.path(), entries, 80, {{"format", "pt"}});
  auto names = folder.listing();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(
      names,
      (std::vector<std::string>{
          "model-00001-of-00003.safetensors",
          "model-00002-of-00003.safetensors",
          "model-00003-of-00003.safetensors",
          "model.safetensors.index.json"}));
  const SafetensorsFile second(folder / "model-00002-of-00003.safetensors");
  EXPECT_EQ(second.names(), std::vector<std::string>{"d"});
  const SafetensorsFile last(folder / "model-00003-of-00003.safetensors");
  EXPECT_EQ(last.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(last.metadata().at("format"), "pt");
  EXPECT_EQ(floats_of(*last.find("b")), numbers[4]);
  const std::string index = read_text(folder / "model.safetensors.index.json");
  EXPECT_NE(index.find("\"total_size\": 280"), std::string::npos) << index;
}

}  // namespace
}  // namespace moft
