// Cuts text into pieces.
#include "moft/tokenizers/pre_tokenizer.h"

#include "moft/tokenizers/unicode.h"

namespace moft {

PreTokenizerStep regex_step(std::string_view pattern, std::string_view place) {
  PreTokenizerStep step;
  step.regex = std::make_shared<const Pattern>(make_regex(pattern, place));
  return step;
}

PreTokenizerRun::PreTokenizerRun(const PreTokenizer& steps, PieceSink& sink)
    : steps_(steps), sink_(sink) {
  for (const auto& step : steps_) {
    matchers_.push_back(
        step.regex ? std::make_unique<PatternMatcher>(*step.regex) : nullptr);
  }
}

void PreTokenizerRun::split(std::string_view text, bool at_start) {
  start_ = at_start ? text.data() : nullptr;
  apply(0, text);
}

void PreTokenizerRun::apply(std::size_t step, std::string_view text) {
  if (text.empty()) return;
  if (step == steps_.size()) {
    sink_.piece(text);
    return;
  }
  switch (steps_[step].kind) {
    case PreTokenizerStep::Kind::kRegex:
      apply_regex(step, text);
      break;
    case PreTokenizerStep::Kind::kDigits:
      apply_digits(step, text, /*runs=*/false);
      break;
    case PreTokenizerStep::Kind::kDigitRuns:
      apply_digits(step, text, /*runs=*/true);
      break;
    case PreTokenizerStep::Kind::kPrefixSpace:
      if (text.front() == ' ') {
        apply(step + 1, text);
      } else {
        apply(step + 1, ' ' + std::string(text));
      }
      break;
    case PreTokenizerStep::Kind::kWhiteSpace:
      apply_white_space(step, text);
      break;
    case PreTokenizerStep::Kind::kMetaspace:
      apply_metaspace(step, text);
      break;
  }
}

void PreTokenizerRun::apply_white_space(
    std::size_t step, std::string_view text) {
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    if (is_white_space(point.value)) {
      apply(step + 1, text.substr(begin, at - begin));
      begin = at + point.length;
    }
    at += point.length;
  }
  apply(step + 1, text.substr(begin));
}

void PreTokenizerRun::apply_metaspace(std::size_t step, std::string_view text) {
  const PreTokenizerStep& rule = steps_[step];
  std::string written;
  written.reserve(text.size() + kWrittenSpace.size());
  for (const char c : text) {
    if (c == ' ') {
      written += kWrittenSpace;
    } else {
      written += c;
    }
  }
  const bool wanted = rule.prefix == PreTokenizerStep::Prefix::kAlways ||
                      (rule.prefix == PreTokenizerStep::Prefix::kFirst &&
                       text.data() == start_);
  if (wanted && !written.starts_with(kWrittenSpace))
    written.insert(0, kWrittenSpace);
  std::string_view rest = written;
  while (rule.cut) {
    const std::size_t next = rest.find(kWrittenSpace, 1);
    if (next == std::string_view::npos) break;
    apply(step + 1, rest.substr(0, next));
    rest.remove_prefix(next);
  }
  apply(step + 1, rest);
}

void PreTokenizerRun::apply_regex(std::size_t step, std::string_view text) {
  const PreTokenizerStep& rule = steps_[step];
  PatternMatcher& matcher = *matchers_[step];
  std::size_t done = 0;
  for (std::size_t from = 0; from < text.size();) {
    const auto match = matcher.find(text, from);
    if (!match) break;
    if (rule.keep_gaps && match->begin > done) {
      apply(step + 1, text.substr(done, match->begin - done));
    }
    if (rule.keep_matches) {
      apply(step + 1, text.substr(match->begin, match->end - match->begin));
    }
    done = match->end;
    from = match->end;
    if (match->end == match->begin && from < text.size()) {
      from += code_point_at(text, from).length;  // an empty match
    }
  }
  if (rule.keep_gaps) apply(step + 1, text.substr(done));
}

void PreTokenizerRun::apply_digits(
    std::size_t step, std::string_view text, bool runs) {
  std::size_t begin = 0;
  bool in_digits = false;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    const bool digit = is_number(point.value);
    if (digit != in_digits || (digit && !runs)) {
      apply(step + 1, text.substr(begin, at - begin));
      begin = at;
      in_digits = digit;
    }
    at += point.length;
  }
  apply(step + 1, text.substr(begin));
}

}  // namespace moft
