// Quantised blocks of GGUF as scales, offsets and small whole numbers. Source
// of the layouts: github.com/ggml-org/llama.cpp, gguf-py/gguf/quants.py.
#include "moft/checkpoints/blocks.h"

#include <array>

#include "moft/checkpoints/half.h"
#include "moft/checkpoints/tensor_source.h"
#include "moft/checkpoints/tensor_type.h"

namespace moft {
namespace {

// Where the parts of one block of the file go.
struct Parts {
  float* scales;
  float* offsets;
  std::int8_t* numbers;
};

float half(const std::byte* from) {
  return half_table()[load<std::uint16_t>(from)];
}

// 16 bytes into 32 numbers, the low halves first. Through arrays of its own,
// which the compiler may take to be apart: one vector operation each.
void split_nibbles(const std::byte* in, std::int8_t* out) {
  std::uint8_t both[16];
  std::uint8_t parts[32];
  std::memcpy(both, in, sizeof(both));
  for (int i = 0; i < 16; ++i)
    parts[i] = both[i] & 15;
  for (int i = 0; i < 16; ++i)
    parts[i + 16] = both[i] >> 4;
  std::memcpy(out, parts, sizeof(parts));
}

// The fifth bits of 32 numbers, one bit each, onto their lower four.
void add_fifth_bits(const std::byte* in, int lowered, std::int8_t* numbers) {
  const auto bits = load<std::uint32_t>(in);
  for (int i = 0; i < 32; ++i) {
    const int high = static_cast<int>(bits >> i & 1) << 4;
    numbers[i] = static_cast<std::int8_t>((numbers[i] | high) - lowered);
  }
}

// fp16 d, 32 int8 q: x = q d.
void read_q8_0(const std::byte* in, const Parts& out) {
  out.scales[0] = half(in);
  std::memcpy(out.numbers, in + 2, 32);
}

// fp16 d, 16 bytes: low nibbles are elements 0..15; x = (q - 8) d.
void read_q4_0(const std::byte* in, const Parts& out) {
  out.scales[0] = half(in);
  out.offsets[0] = -8.0f * out.scales[0];
  split_nibbles(in + 2, out.numbers);
}

// fp16 d, fp16 m, 16 bytes as above; x = q d + m.
void read_q4_1(const std::byte* in, const Parts& out) {
  out.scales[0] = half(in);
  out.offsets[0] = half(in + 2);
  split_nibbles(in + 4, out.numbers);
}

// fp16 d, 32 fifth bits, 16 bytes; x = (q - 16) d.
void read_q5_0(const std::byte* in, const Parts& out) {
  out.scales[0] = half(in);
  split_nibbles(in + 6, out.numbers);
  add_fifth_bits(in + 2, 16, out.numbers);
}

// fp16 d, fp16 m, 32 fifth bits, 16 bytes; x = q d + m.
void read_q5_1(const std::byte* in, const Parts& out) {
  out.scales[0] = half(in);
  out.offsets[0] = half(in + 2);
  split_nibbles(in + 8, out.numbers);
  add_fifth_bits(in + 4, 0, out.numbers);
}

// fp16 d, fp16 dmin, 12 bytes with eight scales and eight minima of 6 bits:
// part j of 32 elements has x = q d sc_j - dmin m_j. Eight bits of
// bytes 8..11 complete the later four.
void read_k_scales(const std::byte* in, const Parts& out) {
  const float scale = half(in), least = half(in + 2);
  std::uint8_t packed[12];
  std::memcpy(packed, in + 4, sizeof(packed));
  for (int j = 0; j < 4; ++j) {
    const int low = packed[j], middle = packed[j + 4], high = packed[j + 8];
    const std::array<int, 2> scales = {low & 63, (high & 15) | (low >> 2 & 48)};
    const std::array<int, 2> minima = {
        middle & 63, high >> 4 | (middle >> 2 & 48)};
    for (int part = 0; part < 2; ++part) {
      out.scales[j + 4 * part] =
          scale * static_cast<float>(scales[static_cast<std::size_t>(part)]);
      out.offsets[j + 4 * part] =
          -(least * static_cast<float>(minima[static_cast<std::size_t>(part)]));
    }
  }
}

// 32 bytes whose low nibbles are 32 elements and whose high ones the next 32.
void read_pair_of_parts(const std::byte* in, std::int8_t* numbers) {
  for (int i = 0; i < 32; ++i) {
    const int both = std::to_integer<int>(in[i]);
    numbers[i] = static_cast<std::int8_t>(both & 15);
    numbers[i + 32] = static_cast<std::int8_t>(both >> 4);
  }
}

// Scales as above, 128 bytes.
void read_q4_k(const std::byte* in, const Parts& out) {
  read_k_scales(in, out);
  for (int pair = 0; pair < 4; ++pair)
    read_pair_of_parts(in + 16 + 32 * pair, out.numbers + 64 * pair);
}

// Scales as above, 32 bytes with the fifth bits (bit j for part j), 128 bytes.
void read_q5_k(const std::byte* in, const Parts& out) {
  read_k_scales(in, out);
  for (int pair = 0; pair < 4; ++pair)
    read_pair_of_parts(in + 48 + 32 * pair, out.numbers + 64 * pair);
  for (int part = 0; part < 8; ++part) {
    for (int i = 0; i < 32; ++i) {
      const int bit = std::to_integer<int>(in[16 + i]) >> part & 1;
      std::int8_t& number = out.numbers[32 * part + i];
      number = static_cast<std::int8_t>(number | bit << 4);
    }
  }
}

// 128 bytes with the lower four bits, 64 bytes with the upper two, 16 int8
// scales of 16 elements each, fp16 d; x = (q - 32) d sc.
void read_q6_k(const std::byte* in, const Parts& out) {
  const std::byte* const high = in + 128;
  const std::byte* const scales = in + 192;
  const float scale = half(in + 208);
  for (int j = 0; j < 16; ++j)
    out.scales[j] = scale * static_cast<float>(load<std::int8_t>(scales + j));
  for (int i = 0; i < 256; ++i) {
    const int side = i / 128, part = i % 128 / 32, place = i % 32;
    const int low =
        std::to_integer<int>(in[64 * side + 32 * (part % 2) + place]) >>
            4 * (part / 2) &
        15;
    const int upper =
        std::to_integer<int>(high[32 * side + place]) >> 2 * part & 3;
    out.numbers[i] = static_cast<std::int8_t>((low | upper << 4) - 32);
  }
}

using ReadBlock = void (*)(const std::byte*, const Parts&);

struct Reader {
  TensorType type;
  BlockForm form;
  ReadBlock read;
};

constexpr std::array<Reader, 8> kReaders = {{
    {TensorType::kQ8_0, {8, 32, false}, read_q8_0},
    {TensorType::kQ4_0, {4, 32, true}, read_q4_0},
    {TensorType::kQ4_1, {4, 32, true}, read_q4_1},
    {TensorType::kQ5_0, {8, 32, false}, read_q5_0},
    {TensorType::kQ5_1, {8, 32, true}, read_q5_1},
    {TensorType::kQ4_K, {4, 32, true}, read_q4_k},
    {TensorType::kQ5_K, {8, 32, true}, read_q5_k},
    {TensorType::kQ6_K, {8, 16, false}, read_q6_k},
}};

const Reader* find_reader(TensorType type) {
  for (const Reader& reader : kReaders)
    if (reader.type == type) return &reader;
  return nullptr;
}

}  // namespace

BlockForm block_form(TensorType type) {
  const Reader* reader = find_reader(type);
  return reader == nullptr ? BlockForm{} : reader->form;
}

void to_blocks(
    const TensorView& view,
    std::span<float> scales,
    std::span<float> offsets,
    std::span<std::int8_t> numbers) {
  const Reader* reader = find_reader(view.type);
  const auto& info = tensor_type_info(view.type);
  const std::size_t runs =
      info.block_elements / static_cast<std::uint32_t>(reader->form.run);
  const std::byte* in = view.bytes.data();
  Parts out{scales.data(), offsets.data(), numbers.data()};
  for (std::size_t run = 0; run < scales.size(); run += runs) {
    reader->read(in, out);
    in += info.block_bytes;
    out.scales += runs;
    if (reader->form.offsets) out.offsets += runs;
    out.numbers += info.block_elements;
  }
}

}  // namespace moft
