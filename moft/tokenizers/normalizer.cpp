// Normalises text step by step.
#include "moft/tokenizers/normalizer.h"

namespace moft {
namespace {

void apply_step(NormalForm form, std::string& text) {
  text = normalise(text, form);
}

void apply_step(const BertNormalizer& rules, std::string& text) {
  text = normalise_bert(text, rules);
}

void apply_step(const PrependStep& step, std::string& text) {
  if (!text.empty()) text.insert(0, step.text);
}

void apply_step(const ReplaceStep& step, std::string& text) {
  if (!step.regex) {
    replace_in_text(text, step.what, step.by);
    return;
  }
  PatternMatcher matcher(*step.regex);
  std::string result;
  std::size_t done = 0;
  for (std::size_t from = 0; from < text.size();) {
    const auto match = matcher.find(text, from);
    if (!match) break;
    from = match->end;
    if (match->end == match->begin) {
      // An empty match replaces nothing.
      if (from < text.size()) from += code_point_at(text, from).length;
      continue;
    }
    result.append(text, done, match->begin - done);
    result += step.by;
    done = match->end;
  }
  result.append(text, done);
  text = std::move(result);
}

void apply_step(const StripStep& step, std::string& text) {
  trim_text(text, step, is_white_space);
}

void apply_step(const CharacterMapStep& step, std::string& text) {
  text = step.map->normalise(text);
}

}  // namespace

void trim_text(
    std::string& text, const StripStep& step, bool (*is_space)(char32_t)) {
  std::size_t begin = 0;
  std::size_t end = text.size();
  while (step.left && begin < end) {
    const CodePoint first = code_point_at(text, begin);
    if (!is_space(first.value)) break;
    begin += first.length;
  }
  while (step.right && end > begin) {
    std::size_t at = end - 1;
    while (at > begin && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
      --at;
    if (!is_space(code_point_at(text, at).value)) break;
    end = at;
  }
  text = text.substr(begin, end - begin);
}

void replace_in_text(
    std::string& text, std::string_view what, std::string_view by) {
  std::size_t at = text.find(what);
  if (at == std::string::npos) return;
  std::string result;
  std::size_t done = 0;
  for (; at != std::string::npos; at = text.find(what, done)) {
    result.append(text, done, at - done);
    result += by;
    done = at + what.size();
  }
  result.append(text, done);
  text = std::move(result);
}

std::string normalise_by(
    std::string_view text, const std::vector<NormalizerStep>& steps) {
  std::string result(text);
  for (const NormalizerStep& step : steps) {
    std::visit([&](const auto& each) { apply_step(each, result); }, step);
  }
  return result;
}

}  // namespace moft
