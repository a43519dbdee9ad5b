// Finds the model in a folder.
#include "moft/checkpoints/model_folder.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/ranges.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/text.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// "NAME-00002-of-00003.gguf" and the like, but not the first part.
bool is_later_part(std::string_view name) {
  constexpr std::string_view kShape = "-00000-of-00000.gguf";
  if (name.size() < kShape.size()) return false;
  const auto ending = name.substr(name.size() - kShape.size());
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = ending[i] >= '0' && ending[i] <= '9';
    if (kShape[i] == '0' ? !digit : ending[i] != kShape[i]) return false;
  }
  return ending.substr(1, 5) != "00001";
}

std::vector<std::string> gguf_models_in(const fs::path& folder) {
  std::vector<std::string> found;
  for (const std::string& name : entry_names(folder))
    if (name.ends_with(".gguf") && !is_later_part(name)) found.push_back(name);
  return found;
}

bool is_our_name(const std::string& name) {
  return name == "model.gguf" || name.starts_with("model-00001-of-");
}

// models--org--name/{blobs,refs,snapshots/<hash>}
void refuse_cache_top(const fs::path& folder) {
  const fs::path snapshots = folder / "snapshots";
  if (!has_entry(snapshots)) return;
  std::string hash = "<hash>";
  const auto all = entry_names(snapshots);
  if (has_entry(folder / "refs" / "main")) {
    const std::string main =
        std::string(trimmed(read_text(folder / "refs" / "main", 4096)));
    if (has_entry(snapshots / main)) hash = main;
  } else if (all.size() == 1) {
    hash = all.front();
  }
  throw_caller_error(
      "{}: is the top folder of a model in a Hugging Face cache; give its "
      "snapshot, {}",
      folder.string(),
      (snapshots / hash).string());
}

void refuse_adapter(const fs::path& folder) {
  if (!has_entry(folder / "adapter_config.json")) return;
  throw_caller_error(
      "{}: is a PEFT adapter, not a whole model; give its base as the model "
      "and this folder as --adapter (in a recipe, policy.adapter), or merge "
      "the two first (merge_and_unload)",
      folder.string());
}

void refuse_unnamed_gguf(const fs::path& folder) {
  const auto models = gguf_models_in(folder);
  if (models.empty()) return;
  throw_caller_error(
      "{}: holds no config.json but {}; give that file itself, {}",
      folder.string(),
      models.size() == 1 ? "a GGUF file"
                         : fmt::format("{} GGUF files", models.size()),
      models.size() == 1 ? (folder / models.front()).string()
                         : fmt::format("one of {}", fmt::join(models, ", ")));
}

void refuse_outer_folder(const fs::path& folder) {
  for (const std::string& name : entry_names(folder)) {
    const fs::path inner = folder / name;
    const bool cache = name.starts_with("models--");
    if (!has_entry(inner / "config.json") && !has_entry(inner / "model.gguf") &&
        !cache)
      continue;
    throw_caller_error(
        "{}: holds no config.json, but its folder {} is {}; give that folder",
        folder.string(),
        quote_text(name),
        cache ? "a model of a Hugging Face cache" : "a model");
  }
}

[[noreturn]] void refuse_two(
    const fs::path& folder, const std::string& one, const std::string& other) {
  throw_caller_error(
      "{}: holds two models, {} and {}; give the GGUF file itself, or move one "
      "of them to another folder",
      folder.string(),
      one,
      other);
}

}  // namespace

bool has_entry(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

std::vector<std::string> entry_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

void refuse_known_folder(const fs::path& folder) {
  if (has_entry(folder / "config.json")) return;
  refuse_cache_top(folder);
  refuse_adapter(folder);
  refuse_unnamed_gguf(folder);
  refuse_outer_folder(folder);
}

ModelPlace find_model(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return {true, path};
  if (!fs::is_directory(path, ignored))
    throw_caller_error(
        "there is no model at '{}'; give a Hugging Face directory or a GGUF "
        "file (moft does not download models: hf download NAME --local-dir "
        "DIR does)",
        path.string());
  const auto models = gguf_models_in(path);
  const auto ours = std::find_if(models.begin(), models.end(), is_our_name);
  if (ours == models.end()) return {false, path};
  for (const std::string& name : models)
    if (name != *ours) refuse_two(path, *ours, name);
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"})
    if (has_entry(path / name)) refuse_two(path, *ours, name);
  return {true, path / *ours};
}

}  // namespace moft
