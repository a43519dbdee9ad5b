// Names of the files that moft writes into model and policy directories.
#include "moft/generation/model_files.h"

#include <algorithm>
#include <iterator>

#include "moft/checkpoints/peft_adapter.h"
#include "moft/tokenizers/tokenizer_files.h"

namespace moft {
namespace {

constexpr const char* kNames[] = {
    kPolicyDefinitionFile,
    kExportNoteFile,
    "README.md",
    "base_files.json",
    "config.json",
    "generation_config.json",
    "model.gguf",
    "model.safetensors",
    "model.safetensors.index.json",
    "steering.safetensors"};

// model-00001-of-00003.safetensors, or .gguf
bool is_shard(const std::string& name) {
  const bool weights =
      name.ends_with(".safetensors") || name.ends_with(".gguf");
  return name.starts_with("model-") && weights &&
         name.find("-of-") != std::string::npos;
}

}  // namespace

bool is_model_file(const std::string& name) {
  const std::filesystem::path path(name);
  if (path.has_parent_path()) {
    const std::string file = path.filename().string();
    const auto folder = path.parent_path();
    if (folder == kChatTemplateFolder) return is_tokenizer_file(file);
    return folder == kBaseAdapterFolder &&
           (file == kAdapterConfigFile || file == kAdapterWeightsFile);
  }
  const auto is_name = [&](const char* known) { return name == known; };
  return is_shard(name) || std::ranges::any_of(kNames, is_name) ||
         is_tokenizer_file(name);
}

bool is_in_the_way(const std::filesystem::path& path, const char* mark) {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto status = fs::symlink_status(path, error);
  if (!fs::exists(status)) return false;
  if (!fs::is_directory(status)) return true;
  if (fs::exists(path / mark, error)) return false;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_model_file(entry->path().filename().string())) return true;
  }
  return false;
}

}  // namespace moft
