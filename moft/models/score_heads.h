// Decoders with a head of scores on the last token: the reward models of
// Llama's, Gemma's and GPT-2's kinds (..ForSequenceClassification).
//
// Errors: CallerError naming file and key or tensor.
// Thread safety: reading the table is safe from any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/checkpoints/hf_directory.h"
#include "moft/models/encoders.h"
#include "moft/models/sequence_model.h"

namespace moft {

struct ScoreFamily {
  std::vector<std::string> model_types;
  // As in EncoderFamily.
  std::string root;
  std::string anchor;
  std::vector<std::string> unused;
  // Names of matrices that files have as [in, out]; null: none.
  std::function<bool(const std::string& name)> transposed = nullptr;
  std::function<EncoderSize(
      const nlohmann::json& config, const std::string& place)>
      size;
  // The decoder; its own head is the embedding table.
  std::function<std::unique_ptr<SequenceModel>(
      const nlohmann::json& config,
      const std::string& place,
      const FindParameter& find,
      const LoadOptions& options)>
      make;
};

const std::vector<ScoreFamily>& score_families();
// Null for a model_type that the table does not have.
const ScoreFamily* find_score_family(const nlohmann::json& config);

inline constexpr const char* kScoreWeight = "score.weight";

// The decoder in `files`; its head is the matrix `score.weight`, [outputs,
// width], from the files or, where `new_head` is given, the rows of that.
std::unique_ptr<SequenceModel> load_score_model(
    const ScoreFamily& family,
    const std::shared_ptr<const HfDirectory>& files,
    const std::string& place,
    std::int64_t outputs,
    const LoadOptions& options,
    const FindParameter& new_head = nullptr);

}  // namespace moft
