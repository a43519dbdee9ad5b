// Finds added tokens in text.
#include "moft/tokenizers/added_tokens.h"

#include <algorithm>

#include "moft/tokenizers/unicode.h"

namespace moft {
namespace {

std::uint64_t edge(std::uint32_t node, char byte) {
  return (static_cast<std::uint64_t>(node) << 8) |
         static_cast<unsigned char>(byte);
}

// Where the code point that ends at `end` begins.
std::size_t code_point_before(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
    --at;
  return at;
}

bool word_before(std::string_view text, std::size_t at) {
  if (at == 0) return false;
  return is_word(code_point_at(text, code_point_before(text, at)).value);
}

bool word_after(std::string_view text, std::size_t at) {
  return at < text.size() && is_word(code_point_at(text, at).value);
}

std::size_t skip_space_back(std::string_view text, std::size_t at) {
  while (at > 0) {
    const std::size_t before = code_point_before(text, at);
    if (!is_white_space(code_point_at(text, before).value)) break;
    at = before;
  }
  return at;
}

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const CodePoint point = code_point_at(text, at);
    if (!is_white_space(point.value)) break;
    at += point.length;
  }
  return at;
}

}  // namespace

std::unordered_set<TokenId> special_ids(const std::vector<AddedToken>& tokens) {
  std::unordered_set<TokenId> ids;
  for (const AddedToken& token : tokens) {
    if (token.special) ids.insert(token.id);
  }
  return ids;
}

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)), token_of_(1, -1) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& content = tokens_[i].content;
    if (content.empty()) continue;
    starts_[static_cast<unsigned char>(content[0])] = true;
    std::uint32_t node = 0;
    for (const char byte : content) {
      const auto fresh = static_cast<std::uint32_t>(token_of_.size());
      const auto [place, inserted] =
          edges_.try_emplace(edge(node, byte), fresh);
      if (inserted) token_of_.push_back(-1);
      node = place->second;
    }
    if (token_of_[node] < 0) token_of_[node] = static_cast<std::int32_t>(i);
  }
}

AddedTokenFinder::Found AddedTokenFinder::longest_at(
    std::string_view text, std::size_t at) const {
  Found found;
  std::uint32_t node = 0;
  for (std::size_t end = at; end < text.size();) {
    const auto next = edges_.find(edge(node, text[end]));
    if (next == edges_.end()) break;
    node = next->second;
    ++end;
    if (token_of_[node] >= 0) {
      found = {&tokens_[token_of_[node]], end - at};
    }
  }
  return found;
}

std::vector<Segment> AddedTokenFinder::split(
    std::string_view text, bool parse_special) const {
  std::vector<Segment> segments;
  std::size_t done = 0;
  const auto first_match = [&](std::size_t at) {
    while (at < text.size() && !starts_[static_cast<unsigned char>(text[at])]) {
      ++at;
    }
    return at;
  };
  for (std::size_t at = first_match(0); at < text.size();) {
    const Found found = longest_at(text, at);
    if (found.token == nullptr) {
      at = first_match(at + 1);
      continue;
    }
    const AddedToken& token = *found.token;
    std::size_t begin = at;
    std::size_t end = at + found.length;
    at = first_match(end);
    if (token.special && !parse_special) continue;
    if (token.single_word &&
        (word_before(text, begin) || word_after(text, end)))
      continue;
    if (token.left_strip) begin = std::max(skip_space_back(text, begin), done);
    if (token.right_strip) end = skip_space(text, end);
    if (begin > done) {
      segments.push_back({text.substr(done, begin - done), std::nullopt});
    }
    segments.push_back({text.substr(begin, end - begin), token.id});
    done = end;
  }
  if (done < text.size()) segments.push_back({text.substr(done), std::nullopt});
  return segments;
}

}  // namespace moft
