// Tokens by id and by text.
#include "moft/tokenizers/vocabulary.h"

#include <algorithm>
#include <cstring>

#include "moft/core/errors.h"

namespace moft {
namespace {

std::uint64_t mix(std::uint64_t value) {
  value ^= value >> 32;
  value *= 0xd6e8feb86659fd93;
  value ^= value >> 32;
  return value;
}

std::uint64_t hash_bytes(std::string_view key) {
  std::uint64_t hash = key.size() * 0x9e3779b97f4a7c15;
  std::size_t at = 0;
  for (; at + 8 <= key.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, key.data() + at, 8);
    hash = mix(hash ^ word) + 0x9e3779b97f4a7c15;
  }
  std::uint64_t tail = 0;
  if (at < key.size()) std::memcpy(&tail, key.data() + at, key.size() - at);
  return mix(mix(hash ^ tail));
}

}  // namespace

StringIndex::StringIndex(std::size_t capacity) {
  std::size_t size = 16;
  while (size < capacity * 2)
    size *= 2;
  slots_.resize(size);
}

bool StringIndex::insert(const std::vector<std::string>& strings, TokenId id) {
  const std::string& key = strings[id];
  const std::uint64_t hash = hash_bytes(key);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (; slots_[at].id >= 0; at = (at + 1) & mask) {
    if (slots_[at].tag == tag && strings[slots_[at].id] == key) return false;
  }
  slots_[at] = {tag, id};
  return true;
}

TokenId StringIndex::find(
    const std::vector<std::string>& strings, std::string_view key) const {
  const std::uint64_t hash = hash_bytes(key);
  const std::size_t mask = slots_.size() - 1;
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t at = hash & mask; slots_[at].id >= 0; at = (at + 1) & mask) {
    if (slots_[at].tag == tag && strings[slots_[at].id] == key) {
      return slots_[at].id;
    }
  }
  return -1;
}

Vocabulary::Vocabulary(
    std::vector<VocabularyEntry> entries, std::string_view place)
    : index_(entries.size()) {
  if (entries.empty()) {
    throw_caller_error("{}: the vocabulary is empty; give a whole file", place);
  }
  TokenId largest = 0;
  for (const auto& entry : entries) {
    largest = std::max(largest, entry.id);
    if (entry.id < 0) {
      throw_caller_error(
          "{}: token '{}' has the id {}; ids start at 0",
          place,
          entry.written,
          entry.id);
    }
  }
  const std::size_t limit = 2 * entries.size() + 65536;
  if (static_cast<std::size_t>(largest) >= limit) {
    throw_caller_error(
        "{}: the largest id is {} but there are only {} tokens; fix the ids",
        place,
        largest,
        entries.size());
  }
  written_.resize(static_cast<std::size_t>(largest) + 1);
  present_.resize(written_.size());
  for (auto& entry : entries) {
    if (present_[entry.id]) {
      throw_caller_error(
          "{}: id {} belongs to '{}' and to '{}'; give each its own",
          place,
          entry.id,
          written_[entry.id],
          entry.written);
    }
    present_[entry.id] = true;
    written_[entry.id] = std::move(entry.written);
    if (!index_.insert(written_, entry.id)) {
      throw_caller_error(
          "{}: token '{}' appears twice; keep one of the two (id {})",
          place,
          written_[entry.id],
          entry.id);
    }
  }
}

std::optional<TokenId> Vocabulary::find(std::string_view written) const {
  const TokenId id = index_.find(written_, written);
  if (id < 0) return std::nullopt;
  return id;
}

bool Vocabulary::contains(TokenId id) const {
  return id >= 0 && id < size() && present_[id];
}

}  // namespace moft
