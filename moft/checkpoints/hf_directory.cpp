// Tensors of a Hugging Face directory, in one file or in shards.
#include "moft/checkpoints/hf_directory.h"

#include <algorithm>
#include <map>

#include "moft/checkpoints/json_text.h"
#include "moft/checkpoints/model_folder.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json read_json(const fs::path& path) {
  return parse_json_object(read_text(path), path.string());
}

// A plain file name: no folder, no way out of the directory.
void check_shard_name(const fs::path& index, const std::string& name) {
  const bool plain =
      !name.empty() && name != "." && name != ".." &&
      name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
  if (!plain)
    throw_caller_error(
        "{}: the shard {} is not a plain file name of that directory",
        index.string(),
        quote_text(name));
}

// Tensor name to shard name, as the index claims.
std::map<std::string, std::string> read_weight_map(const fs::path& index) {
  const json content = read_json(index);
  const auto found = content.find("weight_map");
  if (found == content.end() || !found->is_object() || found->empty())
    throw_caller_error(
        "{}: lacks \"weight_map\", an object that names a shard for every "
        "tensor",
        index.string());
  std::map<std::string, std::string> map;
  for (const auto& [tensor, shard] : found->items()) {
    if (!shard.is_string())
      throw_caller_error(
          "{}: the shard of tensor {} is not a text",
          index.string(),
          quote_text(tensor));
    check_shard_name(index, shard.get<std::string>());
    map.emplace(tensor, shard.get<std::string>());
  }
  return map;
}

// An index beside the single file must speak of that file alone.
void check_one_model(const fs::path& index, const fs::path& single) {
  for (const auto& [tensor, shard] : read_weight_map(index))
    if (shard != single.filename())
      throw_caller_error(
          "{}: holds two models, {} and the shards of {}; remove one of them",
          single.parent_path().string(),
          single.filename().string(),
          index.filename().string());
}

// What lies there instead decides what to do.
[[noreturn]] void throw_no_weights(const fs::path& folder) {
  const std::vector<std::string> names = entry_names(folder);
  const auto first = [&](auto matches) {
    const auto found = std::find_if(names.begin(), names.end(), matches);
    return found == names.end() ? std::string() : *found;
  };
  const auto ends = [](const char* ending) {
    return [=](const std::string& name) { return name.ends_with(ending); };
  };
  std::string cure = "download the model again: no weights are there";
  const std::string part = first(ends(".incomplete"));
  const std::string shard = first([](const std::string& name) {
    return name.find("-of-") != std::string::npos &&
           name.ends_with(".safetensors");
  });
  const std::string other = first(ends(".safetensors"));
  std::string pickle = first(ends(".bin"));
  if (pickle.empty()) pickle = first(ends(".pth"));
  if (pickle.empty()) pickle = first(ends(".h5"));
  if (!part.empty()) {
    cure = part + " is a download that was not finished: download it again";
  } else if (!shard.empty()) {
    cure = "its index is missing beside " + shard +
           ": download model.safetensors.index.json as well";
  } else if (!other.empty()) {
    cure = "if " + other +
           " holds the whole model, rename it to model.safetensors";
  } else if (!pickle.empty()) {
    cure = pickle +
           " is read by Python alone: save the model with safe serialization "
           "(save_pretrained)";
  }
  throw_caller_error(
      "{}: holds neither model.safetensors nor model.safetensors.index.json; "
      "{}",
      folder.string(),
      cure);
}

}  // namespace

HfDirectory::HfDirectory(fs::path path) : path_(std::move(path)) {
  std::error_code ignored;
  if (!fs::is_directory(path_, ignored))
    throw_caller_error(
        "{}: is not a directory; give a model directory with config.json",
        path_.string());
  refuse_known_folder(path_);
  config_ = read_json(path_ / "config.json");
  if (has_entry(path_ / "generation_config.json"))
    generation_config_ = read_json(path_ / "generation_config.json");
  const fs::path single = path_ / "model.safetensors";
  const fs::path index = path_ / "model.safetensors.index.json";
  const bool adapter = has_entry(path_ / "adapter_model.safetensors") ||
                       has_entry(path_ / "adapter_model.bin");
  if (adapter)
    throw_caller_error(
        "{}: holds a PEFT adapter (adapter_model) beside a config.json; move "
        "the adapter to a folder of its own, and give that as --adapter (in a "
        "recipe, policy.adapter) to merge it into the model",
        path_.string());
  if (has_entry(single) && has_entry(index)) check_one_model(index, single);
  if (has_entry(single))
    open_single(single);
  else if (has_entry(index))
    open_shards(index);
  else
    throw_no_weights(path_);
}

void HfDirectory::open_single(const fs::path& file) {
  shards_.push_back(std::make_unique<SafetensorsFile>(file));
  weight_files_ = {file};
  names_ = shards_.front()->names();
  for (const auto& name : names_)
    owners_[name] = shards_.front().get();
}

void HfDirectory::open_shards(const fs::path& index) {
  const auto weight_map = read_weight_map(index);
  weight_files_ = {index};
  std::map<std::string, const SafetensorsFile*> by_name;
  for (const auto& [tensor, shard] : weight_map)
    by_name[shard] = nullptr;
  for (auto& [shard, file] : by_name) {
    const fs::path shard_path = path_ / shard;
    if (!has_entry(shard_path))
      throw_caller_error(
          "{}: names the shard {}, which is missing from the directory; "
          "download it again",
          index.string(),
          quote_text(shard));
    shards_.push_back(std::make_unique<SafetensorsFile>(shard_path));
    weight_files_.push_back(shard_path);
    file = shards_.back().get();
    // A tensor that a shard holds but the index leaves out stays hidden.
    for (const auto& name : file->names()) {
      const auto claim = weight_map.find(name);
      if (claim == weight_map.end() || claim->second != shard) continue;
      names_.push_back(name);
      owners_[name] = file;
    }
  }
  for (const auto& [tensor, shard] : weight_map)
    if (owners_.find(tensor) == owners_.end())
      throw_caller_error(
          "{}: tensor {} is listed but absent from its shard {}",
          index.string(),
          quote_text(tensor),
          shard);
}

std::optional<TensorView> HfDirectory::find(std::string_view name) const {
  const auto found = owners_.find(std::string(name));
  if (found == owners_.end()) return {};
  return found->second->find(name);
}

}  // namespace moft
