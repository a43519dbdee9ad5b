// Byte-level BPE as a token model.
#include "moft/tokenizers/bpe_model.h"

#include "moft/tokenizers/unicode.h"

namespace moft {
namespace {

class BpeSink final : public PieceSink {
 public:
  BpeSink(const ByteBpe& bpe, std::vector<TokenId>& ids)
      : bpe_(bpe), ids_(ids) {}
  void piece(std::string_view piece) override { bpe_.encode(piece, ids_); }

 private:
  const ByteBpe& bpe_;
  std::vector<TokenId>& ids_;
};

}  // namespace

BpeModel::BpeModel(
    std::shared_ptr<const Vocabulary> vocabulary,
    PreTokenizer pre_tokenizer,
    ByteBpeSpec spec)
    : vocabulary_(std::move(vocabulary)),
      pre_tokenizer_(std::move(pre_tokenizer)),
      bpe_(std::move(spec)) {}

void BpeModel::encode(
    std::string_view text, bool at_start, std::vector<TokenId>& ids) const {
  BpeSink sink(bpe_, ids);
  PreTokenizerRun(pre_tokenizer_, sink).split(text, at_start);
}

std::string BpeModel::decode(std::span<const TokenId> ids) const {
  std::string joined;
  for (const TokenId id : ids)
    joined += bytes(id);
  return is_utf8(joined) ? joined : replace_invalid_utf8(joined);
}

std::string BpeModel::bytes(TokenId id) const {
  const std::string& written = vocabulary_->written(id);
  return bytes_of_written(written).value_or(written);
}

}  // namespace moft
