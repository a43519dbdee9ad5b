// SentencePiece vocabularies of GGUF files.
#include "moft/tokenizers/gguf_spm.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <unordered_map>

#include "moft/core/errors.h"
#include "moft/tokenizers/piece_model.h"
#include "moft/tokenizers/scored_bpe.h"
#include "moft/tokenizers/unicode.h"

namespace moft {
namespace {

// Tokens that text can become by merging.
bool is_mergeable(const GgufTokenizerData& data, std::size_t id) {
  const std::int32_t type = gguf_token_type(data, id);
  return type != kGgufUnknown && type != kGgufControl && type != kGgufByte;
}

std::optional<TokenId> usual_id(const GgufTokenizerData& data, std::size_t id) {
  const bool fits = data.model == "llama" && id < data.tokens.size() &&
                    gguf_token_type(data, id) == kGgufControl;
  if (!fits) return std::nullopt;
  return static_cast<TokenId>(id);
}

void check_scores(const GgufTokenizerData& data) {
  if (data.scores.size() != data.tokens.size()) {
    throw_caller_error(
        "{}: {} tokens but {} scores, which the model 'llama' needs; the file "
        "is damaged, download it again",
        kGgufTokenizer,
        data.tokens.size(),
        data.scores.size());
  }
  for (std::size_t id = 0; id < data.scores.size(); ++id) {
    if (std::isfinite(data.scores[id])) continue;
    throw_caller_error(
        "{}: the score of token {} ('{}') is {}; the file is damaged, download "
        "it again",
        kGgufTokenizer,
        id,
        data.tokens[id],
        data.scores[id]);
  }
}

std::optional<TokenId> unknown_token(const GgufTokenizerData& data) {
  if (data.unknown) return *data.unknown;
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    if (gguf_token_type(data, id) == kGgufUnknown)
      return static_cast<TokenId>(id);
  }
  return std::nullopt;
}

}  // namespace

std::optional<TokenId> gguf_bos(const GgufTokenizerData& data) {
  return data.bos ? data.bos : usual_id(data, 1);
}

std::optional<TokenId> gguf_eos(const GgufTokenizerData& data) {
  return data.eos ? data.eos : usual_id(data, 2);
}

std::unique_ptr<const PieceEncoder> make_spm_encoder(
    const GgufTokenizerData& data,
    const Vocabulary& vocabulary,
    std::string_view place) {
  ScoredBpeSpec spec;
  spec.scores = data.scores;
  spec.bytes = ByteTokens(vocabulary);
  spec.unknown = unknown_token(data);
  if (spec.unknown) checked_gguf_id(vocabulary, *spec.unknown, "unknown");
  if (!spec.bytes.complete() && !spec.unknown) {
    throw_caller_error(
        "{}: the model is SentencePiece, but the tokens hold neither all bytes "
        "(<0x00> to <0xFF>) nor an unknown token, so it cannot write every "
        "text; take the model's Hugging Face directory",
        place);
  }
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    if (is_mergeable(data, id))
      spec.pieces.push_back({data.tokens[id], static_cast<TokenId>(id)});
  }
  return std::make_unique<ScoredBpe>(std::move(spec), place);
}

std::unique_ptr<const TokenModel> make_gguf_spm(
    const GgufTokenizerData& data, Pipeline& pipeline) {
  check_scores(data);
  auto encoder = make_spm_encoder(data, *pipeline.vocabulary, kGgufTokenizer);
  const std::string space(kWrittenSpace);
  if (data.add_space_prefix) pipeline.normalizer.push_back(PrependStep{space});
  pipeline.normalizer.push_back(
      ReplaceStep{.what = " ", .regex = nullptr, .by = space});
  return std::make_unique<PieceModel>(
      pipeline.vocabulary,
      PreTokenizer(),
      std::move(encoder),
      llama_decoder(data.add_space_prefix));
}

std::vector<std::pair<std::string, std::string>> spm_merges(
    const GgufTokenizerData& data) {
  std::unordered_map<std::string_view, std::size_t> ids;
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    if (is_mergeable(data, id)) ids.emplace(data.tokens[id], id);
  }
  struct Merge {
    float score;
    std::size_t left, right;
  };
  std::vector<Merge> merges;
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    if (!is_mergeable(data, id)) continue;
    const std::string_view text = data.tokens[id];
    for (std::size_t at = 0; at < text.size();) {
      at += code_point_at(text, at).length;
      if (at >= text.size()) break;
      const auto left = ids.find(text.substr(0, at));
      const auto right = ids.find(text.substr(at));
      if (left != ids.end() && right != ids.end())
        merges.push_back({data.scores[id], left->second, right->second});
    }
  }
  std::sort(merges.begin(), merges.end(), [](const auto& a, const auto& b) {
    return std::tie(b.score, a.left, a.right) <
           std::tie(a.score, b.left, b.right);
  });
  std::vector<std::pair<std::string, std::string>> pairs;
  pairs.reserve(merges.size());
  for (const Merge& merge : merges)
    pairs.emplace_back(data.tokens[merge.left], data.tokens[merge.right]);
  return pairs;
}

}  // namespace moft
