// BPE on characters.
#include "moft/tokenizers/char_bpe.h"

#include "moft/tokenizers/unicode.h"

namespace moft {
namespace {

ByteBpeSpec merges_alone(std::vector<BpeMerge> merges) {
  ByteBpeSpec spec;
  spec.merges = std::move(merges);
  return spec;
}

}  // namespace

CharBpe::CharBpe(CharBpeSpec spec)
    : spec_(std::move(spec)), merges_(merges_alone(std::move(spec_.merges))) {
  if (spec_.byte_fallback) bytes_ = ByteTokens(spec_.vocabulary);
}

void CharBpe::encode(std::string_view piece, std::vector<TokenId>& ids) const {
  if (spec_.ignore_merges) {
    if (const auto whole = spec_.vocabulary.find(piece)) {
      ids.push_back(*whole);
      return;
    }
  }
  const std::size_t first = ids.size();
  // An unknown token is written when the next known character follows, so that
  // several can become one. Bytes in between come before it, as in
  // `tokenizers`.
  bool unknown = false;
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t length = code_point_at(piece, at).length;
    const std::string_view character = piece.substr(at, length);
    at += length;
    if (const auto id = spec_.vocabulary.find(character)) {
      if (unknown) ids.push_back(*spec_.unknown);
      unknown = false;
      ids.push_back(*id);
      continue;
    }
    if (bytes_.append(character, ids)) continue;
    if (!spec_.unknown) continue;
    if (unknown && !spec_.fuse_unknown) ids.push_back(*spec_.unknown);
    unknown = true;
  }
  if (unknown) ids.push_back(*spec_.unknown);
  merges_.merge(ids, first);
}

}  // namespace moft
