// Pre-tokeniser, encoder, decoder.
#include "moft/tokenizers/piece_model.h"

namespace moft {
namespace {

class EncoderSink final : public PieceSink {
 public:
  EncoderSink(const PieceEncoder& encoder, std::vector<TokenId>& ids)
      : encoder_(encoder), ids_(ids) {}
  void piece(std::string_view piece) override { encoder_.encode(piece, ids_); }

 private:
  const PieceEncoder& encoder_;
  std::vector<TokenId>& ids_;
};

}  // namespace

PieceModel::PieceModel(
    std::shared_ptr<const Vocabulary> vocabulary,
    PreTokenizer pre_tokenizer,
    std::unique_ptr<const PieceEncoder> encoder,
    TokenDecoder decoder)
    : vocabulary_(std::move(vocabulary)),
      pre_tokenizer_(std::move(pre_tokenizer)),
      encoder_(std::move(encoder)),
      decoder_(std::move(decoder)) {}

void PieceModel::encode(
    std::string_view text, bool at_start, std::vector<TokenId>& ids) const {
  EncoderSink sink(*encoder_, ids);
  PreTokenizerRun(pre_tokenizer_, sink).split(text, at_start);
}

std::string PieceModel::decode(std::span<const TokenId> ids) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const TokenId id : ids)
    tokens.push_back(vocabulary_->written(id));
  return decoder_.decode(std::move(tokens));
}

std::string PieceModel::bytes(TokenId id) const {
  return decoder_.bytes(vocabulary_->written(id));
}

}  // namespace moft
