// The model of a tokenizer.json: its vocabulary and how it cuts a piece.
// All functions throw CallerError, naming file and field, for anything not
// supported.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "moft/tokenizers/json_fields.h"
#include "moft/tokenizers/pipeline.h"

namespace moft {

// The two tokens of one entry of `merges`.
std::pair<std::string, std::string> read_merge(const JsonField& merge);
// Reads `vocab` of a model: an object of ids, or Unigram's list of pieces.
std::vector<VocabularyEntry> read_model_vocabulary(const JsonField& model);
// `type` is BPE, WordPiece or Unigram; `pipeline` has its vocabulary and added
// tokens.
std::unique_ptr<const TokenModel> read_model(
    const JsonField& root, const std::string& type, const Pipeline& pipeline);

}  // namespace moft
