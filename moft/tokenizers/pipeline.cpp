// From text to ids and back, step by step.
#include "moft/tokenizers/pipeline.h"

#include <unordered_set>

namespace moft {
namespace {

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
        in_normalised_text_(choose(parts_.added, true, parts_.normalizer)),
        special_(special_ids(parts_.added)) {}

  std::vector<TokenId> encode(
      std::string_view text, const EncodeOptions& options) const override {
    std::vector<TokenId> ids;
    if (options.add_special) ids = parts_.prefix;
    if (is_utf8(text)) {
      encode_text(text, options, ids);
    } else {
      encode_text(replace_invalid_utf8(text), options, ids);
    }
    const bool ended =
        parts_.ends_once && !ids.empty() && ids.back() == parts_.suffix.front();
    if (options.add_special && !ended) {
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
    std::string text = parts_.model->decode(kept);
    if (parts_.clean_up) clean_up_text(text);
    return text;
  }

  std::string token_bytes(TokenId id) const override {
    if (!parts_.vocabulary->contains(id)) return {};
    if (is_special(id)) return parts_.vocabulary->written(id);
    return parts_.model->bytes(id);
  }

  bool is_special(TokenId id) const override { return special_.contains(id); }

  std::optional<TokenId> find(std::string_view token) const override {
    return parts_.vocabulary->find(token);
  }

  std::int64_t vocab_size() const override { return parts_.vocabulary->size(); }

  std::optional<TokenId> bos() const override { return parts_.bos; }
  std::optional<TokenId> eos() const override { return parts_.eos; }
  std::optional<TokenId> prompt_end() const override {
    return parts_.prompt_end;
  }

 private:
  void encode_text(
      std::string_view text,
      const EncodeOptions& options,
      std::vector<TokenId>& ids) const {
    const bool parse_special = options.parse_special;
    for (const auto& segment : in_raw_text_.split(text, parse_special)) {
      const bool at_start =
          options.at_start && segment.text.data() == text.data();
      if (segment.token) {
        ids.push_back(*segment.token);
      } else if (parts_.normalizer.empty()) {
        encode_normalised({segment.text, at_start}, parse_special, ids);
      } else {
        const std::string normalised =
            normalise_by(segment.text, parts_.normalizer);
        encode_normalised({normalised, at_start}, parse_special, ids);
      }
    }
  }

  struct Stretch {
    std::string_view text;
    bool at_start;  // nothing comes before it
  };

  void encode_normalised(
      const Stretch& stretch,
      bool parse_special,
      std::vector<TokenId>& ids) const {
    for (const auto& segment :
         in_normalised_text_.split(stretch.text, parse_special)) {
      if (segment.token) {
        ids.push_back(*segment.token);
      } else {
        const bool at_start =
            stretch.at_start && segment.text.data() == stretch.text.data();
        parts_.model->encode(segment.text, at_start, ids);
      }
    }
  }

  Pipeline parts_;
  AddedTokenFinder in_raw_text_;
  AddedTokenFinder in_normalised_text_;
  std::unordered_set<TokenId> special_;
};

}  // namespace

void clean_up_text(std::string& text) {
  for (const std::string_view mark : {".", "?", "!", ","})
    replace_in_text(text, " " + std::string(mark), mark);
  replace_in_text(text, " ' ", "'");
  for (const std::string_view ending : {"n't", "'m", "'s", "'ve", "'re"})
    replace_in_text(text, " " + std::string(ending), ending);
}

std::unique_ptr<Tokenizer> make_tokenizer(Pipeline pipeline) {
  return std::make_unique<PipelineTokenizer>(std::move(pipeline));
}

}  // namespace moft
