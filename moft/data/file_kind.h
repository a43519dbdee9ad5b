// What a data file that is not JSON lines seems to be, and how to convert it.
//
// Thread safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moft {

// One clause for a message, with the command that converts the file; nothing
// for a line that may belong to JSON lines. `path`: of the file, which is read
// again: for one compressed with gzip the command unpacks it. `line`: its first
// line. Knows Parquet, Arrow, NumPy, pickle, tar, compressed and zipped
// files, UTF-16 and UTF-32, Git LFS pointers, web pages, JSON arrays, objects
// over several lines, tables (CSV, TSV) and line ends of CR alone.
std::optional<std::string> describe_foreign_file(
    const std::string& path, std::string_view line);

// The command that converts a file to UTF-8, for a message.
std::string command_to_utf8(
    const std::string& path, const std::string& encoding);

// The command that writes the objects in the list of a field as JSON lines.
std::string command_to_unwrap(
    const std::string& path, const std::string& field);

}  // namespace moft
