// The reward kind `rouge`.
#include "moft/rewards/rouge.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "moft/rewards/porter_stemmer.h"
#include "moft/rewards/reward_context.h"

namespace moft {
namespace {

using Token = std::uint32_t;
using Tokens = std::vector<Token>;

bool is_token_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Turns words of two texts into numbers, equal for equal words.
class WordSplitter {
 public:
  explicit WordSplitter(bool stem) : stem_(stem) {}

  Tokens tokens(std::string_view text) {
    Tokens found;
    word_.clear();
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (is_token_byte(c)) {
        word_ += c;
      } else if (c >= 'A' && c <= 'Z') {
        word_ += static_cast<char>(c - 'A' + 'a');
      } else if (text.substr(i).starts_with("\u212a")) {
        word_ += 'k';  // the Kelvin sign lowers to k
        i += 2;
      } else if (text.substr(i).starts_with("\u0130")) {
        word_ += 'i';  // capital i with dot: i and a combining dot
        finish(found);
        i += 1;
      } else {
        finish(found);
      }
    }
    finish(found);
    return found;
  }

  // Above every number given so far.
  std::size_t size() const { return words_.size(); }

 private:
  void finish(Tokens& found) {
    if (word_.empty()) return;
    const auto next = static_cast<Token>(words_.size());
    const auto [word, is_new] = words_.try_emplace(word_, next);
    if (is_new && stem_) {  // the number of the first word with its stem
      const std::string stem = word_.size() > 3 ? porter_stem(word_) : word_;
      word->second = stems_.try_emplace(stem, next).first->second;
    }
    found.push_back(word->second);
    word_.clear();
  }

  bool stem_;
  std::string word_;
  std::unordered_map<std::string, Token> words_;  // in lower case
  std::unordered_map<std::string, Token> stems_;
};

RougeScore score_of(
    std::size_t hits, std::size_t candidate, std::size_t reference) {
  RougeScore score;
  if (candidate > 0)
    score.precision =
        static_cast<double>(hits) / static_cast<double>(candidate);
  if (reference > 0)
    score.recall = static_cast<double>(hits) / static_cast<double>(reference);
  const double sum = score.precision + score.recall;
  if (sum > 0) score.f1 = 2 * score.precision * score.recall / sum;
  return score;
}

std::vector<Tokens> sorted_n_grams(const Tokens& tokens, std::size_t n) {
  std::vector<Tokens> grams;
  for (std::size_t i = 0; i + n <= tokens.size(); ++i)
    grams.emplace_back(tokens.begin() + i, tokens.begin() + i + n);
  std::sort(grams.begin(), grams.end());
  return grams;
}

// The same for n = 1 and 2 in one number each.
std::vector<std::uint64_t> sorted_packed(const Tokens& tokens, std::size_t n) {
  std::vector<std::uint64_t> grams;
  for (std::size_t i = 0; i + n <= tokens.size(); ++i) {
    const std::uint64_t last = tokens[i + n - 1];
    grams.push_back(n == 1 ? last : std::uint64_t{tokens[i]} << 32 | last);
  }
  std::sort(grams.begin(), grams.end());
  return grams;
}

template <class Gram>
RougeScore score_sorted(
    const std::vector<Gram>& reference, const std::vector<Gram>& candidate) {
  std::size_t hits = 0;
  auto wanted = reference.begin();
  auto given = candidate.begin();
  while (wanted != reference.end() && given != candidate.end()) {
    if (*wanted < *given) {
      ++wanted;
    } else if (*given < *wanted) {
      ++given;
    } else {
      ++wanted, ++given, ++hits;
    }
  }
  return score_of(hits, candidate.size(), reference.size());
}

RougeScore score_n_grams(
    const Tokens& reference, const Tokens& candidate, std::size_t n) {
  if (n > 2)
    return score_sorted(
        sorted_n_grams(reference, n), sorted_n_grams(candidate, n));
  return score_sorted(sorted_packed(reference, n), sorted_packed(candidate, n));
}

// Lengths of longest common subsequences of all beginnings.
class LcsTable {
 public:
  LcsTable(const Tokens& reference, const Tokens& candidate)
      : reference_(reference),
        candidate_(candidate),
        width_(candidate.size() + 1),
        lengths_((reference.size() + 1) * width_, 0) {
    for (std::size_t i = 1; i <= reference.size(); ++i) {
      const std::uint32_t* above = &lengths_[(i - 1) * width_];
      std::uint32_t* row = &lengths_[i * width_];
      const Token token = reference[i - 1];
      for (std::size_t j = 1; j < width_; ++j) {
        row[j] = token == candidate[j - 1] ? above[j - 1] + 1
                                           : std::max(above[j], row[j - 1]);
      }
    }
  }

  std::size_t length() const { return lengths_.back(); }

  // Marks the reference tokens of one longest common subsequence.
  void mark(std::vector<bool>& marks) const {
    std::size_t i = reference_.size();
    std::size_t j = candidate_.size();
    while (i > 0 && j > 0) {
      if (reference_[i - 1] == candidate_[j - 1]) {
        marks[i - 1] = true;
        --i, --j;
      } else if (at(i, j - 1) > at(i - 1, j)) {
        --j;
      } else {
        --i;
      }
    }
  }

 private:
  std::uint32_t at(std::size_t i, std::size_t j) const {
    return lengths_[i * width_ + j];
  }

  const Tokens& reference_;
  const Tokens& candidate_;
  std::size_t width_;
  std::vector<std::uint32_t> lengths_;
};

std::vector<Tokens> sentences(std::string_view text, WordSplitter& tokenizer) {
  std::vector<Tokens> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) found.push_back(tokenizer.tokens(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

std::vector<std::size_t> counts(
    const std::vector<Tokens>& sentences, std::size_t vocabulary) {
  std::vector<std::size_t> result(vocabulary, 0);
  for (const Tokens& sentence : sentences) {
    for (const Token token : sentence)
      ++result[token];
  }
  return result;
}

std::size_t total(const std::vector<Tokens>& sentences) {
  std::size_t sum = 0;
  for (const Tokens& sentence : sentences)
    sum += sentence.size();
  return sum;
}

RougeScore score_union(
    const std::vector<Tokens>& reference,
    const std::vector<Tokens>& candidate,
    std::size_t vocabulary) {
  auto wanted = counts(reference, vocabulary);
  auto given = counts(candidate, vocabulary);
  std::size_t hits = 0;
  for (const Tokens& sentence : reference) {
    std::vector<bool> marks(sentence.size(), false);
    for (const Tokens& other : candidate)
      LcsTable(sentence, other).mark(marks);
    for (std::size_t i = 0; i < sentence.size(); ++i) {
      const Token token = sentence[i];
      if (!marks[i] || wanted[token] == 0 || given[token] == 0) continue;
      ++hits, --wanted[token], --given[token];
    }
  }
  return score_of(hits, total(candidate), total(reference));
}

std::string with_t5_newlines(std::string_view text) {
  constexpr std::string_view kEnd = " . ";
  std::string result;
  while (true) {
    const std::size_t at = text.find(kEnd);
    if (at == std::string_view::npos) break;
    result += text.substr(0, at);
    result += " .\n";
    text.remove_prefix(at + kEnd.size());
  }
  result += text;
  return result;
}

RougeScore score_prepared(
    RougeVariant variant,
    std::string_view reference,
    std::string_view candidate,
    bool stem) {
  WordSplitter tokenizer(stem);
  if (variant == RougeVariant::kLsum) {
    const auto wanted = sentences(reference, tokenizer);
    const auto given = sentences(candidate, tokenizer);
    return score_union(wanted, given, tokenizer.size());
  }
  const Tokens wanted = tokenizer.tokens(reference);
  const Tokens given = tokenizer.tokens(candidate);
  if (variant == RougeVariant::kL) {
    return score_of(
        LcsTable(wanted, given).length(), given.size(), wanted.size());
  }
  return score_n_grams(wanted, given, variant == RougeVariant::kOne ? 1 : 2);
}

}  // namespace

RougeScore rouge(
    RougeVariant variant,
    std::string_view reference,
    std::string_view candidate,
    const RougeTextOptions& options) {
  if (!options.t5_newlines)
    return score_prepared(variant, reference, candidate, options.stem);
  return score_prepared(
      variant,
      with_t5_newlines(reference),
      with_t5_newlines(candidate),
      options.stem);
}

RougeScore rouge_n(
    int n,
    std::string_view reference,
    std::string_view candidate,
    const RougeTextOptions& options) {
  WordSplitter tokenizer(options.stem);  // sentence ends change no token
  const Tokens wanted = tokenizer.tokens(reference);
  return score_n_grams(
      wanted, tokenizer.tokens(candidate), static_cast<std::size_t>(n));
}

RougeReward::RougeReward(std::string name, const RougeOptions& options)
    : Reward(std::move(name)), options_(options) {}

std::vector<double> RougeReward::compute(
    const RewardBatch& batch, RewardMemo&) const {
  std::vector<double> values;
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    const std::string& reference =
        text_field(*batch.examples[row], options_.field, "objective " + name());
    const RougeScore score = rouge(
        options_.variant,
        reference,
        batch.completions[row],
        {.stem = options_.stem, .t5_newlines = options_.t5_newlines});
    values.push_back(100.0 * score.f1);
  }
  return values;
}

RewardKind rouge_kind() {
  return RewardKindOf<RougeOptions>{
      .name = "rouge",
      .help = "100 times ROUGE F1 of the completion against a field",
      .make =
          [](const RougeOptions& options, RewardContext& context) {
            return std::make_shared<RougeReward>(context.objective(), options);
          },
      .example_fields =
          [](const RougeOptions& options) {
            return std::vector<std::string>{options.field};
          },
  };
}

}  // namespace moft
