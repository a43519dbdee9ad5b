// The files of a Hugging Face directory that a reward with a model reads.
//
// Thread safety: pure functions over the file system.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "moft/rewards/reward_kind.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {

// Weights, configurations and tokenizer; weights are watched.
std::vector<RewardFile> model_directory_files(const std::string& directory);

// CallerError when the tokenizer has more tokens than the model has embeddings.
void check_tokenizer_fits(
    const std::filesystem::path& directory,
    const Tokenizer& tokenizer,
    std::int64_t embeddings);

}  // namespace moft
