// What a run reads and its result depends on, as hashes by name: weights,
// configuration, end tokens and tokenizers of its models, encoders, examples.
// A resumed run has to find the same.
//
// Errors: CallerError for a file that cannot be read.
// Thread safety: one thread.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "moft/core/file_watch.h"
#include "moft/data/prompt_options.h"
#include "moft/models/load.h"
#include "moft/rewards/reward_options.h"

namespace moft {

using InputHashes = std::map<std::string, std::string>;

// Names them in a product's provenance: "xxh3 <name>".
void add_provenance(
    const InputHashes& hashes, std::map<std::string, std::string>& provenance);

// The hash of one file; of several, that of their hashes in their order.
std::string hash_files(const std::vector<std::string>& files);

class RunInputs {
 public:
  // "<kind> weights <file>" for each weight file, which is watched from now
  // on; "<kind> config" without the keys that change no number, and
  // "<kind> end tokens".
  void add_model(const std::string& kind, const LoadedModel& model);
  // "<prefix><file>" for every tokenizer file of a folder.
  void add_tokenizer(
      const std::string& prefix, const std::filesystem::path& folder);
  // What the rewards read, by the keys of the recipe.
  void add_reward_files(const Objectives& objectives);
  // The text of the chat template, where prompts have one.
  void add_chat(const PromptOptions& prompts);
  // The files of a classifier's directory, as "<kind> <file>"; its weights are
  // watched.
  void add_directory(
      const std::string& kind, const std::filesystem::path& directory);
  // One hash of a file, or of all files of a folder.
  void add_path(const std::string& name, const std::filesystem::path& path);
  void add_file(const std::string& name, const std::filesystem::path& file);
  // One hash of several files in their order.
  void add_files(
      const std::string& name, const std::vector<std::string>& files);

  const InputHashes& hashes() const { return hashes_; }
  const FileWatch& watch() const { return watch_; }

 private:
  InputHashes hashes_;
  FileWatch watch_;
};

}  // namespace moft
