// Normaliser, pre-tokeniser and decoder of a tokenizer.json.
// All functions throw CallerError, naming file and field, for anything not
// supported.
#pragma once

#include <vector>

#include "moft/tokenizers/json_fields.h"
#include "moft/tokenizers/pipeline.h"
#include "moft/tokenizers/pre_tokenizer.h"
#include "moft/tokenizers/token_decoder.h"

namespace moft {

std::vector<NormalizerStep> read_normalizer(const JsonField& root);
// Steps that end in ByteLevel, for byte-level BPE.
PreTokenizer read_byte_level_pre_tokenizer(const JsonField& root);
// Steps for tokenizers on characters; none where the file has none.
PreTokenizer read_piece_pre_tokenizer(const JsonField& root);
TokenDecoder read_piece_decoder(const JsonField& root);
// Whether pre-tokenizer or decoder work on bytes.
bool is_byte_level(const JsonField& root);

}  // namespace moft
