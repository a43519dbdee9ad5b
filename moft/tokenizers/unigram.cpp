// The best cut by scores.
#include "moft/tokenizers/unigram.h"

#include <algorithm>
#include <bit>

#include "moft/tokenizers/unicode.h"

namespace moft {
namespace {

// What an unknown character costs below the least probable token.
constexpr double kUnknownPenalty = 10.0;

std::size_t bytes_of_all(const std::vector<VocabularyEntry>& pieces) {
  std::size_t bytes = 0;
  for (const VocabularyEntry& piece : pieces)
    bytes += piece.written.size();
  return bytes;
}

std::uint64_t edge_hash(std::uint64_t key) {
  key *= 0x9e3779b97f4a7c15;
  return key ^ (key >> 32);
}

// The best way to get to a place of the piece.
struct PathNode {
  double score = 0;
  std::size_t begin = 0;  // of the last token
  TokenId id = -1;        // of it; -1: no way yet
};

}  // namespace

ByteTrie::ByteTrie(std::size_t bytes)
    : edges_(std::bit_ceil(2 * bytes + 16)), ids_(1, -1) {}

ByteTrie::Edge& ByteTrie::slot(std::uint32_t node, char byte) {
  const std::uint64_t key = (static_cast<std::uint64_t>(node) << 8 |
                             static_cast<unsigned char>(byte)) +
                            1;
  const std::size_t mask = edges_.size() - 1;
  std::size_t at = edge_hash(key) & mask;
  while (edges_[at].key != 0 && edges_[at].key != key)
    at = (at + 1) & mask;
  if (edges_[at].key == 0) {
    edges_[at] = {key, static_cast<std::uint32_t>(ids_.size())};
    ids_.push_back(-1);
  }
  return edges_[at];
}

void ByteTrie::insert(std::string_view text, TokenId id) {
  std::uint32_t node = kRoot;
  for (const char byte : text)
    node = slot(node, byte).node;
  ids_[node] = id;
}

std::uint32_t ByteTrie::next(std::uint32_t node, char byte) const {
  const std::uint64_t key = (static_cast<std::uint64_t>(node) << 8 |
                             static_cast<unsigned char>(byte)) +
                            1;
  const std::size_t mask = edges_.size() - 1;
  for (std::size_t at = edge_hash(key) & mask; edges_[at].key != 0;
       at = (at + 1) & mask) {
    if (edges_[at].key == key) return edges_[at].node;
  }
  return kNone;
}

Unigram::Unigram(UnigramSpec spec)
    : spec_(std::move(spec)), trie_(bytes_of_all(spec_.pieces)) {
  for (const VocabularyEntry& piece : spec_.pieces) {
    if (!piece.written.empty()) trie_.insert(piece.written, piece.id);
  }
  spec_.pieces.clear();
}

void Unigram::encode(std::string_view piece, std::vector<TokenId>& ids) const {
  const double unknown = spec_.lowest_score - kUnknownPenalty;
  std::vector<PathNode> best(piece.size() + 1);
  const auto offer = [&](std::size_t end, PathNode way) {
    if (best[end].id < 0 || way.score > best[end].score) best[end] = way;
  };
  for (std::size_t begin = 0; begin < piece.size();) {
    const std::size_t length = code_point_at(piece, begin).length;
    const double so_far = best[begin].score;
    bool whole_character = false;
    std::uint32_t node = ByteTrie::kRoot;
    for (std::size_t end = begin; end < piece.size();) {
      node = trie_.next(node, piece[end++]);
      if (node == ByteTrie::kNone) break;
      const TokenId id = trie_.at(node);
      if (id < 0) continue;
      offer(end, {spec_.scores[id] + so_far, begin, id});
      whole_character = whole_character || end - begin == length;
    }
    if (!whole_character)
      offer(begin + length, {unknown + so_far, begin, spec_.unknown});
    begin += length;
  }
  // Backwards; neighbouring unknown characters are one token.
  const std::size_t first = ids.size();
  std::vector<TokenId> bytes;
  for (std::size_t end = piece.size(); end > 0;) {
    std::size_t begin = best[end].begin;
    if (best[end].id != spec_.unknown) {
      ids.push_back(best[end].id);
      end = begin;
      continue;
    }
    while (begin > 0 && best[begin].id == spec_.unknown)
      begin = best[begin].begin;
    bytes.clear();
    if (!spec_.bytes.append(piece.substr(begin, end - begin), bytes))
      bytes.push_back(spec_.unknown);
    ids.insert(ids.end(), bytes.rbegin(), bytes.rend());
    end = begin;
  }
  std::reverse(ids.begin() + static_cast<std::ptrdiff_t>(first), ids.end());
}

}  // namespace moft
