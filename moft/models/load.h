// A language model from a Hugging Face directory, a directory that holds
// `model.gguf`, or a GGUF file. Weights become float32 masters.
//
// Errors: CallerError naming file and tensor for what is missing, misshapen,
// not read by the model, not finite or not supported. Numbers are looked at
// when they are first used.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/core/tokenizer_data.h"
#include "moft/models/language_model.h"
#include "moft/models/model_builder.h"

namespace moft {

struct LoadedModel {
  std::unique_ptr<LanguageModel> model;
  // The config.json that transformers would read for this model; whether the
  // head is the embedding table is said as the files have it.
  nlohmann::json config;
  // What is needed to build the tokenizer when the file carries it (GGUF).
  std::optional<GgufTokenizerData> gguf_tokenizer;
  // The files that hold the base weights, for hashing and linking.
  std::vector<std::filesystem::path> weight_files;
  // Those of the adapter that was merged, if any: configuration, then tensors.
  std::vector<std::filesystem::path> adapter_files;
};

LoadedModel load_language_model(
    const std::filesystem::path& path, const LoadOptions& options = {});

}  // namespace moft
