// BERT's tokenizer.
#include "moft/tokenizers/word_piece.h"

#include <algorithm>

#include "moft/tokenizers/pipeline.h"
#include "moft/tokenizers/unicode.h"

namespace moft {
namespace {

bool is_ideograph(char32_t value) {
  // The blocks of BERT's reference code; the gap before U+2B920 is Hugging
  // Face's, and ids follow it.
  return (value >= 0x4e00 && value <= 0x9fff) ||
         (value >= 0x3400 && value <= 0x4dbf) ||
         (value >= 0x20000 && value <= 0x2a6df) ||
         (value >= 0x2a700 && value <= 0x2b73f) ||
         (value >= 0x2b740 && value <= 0x2b81f) ||
         (value >= 0x2b920 && value <= 0x2ceaf) ||
         (value >= 0xf900 && value <= 0xfaff) ||
         (value >= 0x2f800 && value <= 0x2fa1f);
}

bool is_bert_punctuation(char32_t value) {
  if (value < 0x80) {
    return (value >= '!' && value <= '/') || (value >= ':' && value <= '@') ||
           (value >= '[' && value <= '`') || (value >= '{' && value <= '~');
  }
  return is_punctuation(value);
}

// Calls use(code point) for every code point of `text`.
template <typename Use>
void for_each(std::string_view text, Use use) {
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    use(point.value);
    at += point.length;
  }
}

std::string clean(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for_each(text, [&](char32_t value) {
    if (value == '\t' || value == '\n' || value == '\r') {
      result.push_back(' ');
    } else if (value == 0 || value == 0xfffd || is_other(value)) {
      return;
    } else if (is_white_space(value)) {
      result.push_back(' ');
    } else {
      append_utf8(result, value);
    }
  });
  return result;
}

std::string space_ideographs(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for_each(text, [&](char32_t value) {
    const bool apart = is_ideograph(value);
    if (apart) result.push_back(' ');
    append_utf8(result, value);
    if (apart) result.push_back(' ');
  });
  return result;
}

std::string without_accents(std::string_view text) {
  std::string result;
  const std::string parts = normalise(text, NormalForm::kNfd);
  result.reserve(parts.size());
  for_each(parts, [&](char32_t value) {
    if (!is_nonspacing_mark(value)) append_utf8(result, value);
  });
  return result;
}

std::string lowered(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for_each(text, [&](char32_t value) { append_lower(result, value); });
  return result;
}

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
      }));
}

}  // namespace

std::string normalise_bert(std::string_view text, const BertNormalizer& rules) {
  std::string result(text);
  if (rules.clean_text) result = clean(result);
  const bool ascii = std::all_of(result.begin(), result.end(), [](char byte) {
    return static_cast<unsigned char>(byte) < 0x80;
  });
  if (rules.space_ideographs && !ascii) result = space_ideographs(result);
  if (rules.strip_accents && !ascii) result = without_accents(result);
  if (rules.lowercase) result = lowered(result);
  return result;
}

WordPieceModel::WordPieceModel(
    std::shared_ptr<const Vocabulary> vocabulary, WordPieceSpec spec)
    : vocabulary_(std::move(vocabulary)), spec_(std::move(spec)) {
  for (TokenId id = 0; id < vocabulary_->size(); ++id) {
    if (!vocabulary_->contains(id)) continue;
    longest_token_ = std::max(longest_token_, vocabulary_->written(id).size());
  }
}

void WordPieceModel::encode(
    std::string_view text, bool /*at_start*/, std::vector<TokenId>& ids) const {
  std::size_t begin = 0;
  const auto finish = [&](std::size_t end) {
    if (end > begin) encode_word(text.substr(begin, end - begin), ids);
  };
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    const std::size_t after = at + point.length;
    if (is_white_space(point.value)) {
      finish(at);
      begin = after;
    } else if (is_bert_punctuation(point.value)) {
      finish(at);
      begin = at;
      finish(after);
      begin = after;
    }
    at = after;
  }
  finish(text.size());
}

void WordPieceModel::encode_word(
    std::string_view word, std::vector<TokenId>& ids) const {
  const std::size_t first = ids.size();
  if (word.size() > spec_.longest_word &&
      count_code_points(word) > spec_.longest_word) {
    ids.push_back(spec_.unknown);
    return;
  }
  std::string key;
  for (std::size_t begin = 0; begin < word.size();) {
    key = begin == 0 ? std::string() : spec_.prefix;
    const std::size_t prefix = key.size();
    key.append(word.substr(begin, longest_token_));
    std::optional<TokenId> found;
    while (key.size() > prefix) {
      found = vocabulary_->find(key);
      if (found) break;
      key.pop_back();
    }
    if (!found) {
      ids.resize(first);
      ids.push_back(spec_.unknown);
      return;
    }
    ids.push_back(*found);
    begin += key.size() - prefix;
  }
}

std::string WordPieceModel::decode(std::span<const TokenId> ids) const {
  std::string text;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::string token = vocabulary_->written(ids[i]);
    if (i > 0) {
      if (token.starts_with(spec_.prefix)) {
        token.erase(0, spec_.prefix.size());
      } else {
        token.insert(0, 1, ' ');
      }
    }
    if (spec_.clean_up) {
      // Per token, as Hugging Face does it, not over the whole text.
      clean_up_text(token);
      replace_in_text(token, " do not", " don't");
    }
    text += token;
  }
  return text;
}

std::string WordPieceModel::bytes(TokenId id) const {
  const std::string& written = vocabulary_->written(id);
  if (written.starts_with(spec_.prefix)) {
    return written.substr(spec_.prefix.size());
  }
  return written;
}

}  // namespace moft
