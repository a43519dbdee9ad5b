// The bytes of TensorBoard's event files. The fixture was made and read by
// TensorBoard's own code: tests/reference/training/make_events.py.
#include "moft/training/event_file.h"

#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace moft {
namespace {

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes)
    text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

// RFC 3720, appendix B.4, and the usual check value.
TEST(EventFile, Crc32cHasItsKnownValues) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(EventFile, BytesAreThoseThatTensorBoardWrites) {
  std::ifstream file(MOFT_SOURCE_DIR "/tests/reference/training/events.json");
  const auto fixture = nlohmann::json::parse(file);
  std::string bytes = version_record(fixture.at("version_time"));
  for (const auto& event : fixture.at("events")) {
    bytes += scalars_record(
        event.at("wall_time"), event.at("step"), event.at("scalars"));
  }
  EXPECT_EQ(hex(bytes), fixture.at("bytes"));
}

}  // namespace
}  // namespace moft
