// TensorBoard's event files, as far as scalars need them.
//
// A file is a row of TFRecords: length (uint64), masked CRC-32C of the length,
// data, masked CRC-32C of the data, all little-endian. The data is a
// protobuf message Event {1: wall_time double, 2: step int64, 3: file_version
// string, 5: Summary {1: repeated Value {1: tag string, 2: simple_value
// float}}}. Source: tensorflow/core/util/event.proto, summary.proto and
// tensorflow/core/lib/io/record_writer.h.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace moft {

// CRC-32C (Castagnoli) as RFC 3720 has it: "123456789" gives 0xe3069283.
std::uint32_t crc32c(std::string_view bytes);

// One TFRecord around `data`.
std::string framed_record(std::string_view data);

// The record that opens every file.
std::string version_record(double wall_time);

// One step's scalars by tag; wall_time in seconds since 1970.
std::string scalars_record(
    double wall_time,
    std::int64_t step,
    const std::map<std::string, double>& scalars);

}  // namespace moft
