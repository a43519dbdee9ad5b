// Event files for TensorBoard.
#include "moft/training/event_file.h"

#include <array>
#include <bit>
#include <cstring>

namespace moft {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::array<std::uint32_t, 256> make_table() {
  constexpr std::uint32_t kReflectedCastagnoli = 0x82f63b78;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? kReflectedCastagnoli : 0);
    }
    table[byte] = value;
  }
  return table;
}

// So that a checksum stored inside checked data does not cancel out.
std::uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8U;
}

template <typename Number>
void add_bytes(std::string& out, Number number) {
  std::array<char, sizeof(Number)> bytes{};
  std::memcpy(bytes.data(), &number, sizeof(Number));
  out.append(bytes.data(), bytes.size());
}

void add_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

enum class Wire : std::uint32_t { kVarint = 0, k64 = 1, kBytes = 2, k32 = 5 };

void add_key(std::string& out, std::uint32_t field, Wire wire) {
  add_varint(out, (field << 3) | static_cast<std::uint32_t>(wire));
}

void add_text(std::string& out, std::uint32_t field, std::string_view text) {
  add_key(out, field, Wire::kBytes);
  add_varint(out, text.size());
  out += text;
}

std::string event_at(double wall_time) {
  std::string event;
  add_key(event, 1, Wire::k64);
  add_bytes(event, wall_time);
  return event;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = make_table();
  std::uint32_t crc = 0xffffffff;
  for (const char c : bytes) {
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  }
  return crc ^ 0xffffffff;
}

std::string framed_record(std::string_view data) {
  std::string record;
  add_bytes(record, static_cast<std::uint64_t>(data.size()));
  add_bytes(record, masked_crc32c(record));
  record += data;
  add_bytes(record, masked_crc32c(data));
  return record;
}

std::string version_record(double wall_time) {
  std::string event = event_at(wall_time);
  add_text(event, 3, "brain.Event:2");
  return framed_record(event);
}

std::string scalars_record(
    double wall_time,
    std::int64_t step,
    const std::map<std::string, double>& scalars) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    add_text(value, 1, tag);
    add_key(value, 2, Wire::k32);
    add_bytes(value, static_cast<float>(number));
    add_text(summary, 1, value);
  }
  std::string event = event_at(wall_time);
  add_key(event, 2, Wire::kVarint);
  add_varint(event, static_cast<std::uint64_t>(step));
  add_text(event, 5, summary);
  return framed_record(event);
}

}  // namespace moft
