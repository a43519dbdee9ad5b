// Hashes of what a run reads.
#include "moft/recipes/run_inputs.h"

#include <algorithm>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "moft/core/files.h"
#include "moft/core/hash_text.h"
#include "moft/core/json.h"
#include "moft/rewards/model_files.h"
#include "moft/rewards/reward_inputs.h"
#include "moft/tokenizers/tokenizer_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// Keys of a configuration that say where it came from or how it is stored.
constexpr const char* kFreeConfigKeys[] = {
    "_name_or_path", "dtype", "torch_dtype", "transformers_version"};

}  // namespace

void add_provenance(
    const InputHashes& hashes, std::map<std::string, std::string>& provenance) {
  for (const auto& [name, hash] : hashes)
    provenance["xxh3 " + name] = hash;
}

std::string hash_files(const std::vector<std::string>& files) {
  if (files.size() == 1) return hash_file(files.front());
  std::string hashes;
  for (const std::string& file : files)
    hashes += hash_file(file) + "\n";
  return hash_text(hashes);
}

void RunInputs::add_model(const std::string& kind, const LoadedModel& model) {
  for (const auto* files : {&model.weight_files, &model.adapter_files}) {
    for (const fs::path& file : *files)
      hashes_[kind + " weights " + file.filename().string()] = watch_.add(file);
  }
  if (!model.gguf_tokenizer) {  // a GGUF file holds its configuration
    nlohmann::json config = model.config;
    for (const char* key : kFreeConfigKeys)
      config.erase(key);
    hashes_[kind + " config"] = hash_text(dump_json(config));
  }
  hashes_[kind + " end tokens"] = hash_text(
      fmt::format("{}", fmt::join(model.model->info().end_tokens, " ")));
}

void RunInputs::add_tokenizer(
    const std::string& prefix, const fs::path& folder) {
  for (const fs::path& file : list_tokenizer_files(folder))
    hashes_[prefix + file.string()] = hash_file(folder / file);
}

void RunInputs::add_reward_files(const Objectives& objectives) {
  for (const RewardFile& file : reward_files(objectives)) {
    hashes_[file.key] =
        file.watched ? watch_.add(file.path) : hash_file(file.path);
  }
}

void RunInputs::add_directory(
    const std::string& kind, const fs::path& directory) {
  for (const RewardFile& file : model_directory_files(directory.string())) {
    const std::string name = kind + " " + file.path.filename().string();
    hashes_[name] = file.watched ? watch_.add(file.path) : hash_file(file.path);
  }
}

void RunInputs::add_chat(const PromptOptions& prompts) {
  const PromptSpec spec = prompts.spec();
  if (spec.chat) hashes_["chat template"] = hash_text(spec.maker().text());
}

void RunInputs::add_path(const std::string& name, const fs::path& path) {
  if (!fs::is_directory(path)) return add_file(name, path);
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.is_regular_file()) files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  add_files(name, files);
}

void RunInputs::add_file(const std::string& name, const fs::path& file) {
  hashes_[name] = hash_file(file);
}

void RunInputs::add_files(
    const std::string& name, const std::vector<std::string>& files) {
  hashes_[name] = hash_files(files);
}

}  // namespace moft
