// The files that make a tokenizer.
#include "moft/tokenizers/tokenizer_files.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string>

#include "moft/core/errors.h"
#include "moft/core/files.h"

namespace moft {

namespace fs = std::filesystem;

bool is_tokenizer_file(const std::string& name) {
  constexpr std::array kNames = {
      "added_tokens.json",
      "bpe.codes",
      "merges.txt",
      "sentencepiece.bpe.model",
      "sentencepiece.model",
      "special_tokens_map.json",
      "spiece.model",
      "tekken.json"};
  if (std::find(kNames.begin(), kNames.end(), name) != kNames.end())
    return true;
  for (const char* beginning : {"tokenizer", "vocab", "chat_template"})
    if (name.starts_with(beginning)) return true;
  return name.ends_with(".jinja") || name.ends_with(".tiktoken");
}

namespace {

void add_files(
    const fs::path& folder,
    const fs::path& inside,
    std::vector<fs::path>& files) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder / inside, none)) {
    const std::string name = entry.path().filename().string();
    if (fs::is_regular_file(entry.path(), none) && is_tokenizer_file(name))
      files.push_back(inside / name);
  }
}

}  // namespace

std::vector<fs::path> list_tokenizer_files(const fs::path& directory) {
  std::vector<fs::path> files;
  add_files(directory, {}, files);
  add_files(directory, kChatTemplateFolder, files);
  std::sort(files.begin(), files.end());
  return files;
}

namespace {

// Files that moft keeps without reading them: a chat template, merges.
void refuse_pointer(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string beginning(1024, '\0');
  stream.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  beginning.resize(static_cast<std::size_t>(stream.gcount()));
  refuse_lfs_pointer(file, beginning);
}

}  // namespace

void copy_tokenizer_files(const fs::path& from, const fs::path& to) {
  for (const fs::path& file : list_tokenizer_files(from)) {
    refuse_pointer(from / file);
    std::error_code error;
    fs::create_directories((to / file).parent_path(), error);
    if (!error) fs::copy_file(from / file, to / file, error);
    if (error) {
      throw_world_error(
          "{}: cannot be copied to {} ({}); free some space or check the "
          "permissions",
          (from / file).string(),
          to.string(),
          error.message());
    }
  }
}

}  // namespace moft
