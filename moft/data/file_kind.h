// What a data file that is not JSON lines seems to be, and how to convert it.
//
// Thread safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moft {

// One clause for a message, with the command that converts the file; nothing
// for a line that may belong to JSON lines. `path`: of the file. `line`: its
// first line. Knows Parquet, Arrow, compressed and zipped files, UTF-16 and
// UTF-32, Git LFS pointers, web pages, JSON arrays, objects over several lines
// and tables (CSV, TSV).
std::optional<std::string> describe_foreign_file(
    const std::string& path, std::string_view line);

// The command that converts a file to UTF-8, for a message.
std::string command_to_utf8(
    const std::string& path, const std::string& encoding);

}  // namespace moft
