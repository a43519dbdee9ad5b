#include "cli/run_inputs.h"

#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/tokenizers/tokenizer_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// Keys of a configuration that say where it came from or how it is stored.
constexpr const char* kFreeConfigKeys[] = {
    "_name_or_path", "dtype", "torch_dtype", "transformers_version"};

// Files of a sentence encoder beside weights and tokenizer.
constexpr const char* kEncoderFiles[] = {
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "model.safetensors.index.json",
    "modules.json",
    "sentence_bert_config.json"};

std::string hash_text(const std::string& text) {
  return hash_bytes(std::as_bytes(std::span(text)));
}

bool is_shard(const fs::path& file) {
  return file.extension() == ".safetensors" &&
         file.filename() != "model.safetensors";
}

}  // namespace

std::string hash_files(const std::vector<std::string>& files) {
  if (files.size() == 1) return hash_file(files.front());
  std::string hashes;
  for (const std::string& file : files)
    hashes += hash_file(file) + "\n";
  return hash_bytes(std::as_bytes(std::span(hashes)));
}

void RunInputs::add_model(const std::string& kind, const LoadedModel& model) {
  for (const fs::path& file : model.weight_files) {
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

void RunInputs::add_encoder(const std::string& name, const fs::path& folder) {
  const fs::path weights = folder / "model.safetensors";
  if (fs::exists(weights)) hashes_[name] = watch_.add(weights);
  for (const char* file : kEncoderFiles) {
    if (fs::exists(folder / file))
      hashes_[name + " " + file] = hash_file(folder / file);
  }
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!is_shard(entry->path())) continue;
    const std::string file = entry->path().filename().string();
    hashes_[name + " " + file] = watch_.add(entry->path());
  }
  add_tokenizer(name + " ", folder);
}

void RunInputs::add_file(const std::string& name, const fs::path& file) {
  hashes_[name] = hash_file(file);
}

void RunInputs::add_files(
    const std::string& name, const std::vector<std::string>& files) {
  hashes_[name] = hash_files(files);
}

}  // namespace moft
