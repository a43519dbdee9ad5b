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
#include "moft/models/load.h"

namespace moft {

using InputHashes = std::map<std::string, std::string>;

class RunInputs {
 public:
  // "<kind> weights <file>" for each weight file, which is watched from now
  // on; "<kind> config" without the keys that change no number, and
  // "<kind> end tokens".
  void add_model(const std::string& kind, const LoadedModel& model);
  // "<prefix><file>" for every tokenizer file of a folder.
  void add_tokenizer(
      const std::string& prefix, const std::filesystem::path& folder);
  // A sentence encoder's folder: "<name>" its weights, "<name> <file>" the
  // others.
  void add_encoder(
      const std::string& name, const std::filesystem::path& folder);
  void add_file(const std::string& name, const std::filesystem::path& file);

  const InputHashes& hashes() const { return hashes_; }
  const FileWatch& watch() const { return watch_; }

 private:
  InputHashes hashes_;
  FileWatch watch_;
};

}  // namespace moft
