// Merges bytes by rank.
#include "moft/tokenizers/byte_bpe.h"

#include <algorithm>
#include <queue>
#include <tuple>

#include "moft/tokenizers/unicode.h"

namespace moft {
namespace {

// Above this many symbols a heap beats scanning for the lowest rank.
constexpr std::size_t kScanLimit = 48;

// GPT-2's alphabet: printable Latin-1 bytes stand for themselves, the other 68
// are U+0100 onwards.
struct ByteAlphabet {
  std::array<int, 0x144> byte{};

  ByteAlphabet() {
    byte.fill(-1);
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool plain = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) ||
                         (b >= 0xae && b <= 0xff);
      byte[plain ? static_cast<char32_t>(b) : next++] = b;
    }
  }
};

const ByteAlphabet& alphabet() {
  static const ByteAlphabet instance;
  return instance;
}

std::uint64_t pair_key(TokenId left, TokenId right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
         static_cast<std::uint32_t>(right);
}

std::size_t pair_hash(std::uint64_t key) {
  key *= 0x9e3779b97f4a7c15;
  key ^= key >> 29;
  key *= 0xbf58476d1ce4e5b9;
  return static_cast<std::size_t>(key ^ (key >> 32));
}

}  // namespace

std::optional<std::string> bytes_of_written(std::string_view written) {
  std::string bytes;
  bytes.reserve(written.size());
  for (std::size_t at = 0; at < written.size();) {
    const CodePoint point = code_point_at(written, at);
    at += point.length;
    if (point.value >= alphabet().byte.size()) return std::nullopt;
    const int byte = alphabet().byte[point.value];
    if (byte < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

std::optional<BpeMerge> find_merge(
    const Vocabulary& vocabulary,
    const std::string& left,
    const std::string& right) {
  const auto left_id = vocabulary.find(left);
  const auto right_id = vocabulary.find(right);
  const auto result = vocabulary.find(left + right);
  if (!left_id || !right_id || !result) return std::nullopt;
  return BpeMerge{*left_id, *right_id, *result};
}

ByteBpe::ByteBpe(ByteBpeSpec spec)
    : spec_(std::move(spec)), whole_(spec_.pieces.size()) {
  byte_ids_.fill(-1);
  const auto count = static_cast<TokenId>(spec_.pieces.size());
  for (TokenId id = 0; id < count; ++id) {
    const std::string& piece = spec_.pieces[id];
    if (piece.size() == 1) {
      byte_ids_[static_cast<unsigned char>(piece[0])] = id;
    }
  }
  std::size_t size = 16;
  while (size < spec_.merges.size() * 2)
    size *= 2;
  pairs_.resize(size);
  for (std::size_t rank = 0; rank < spec_.merges.size(); ++rank) {
    add_pair(spec_.merges[rank], static_cast<std::uint32_t>(rank));
  }
  // Most pieces of real text are whole tokens. Where merging would arrive at
  // that token anyway, one look-up replaces the merging.
  std::vector<TokenId> ids;
  for (TokenId id = 0; id < count; ++id) {
    const std::string& piece = spec_.pieces[id];
    if (piece.empty()) continue;
    if (!spec_.ignore_merges) {
      ids.clear();
      merge_bytes(piece, ids);
      if (ids.size() != 1 || ids[0] != id) continue;
    }
    whole_.insert(spec_.pieces, id);
  }
}

void ByteBpe::add_pair(const BpeMerge& merge, std::uint32_t rank) {
  const std::uint64_t key = pair_key(merge.left, merge.right);
  const std::size_t mask = pairs_.size() - 1;
  std::size_t at = pair_hash(key) & mask;
  while (pairs_[at].result >= 0 && pairs_[at].key != key)
    at = (at + 1) & mask;
  pairs_[at] = {key, rank, merge.result};
}

ByteBpe::Pair ByteBpe::find_pair(TokenId left, TokenId right) const {
  const std::uint64_t key = pair_key(left, right);
  const std::size_t mask = pairs_.size() - 1;
  std::size_t at = pair_hash(key) & mask;
  for (; pairs_[at].result >= 0; at = (at + 1) & mask) {
    if (pairs_[at].key == key) return pairs_[at];
  }
  return {key, kNoRank, -1};
}

void ByteBpe::encode(std::string_view piece, std::vector<TokenId>& ids) const {
  if (piece.empty()) return;
  const TokenId whole = whole_.find(spec_.pieces, piece);
  if (whole >= 0) {
    ids.push_back(whole);
  } else {
    merge_bytes(piece, ids);
  }
}

void ByteBpe::merge_bytes(
    std::string_view piece, std::vector<TokenId>& ids) const {
  const std::size_t first = ids.size();
  bool after_unknown = false;
  for (const char byte : piece) {
    const TokenId id = byte_ids_[static_cast<unsigned char>(byte)];
    if (id >= 0) {
      ids.push_back(id);
      after_unknown = false;
    } else if (spec_.unknown && !(after_unknown && spec_.fuse_unknown)) {
      ids.push_back(*spec_.unknown);
      after_unknown = true;
    }
  }
  merge(ids, first);
}

void ByteBpe::merge(std::vector<TokenId>& ids, std::size_t first) const {
  if (ids.size() - first <= kScanLimit) {
    merge_short(ids, first);
  } else {
    merge_long(ids, first);
  }
}

void ByteBpe::merge_short(std::vector<TokenId>& ids, std::size_t first) const {
  std::size_t count = ids.size() - first;
  if (count < 2) return;
  TokenId* symbols = ids.data() + first;
  // pairs[i] is what symbols i and i + 1 would become.
  std::array<std::uint32_t, kScanLimit> ranks;
  std::array<TokenId, kScanLimit> results;
  const auto look_up = [&](std::size_t i) {
    const Pair pair = find_pair(symbols[i], symbols[i + 1]);
    ranks[i] = pair.rank;
    results[i] = pair.result;
  };
  for (std::size_t i = 0; i + 1 < count; ++i)
    look_up(i);
  while (count > 1) {
    const auto end = ranks.begin() + (count - 1);
    const auto lowest = std::min_element(ranks.begin(), end);
    if (*lowest == kNoRank) break;
    const auto at = static_cast<std::size_t>(lowest - ranks.begin());
    symbols[at] = results[at];
    --count;
    for (std::size_t i = at + 1; i < count; ++i)
      symbols[i] = symbols[i + 1];
    for (std::size_t i = at; i + 1 < count; ++i) {
      ranks[i] = ranks[i + 1];
      results[i] = results[i + 1];
    }
    if (at + 1 < count) look_up(at);
    if (at > 0) look_up(at - 1);
  }
  ids.resize(first + count);
}

void ByteBpe::merge_long(std::vector<TokenId>& ids, std::size_t first) const {
  struct Candidate {
    std::uint32_t rank;
    std::size_t at;
    TokenId left, right, result;
    bool operator>(const Candidate& other) const {
      return std::tie(rank, at) > std::tie(other.rank, other.at);
    }
  };
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  const std::size_t count = ids.size() - first;
  TokenId* symbols = ids.data() + first;  // -1: merged into its left neighbour
  std::vector<std::size_t> previous(count), next(count);
  std::
      priority_queue<Candidate, std::vector<Candidate>, std::greater<Candidate>>
          queue;
  const auto consider = [&](std::size_t at) {
    if (at == kNone || next[at] == kNone) return;
    const TokenId left = symbols[at], right = symbols[next[at]];
    const Pair pair = find_pair(left, right);
    if (pair.result < 0) return;
    queue.push({pair.rank, at, left, right, pair.result});
  };
  for (std::size_t i = 0; i < count; ++i) {
    previous[i] = i == 0 ? kNone : i - 1;
    next[i] = i + 1 == count ? kNone : i + 1;
  }
  for (std::size_t i = 0; i < count; ++i)
    consider(i);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    const std::size_t right = next[top.at];
    // Stale candidates name symbols that are no longer there.
    if (symbols[top.at] != top.left || right == kNone) continue;
    if (symbols[right] != top.right) continue;
    symbols[top.at] = top.result;
    symbols[right] = -1;
    next[top.at] = next[right];
    if (next[right] != kNone) previous[next[right]] = top.at;
    next[right] = kNone;
    consider(previous[top.at]);
    consider(top.at);
  }
  const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(first);
  ids.erase(std::remove(begin, ids.end(), -1), ids.end());
}

}  // namespace moft
