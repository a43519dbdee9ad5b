// Cutting text into the pieces that byte-pair encoding works on.
//
// Thread safety: a PreTokenizer is immutable; a PreTokenizerRun belongs to one
// thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "moft/tokenizers/regex.h"

namespace moft {

// What SentencePiece writes for a space: U+2581.
inline constexpr std::string_view kWrittenSpace = "\u2581";

// The regular expressions of the model families, as their files write them.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+)"
    R"(|\s+(?!\S)|\s+)";
inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

inline constexpr std::string_view kQwen35Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
    R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kTekkenPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*)"
    R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+)"
    R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kGpt4oPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*)"
    R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+)"
    R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct PreTokenizerStep {
  enum class Kind {
    kRegex,        // cut at the matches of `regex`
    kDigits,       // every numeric character is a piece
    kDigitRuns,    // every run of numeric characters is a piece
    kPrefixSpace,  // a piece that does not begin with a space gets one
    kWhiteSpace,   // cut at white space, which goes
    kMetaspace,    // spaces become U+2581
  };
  // Which pieces get a U+2581 in front unless they begin with one: those at the
  // very beginning of a text, all, or none.
  enum class Prefix { kFirst, kAlways, kNever };

  Kind kind = Kind::kRegex;
  std::shared_ptr<const Pattern> regex;
  bool keep_matches = true;
  bool keep_gaps = true;
  Prefix prefix = Prefix::kAlways;  // of kMetaspace
  bool cut = true;                  // kMetaspace: before every U+2581
};

using PreTokenizer = std::vector<PreTokenizerStep>;

// Throws CallerError, naming `place`, when the pattern is not supported.
PreTokenizerStep regex_step(std::string_view pattern, std::string_view place);

class PieceSink {
 public:
  virtual ~PieceSink() = default;
  // `piece` lives until the call returns.
  virtual void piece(std::string_view piece) = 0;
};

class PreTokenizerRun {
 public:
  // Both must outlive this.
  PreTokenizerRun(const PreTokenizer& steps, PieceSink& sink);

  // REQUIRES valid UTF-8. Hands the pieces to the sink, in order; none is
  // empty. `at_start`: nothing comes before this text.
  void split(std::string_view text, bool at_start = true);

 private:
  void apply(std::size_t step, std::string_view text);
  void apply_regex(std::size_t step, std::string_view text);
  void apply_digits(std::size_t step, std::string_view text, bool runs);
  void apply_white_space(std::size_t step, std::string_view text);
  void apply_metaspace(std::size_t step, std::string_view text);

  const PreTokenizer& steps_;
  PieceSink& sink_;
  std::vector<std::unique_ptr<PatternMatcher>> matchers_;  // by step
  const char* start_ = nullptr;  // of a text with nothing before it
};

}  // namespace moft
