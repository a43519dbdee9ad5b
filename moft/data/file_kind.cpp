// Recognises files that are not JSON lines by how they begin.
#include "moft/data/file_kind.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/text.h"

namespace moft {
namespace {

using namespace std::string_view_literals;

// For the commands in messages: what a shell needs quoted is quoted.
std::string shell_word(const std::string& text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           "_-./"sv.find(c) != std::string_view::npos;
  });
  if (plain && !text.empty()) return text;
  std::string quoted = "'";
  for (const char c : text)
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

bool is_gzip(const std::string& path) {
  // Opening a pipe again might wait for ever.
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  std::array<char, 2> begin{};
  std::ifstream(path, std::ios::binary).read(begin.data(), 2);
  return begin[0] == '\x1f' && begin[1] == '\x8b';
}

// "posts.csv.gz" -> "posts.csv".
std::filesystem::path without_gz(const std::string& path) {
  std::filesystem::path name(path);
  if (name.extension() == ".gz") name.replace_extension();
  return name;
}

// From standard input, because gunzip refuses names that do not end in .gz.
std::string gunzip(const std::string& path) {
  return "gunzip -c < " + shell_word(path);
}

// The command `program FILE`, or what does the same for a gzip file. `input`:
// the program's name for its standard input, with a blank before it.
std::string applied(
    const std::string& program,
    const std::string& path,
    const std::string& input = "") {
  if (is_gzip(path)) return gunzip(path) + " | " + program + input;
  return program + " " + shell_word(path);
}

// "posts.csv" -> "posts.jsonl", and never the file itself, which a shell
// would empty before it is read.
std::string converted(const std::string& path) {
  const std::filesystem::path source = without_gz(path);
  std::filesystem::path target = source;
  target.replace_extension(".jsonl");
  if (target == source || target == path)
    target.replace_extension(".lines.jsonl");
  return shell_word(target.string());
}

std::string in_python(const std::string& path, const std::string& code) {
  return applied("python3 -c \"" + code + "\"", path, " /dev/stdin") + " > " +
         converted(path);
}

std::string pandas(const std::string& path, const std::string& reader) {
  return in_python(
      path,
      "import pandas, sys; print(pandas." + reader +
          "(sys.argv[1]).to_json(orient='records', lines=True), end='')");
}

struct Signature {
  std::string_view begin;
  std::string_view name;
  std::string_view cure;  // a command that takes the file's name
};

constexpr std::array kPacked = {
    Signature{"\x1f\x8b"sv, "gzip data", "gunzip"},
    Signature{"BZh"sv, "compressed with bzip2", "bunzip2 -k"},
    Signature{
        "\xFD"
        "7zXZ"sv,
        "compressed with xz",
        "unxz -k"},
    Signature{"\x28\xB5\x2F\xFD"sv, "compressed with zstd", "unzstd"},
    Signature{"\x04\x22\x4D\x18"sv, "compressed with lz4", "unlz4"},
    Signature{"PK\x03\x04"sv, "a zip archive or a spreadsheet", "unzip"},
    Signature{"7z\xBC\xAF"sv, "a 7z archive", "7z x"},
};

std::optional<std::string> describe_binary(
    const std::string& path, std::string_view line) {
  if (line.starts_with("PAR1")) {
    return "is a Parquet file; convert it to JSON lines: " +
           pandas(path, "read_parquet");
  }
  if (line.starts_with("ARROW1") || line.starts_with("\xFF\xFF\xFF\xFF"sv)) {
    return "is an Arrow file; convert it to JSON lines: " +
           fmt::format(
               "python3 -c \"import datasets, sys; "
               "datasets.Dataset.from_file(sys.argv[1]).to_json(sys.argv[2])\" "
               "{} {}",
               shell_word(path),
               converted(path));
  }
  if (line.starts_with("\x93NUMPY"sv))
    return "is a NumPy array; write JSON lines with the program that made it";
  if (line.size() > 1 && line[0] == '\x80' && line[1] >= 2 && line[1] <= 5)
    return "is a Python pickle; write JSON lines with the program that made it";
  for (const Signature& packed : kPacked) {
    if (!line.starts_with(packed.begin)) continue;
    return fmt::format(
        "is {}; moft reads plain and gzip-compressed JSON lines: {} {}",
        packed.name,
        packed.cure,
        shell_word(path));
  }
  return std::nullopt;
}

// As above, for a file whose gzip data is such a file.
std::optional<std::string> describe_packed_binary(
    const std::string& path, std::string_view line) {
  const auto found = describe_binary(path, line);
  if (!found || !is_gzip(path)) return found;
  std::string target = without_gz(path).string();
  if (target == path) target += ".unpacked";
  return fmt::format(
      "{} inside gzip data; unpack it first: {} > {}",
      found->substr(0, found->find(';')),
      gunzip(path),
      shell_word(target));
}

// tar unpacks gzip itself. Its magic comes after the name of the first file.
std::optional<std::string> describe_tar(
    const std::string& path, std::string_view line) {
  constexpr std::size_t kMagicAt = 257;
  if (line.size() < kMagicAt || !line.substr(kMagicAt).starts_with("ustar"))
    return std::nullopt;
  return "is a tar archive, not JSON lines; unpack it: tar -xf " +
         shell_word(path);
}

// UTF-16 and UTF-32, with a byte order mark or by the zeros of ASCII text.
std::optional<std::string> describe_wide(
    const std::string& path, std::string_view line) {
  std::string encoding;
  if (line.starts_with("\xFF\xFE\0\0"sv) || line.starts_with("\0\0\xFE\xFF"sv))
    encoding = "UTF-32";
  else if (line.starts_with("\xFF\xFE"sv) || line.starts_with("\xFE\xFF"sv))
    encoding = "UTF-16";
  else if (line.size() > 3 && line[1] == '\0' && line[3] == '\0')
    encoding = "UTF-16LE";
  else if (line.size() > 2 && line[0] == '\0' && line[2] == '\0')
    encoding = "UTF-16BE";
  else
    return std::nullopt;
  return fmt::format(
      "is {} text; convert it to UTF-8: {}",
      encoding,
      command_to_utf8(path, encoding));
}

// A table's first line names its columns; JSON begins with '{'.
std::optional<std::string> describe_table(
    const std::string& path, std::string_view line) {
  const std::string extension = without_gz(path).extension();
  const auto count = [&](char sign) {
    return std::count(line.begin(), line.end(), sign);
  };
  const bool named = extension == ".csv" || extension == ".tsv";
  // Prose has a blank after its commas.
  const bool commas =
      count(',') > 0 && line.find(", ") == std::string_view::npos;
  if (!named && count('\t') == 0 && !commas) return std::nullopt;
  std::string kind = "commas (CSV)", delimiter;
  if (extension == ".tsv" || count('\t') > 0) {
    kind = "tabs (TSV)";
    delimiter = ", delimiter='\\t'";
  } else if (count(';') > count(',')) {
    kind = "semicolons (CSV)";
    delimiter = ", delimiter=';'";
  }
  return fmt::format(
      "is a table with {}, not JSON lines; convert it: {}",
      kind,
      in_python(
          path,
          fmt::format(
              "import csv, json, sys; [print(json.dumps(row, "
              "ensure_ascii=False)) for row in csv.DictReader(open(sys.argv[1],"
              " newline='', encoding='utf-8-sig'){})]",
              delimiter)));
}

std::optional<std::string> describe_text(
    const std::string& path, std::string_view line) {
  const std::string_view text = trimmed(line);
  if (text.starts_with("version https://git-lfs")) {
    return "is a Git LFS pointer, not the data; fetch that: git lfs pull";
  }
  if (text.starts_with("<!") || text.starts_with("<html") ||
      text.starts_with("<?xml")) {
    return "is a web page or XML, not data; download the file itself again";
  }
  if (text.starts_with("[")) {
    return "is one JSON array, not JSON lines; convert it: " +
           in_python(
               path,
               "import json, sys; [print(json.dumps(row, ensure_ascii=False)) "
               "for row in json.load(open(sys.argv[1], "
               "encoding='utf-8-sig'))]");
  }
  if (text == "{") {
    return "holds JSON objects over several lines; write one object per "
           "line: " +
           applied("jq -c .", path) + " > " +
           shell_word(
               without_gz(path).replace_extension(".lines.jsonl").string());
  }
  if (text.starts_with("{")) {
    if (text.find("}\r{") == std::string_view::npos) return std::nullopt;
    const std::string command = "tr '\\r' '\\n'";
    return "has old Mac line ends (CR); convert them: " +
           (is_gzip(path) ? gunzip(path) + " | " + command
                          : command + " < " + shell_word(path)) +
           " > " + converted(path);
  }
  return describe_table(path, text);
}

}  // namespace

std::optional<std::string> describe_foreign_file(
    const std::string& path, std::string_view line) {
  // Before UTF-16, which the zeros after a short name look like.
  if (auto found = describe_tar(path, line)) return found;
  if (auto found = describe_wide(path, line)) return found;
  if (auto found = describe_packed_binary(path, line)) return found;
  if (line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  return describe_text(path, line);
}

std::string command_to_utf8(
    const std::string& path, const std::string& encoding) {
  const std::filesystem::path file = without_gz(path);
  const std::string target =
      (file.parent_path() / (file.stem().string() + ".utf8.jsonl")).string();
  return applied("iconv -f " + encoding + " -t UTF-8", path) + " > " +
         shell_word(target);
}

std::string command_to_unwrap(
    const std::string& path, const std::string& field) {
  const bool plain = std::all_of(field.begin(), field.end(), [](char c) {
    return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
  });
  const std::string name =
      plain && !field.empty() ? field : nlohmann::json(field).dump();
  return applied("jq -c " + shell_word("." + name + "[]"), path) + " > " +
         converted(path);
}

}  // namespace moft
