// The files of a Hugging Face directory that a reward with a model reads.
#include "moft/rewards/model_files.h"

#include "moft/core/errors.h"
#include "moft/tokenizers/tokenizer_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// Files beside weights and tokenizer.
constexpr const char* kModelFiles[] = {
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "model.safetensors.index.json",
    "modules.json",
    "sentence_bert_config.json"};

bool is_shard(const fs::path& file) {
  return file.extension() == ".safetensors" &&
         file.filename() != "model.safetensors";
}

}  // namespace

std::vector<RewardFile> model_directory_files(const std::string& directory) {
  const fs::path folder = directory;
  std::vector<RewardFile> files;
  const auto add = [&](const fs::path& file, bool watched) {
    files.push_back({"model " + file.string(), folder / file, watched});
  };
  const fs::path weights = folder / "model.safetensors";
  if (fs::exists(weights)) files.push_back({"model", weights, true});
  for (const char* file : kModelFiles) {
    if (fs::exists(folder / file)) add(file, /*watched=*/false);
  }
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_shard(entry->path())) add(entry->path().filename(), true);
  }
  for (const fs::path& file : list_tokenizer_files(folder))
    add(file, /*watched=*/false);
  return files;
}

void check_tokenizer_fits(
    const fs::path& directory,
    const Tokenizer& tokenizer,
    std::int64_t embeddings) {
  if (tokenizer.vocab_size() <= embeddings) return;
  throw_caller_error(
      "{}: the tokenizer has {} tokens but the model embeds {}; the files "
      "do not belong together",
      directory.string(),
      tokenizer.vocab_size(),
      embeddings);
}

}  // namespace moft
