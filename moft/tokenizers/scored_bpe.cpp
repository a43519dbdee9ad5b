// BPE by score, as SentencePiece does it.
#include "moft/tokenizers/scored_bpe.h"

#include <queue>
#include <tuple>

#include "moft/tokenizers/unicode.h"

namespace moft {
namespace {

constexpr std::size_t kNoSymbol = static_cast<std::size_t>(-1);

// A stretch of the piece; length 0 once its left neighbour swallowed it.
struct SpmSymbol {
  std::size_t begin;
  std::size_t length;
  std::size_t previous;
  std::size_t next;
};

struct SpmPair {
  float score;
  std::size_t left;
  std::size_t right;
  std::size_t length;  // of both when the pair was found
  // The best pair is the greatest.
  bool operator<(const SpmPair& other) const {
    return std::tie(score, other.left) < std::tie(other.score, left);
  }
};

std::vector<SpmSymbol> characters_of(std::string_view piece) {
  std::vector<SpmSymbol> symbols;
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t length = code_point_at(piece, at).length;
    const std::size_t index = symbols.size();
    symbols.push_back(
        {at, length, index == 0 ? kNoSymbol : index - 1, index + 1});
    at += length;
  }
  if (!symbols.empty()) symbols.back().next = kNoSymbol;
  return symbols;
}

}  // namespace

ScoredBpe::ScoredBpe(ScoredBpeSpec spec, std::string_view place)
    : spec_(std::move(spec)), pieces_(std::move(spec_.pieces), place) {}

void ScoredBpe::encode(
    std::string_view piece, std::vector<TokenId>& ids) const {
  std::vector<SpmSymbol> symbols = characters_of(piece);
  std::priority_queue<SpmPair> queue;
  const auto consider = [&](std::size_t left) {
    if (left == kNoSymbol || symbols[left].next == kNoSymbol) return;
    const std::size_t right = symbols[left].next;
    const std::size_t length = symbols[left].length + symbols[right].length;
    const auto id = pieces_.find(piece.substr(symbols[left].begin, length));
    if (!id) return;
    queue.push({spec_.scores[*id], left, right, length});
  };
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
    consider(i);
  while (!queue.empty()) {
    const SpmPair best = queue.top();
    queue.pop();
    SpmSymbol& left = symbols[best.left];
    SpmSymbol& right = symbols[best.right];
    // A pair that was found before one of the two changed is no longer there.
    const bool gone = left.length == 0 || right.length == 0 ||
                      left.length + right.length != best.length;
    if (gone) continue;
    left.length += right.length;
    right.length = 0;
    left.next = right.next;
    if (left.next != kNoSymbol) symbols[left.next].previous = best.left;
    consider(left.previous);
    consider(best.left);
  }
  bool after_unknown = false;
  for (std::size_t i = 0; i < symbols.size(); i = symbols[i].next) {
    const std::string_view text =
        piece.substr(symbols[i].begin, symbols[i].length);
    const std::size_t before = ids.size();
    if (const auto id = pieces_.find(text)) {
      ids.push_back(*id);
    } else if (!spec_.bytes.append(text, ids) && spec_.unknown) {
      ids.push_back(*spec_.unknown);
    }
    const bool unknown = ids.size() == before + 1 && spec_.unknown &&
                         ids.back() == *spec_.unknown;
    if (unknown && after_unknown) ids.pop_back();
    after_unknown = unknown;
  }
}

}  // namespace moft
