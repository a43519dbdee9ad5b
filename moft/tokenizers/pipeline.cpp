#include "moft/tokenizers/pipeline.h"

#include <unordered_set>

namespace moft {
namespace {

std::string normalise_by(
    std::string_view text, const std::vector<NormalizerStep>& steps) {
  std::string result(text);
  for (const auto& step : steps) {
    if (const auto* form = std::get_if<NormalForm>(&step)) {
      result = normalise(result, *form);
    } else {
      result = normalise_bert(result, std::get<BertNormalizer>(step));
    }
  }
  return result;
}

std::vector<AddedToken> choose(
    const std::vector<AddedToken>& tokens,
    bool normalized,
    const std::vector<NormalizerStep>& steps) {
  std::vector<AddedToken> chosen;
  for (const auto& token : tokens) {
    if (token.normalized != normalized) continue;
    chosen.push_back(token);
    if (normalized) {
      chosen.back().content = normalise_by(token.content, steps);
    }
  }
  return chosen;
}

class PipelineTokenizer final : public Tokenizer {
 public:
  explicit PipelineTokenizer(Pipeline parts)
      : parts_(std::move(parts)),
        in_raw_text_(choose(parts_.added, false, parts_.normalizer)),
        in_normalised_text_(choose(parts_.added, true, parts_.normalizer)) {
    for (const auto& token : parts_.added) {
      if (token.special) special_.insert(token.id);
    }
  }

  std::vector<TokenId> encode(
      std::string_view text, const EncodeOptions& options) const override {
    std::vector<TokenId> ids;
    if (options.add_special) ids = parts_.prefix;
    if (is_valid_utf8(text)) {
      encode_text(text, options.parse_special, ids);
    } else {
      encode_text(replace_invalid_utf8(text), options.parse_special, ids);
    }
    if (options.add_special) {
      ids.insert(ids.end(), parts_.suffix.begin(), parts_.suffix.end());
    }
    return ids;
  }

  std::string decode(
      std::span<const TokenId> ids, bool skip_special) const override {
    std::vector<TokenId> kept;
    kept.reserve(ids.size());
    for (const TokenId id : ids) {
      if (!parts_.vocabulary->contains(id)) continue;
      if (skip_special && is_special(id)) continue;
      kept.push_back(id);
    }
    return parts_.model->decode(kept);
  }

  std::string token_bytes(TokenId id) const override {
    if (!parts_.vocabulary->contains(id)) return {};
    return parts_.model->bytes(id);
  }

  bool is_special(TokenId id) const override { return special_.contains(id); }

  std::optional<TokenId> find(std::string_view token) const override {
    return parts_.vocabulary->find(token);
  }

  std::int64_t vocab_size() const override { return parts_.vocabulary->size(); }

  std::optional<TokenId> bos() const override { return parts_.bos; }
  std::optional<TokenId> eos() const override { return parts_.eos; }

 private:
  void encode_text(
      std::string_view text,
      bool parse_special,
      std::vector<TokenId>& ids) const {
    for (const auto& segment : in_raw_text_.split(text, parse_special)) {
      if (segment.token) {
        ids.push_back(*segment.token);
      } else if (parts_.normalizer.empty()) {
        encode_normalised(segment.text, parse_special, ids);
      } else {
        encode_normalised(
            normalise_by(segment.text, parts_.normalizer), parse_special, ids);
      }
    }
  }

  void encode_normalised(
      std::string_view text,
      bool parse_special,
      std::vector<TokenId>& ids) const {
    for (const auto& segment : in_normalised_text_.split(text, parse_special)) {
      if (segment.token) {
        ids.push_back(*segment.token);
      } else {
        parts_.model->encode(segment.text, ids);
      }
    }
  }

  Pipeline parts_;
  AddedTokenFinder in_raw_text_;
  AddedTokenFinder in_normalised_text_;
  std::unordered_set<TokenId> special_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(Pipeline pipeline) {
  return std::make_unique<PipelineTokenizer>(std::move(pipeline));
}

}  // namespace moft
