// The pre-tokenizers that GGUF files name.
#include "moft/tokenizers/gguf_families.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace moft {
namespace {

enum class Cuts {
  kGpt2,
  kDigitsGpt2,
  kLlama3,
  kQwen2,
  kQwen35,
  kTekken,
  kGpt4o,
  kDeepseekCoder,
  kDeepseekV3,
  kDefault
};

struct FamilyName {
  std::string_view pre;
  Cuts cuts;
  bool nfc = false;
  bool ignore_merges = false;
};

constexpr std::array kFamilies = {
    FamilyName{"gpt-2", Cuts::kGpt2},
    FamilyName{"phi-2", Cuts::kGpt2},
    FamilyName{"smollm", Cuts::kDigitsGpt2},
    FamilyName{"starcoder", Cuts::kDigitsGpt2},
    FamilyName{"refact", Cuts::kDigitsGpt2},
    FamilyName{"llama-bpe", Cuts::kLlama3, false, true},
    FamilyName{"llama-v3", Cuts::kLlama3, false, true},
    FamilyName{"llama3", Cuts::kLlama3, false, true},
    FamilyName{"smaug-bpe", Cuts::kLlama3},
    FamilyName{"qwen2", Cuts::kQwen2, true},
    FamilyName{"deepseek-r1-qwen", Cuts::kQwen2, true},
    FamilyName{"qwen35", Cuts::kQwen35, true},
    FamilyName{"tekken", Cuts::kTekken, false, true},
    FamilyName{"gpt-4o", Cuts::kGpt4o},
    FamilyName{"llama4", Cuts::kGpt4o},
    FamilyName{"deepseek-coder", Cuts::kDeepseekCoder},
    FamilyName{"deepseek-v3", Cuts::kDeepseekV3},
    FamilyName{"default", Cuts::kDefault},
    FamilyName{"", Cuts::kDefault},
};

GgufCut cut_digits() {
  return {.digits = true, .pattern = {}};
}
GgufCut cut_at(std::string_view pattern) {
  return {.digits = false, .pattern = pattern};
}

std::vector<GgufCut> cuts_of(Cuts cuts) {
  switch (cuts) {
    case Cuts::kGpt2:
      return {cut_at(kGpt2Pattern)};
    case Cuts::kDigitsGpt2:
      return {cut_digits(), cut_at(kGpt2Pattern)};
    case Cuts::kLlama3:
      return {cut_at(kLlama3Pattern)};
    case Cuts::kQwen2:
      return {cut_at(kQwen2Pattern)};
    case Cuts::kQwen35:
      return {cut_at(kQwen35Pattern)};
    case Cuts::kTekken:
      return {cut_at(kTekkenPattern)};
    case Cuts::kGpt4o:
      return {cut_at(kGpt4oPattern)};
    case Cuts::kDeepseekCoder:
      return {
          cut_at("[\\r\\n]"),
          cut_at(R"(\s?\p{L}+)"),
          cut_at(R"(\s?\p{P}+)"),
          cut_at("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"),
          cut_digits()};
    case Cuts::kDeepseekV3:
      return {
          cut_at(R"(\p{N}{1,3})"),
          cut_at("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"),
          cut_at(R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)"
                 R"(|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
                 R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
    case Cuts::kDefault:
      break;
  }
  // What llama.cpp does with files that do not say.
  return {
      cut_at(R"([\p{P}\$\+<=>\^~\|]+)"),
      cut_at(kGpt2Pattern),
      cut_at(R"(\p{N}+)"),
      cut_at("[0-9][0-9][0-9]")};
}

}  // namespace

std::optional<GgufFamily> find_gguf_family(const std::string& pre) {
  const auto found =
      std::find_if(kFamilies.begin(), kFamilies.end(), [&](const auto& family) {
        return family.pre == pre;
      });
  if (found == kFamilies.end()) return std::nullopt;
  return GgufFamily{
      .cuts = cuts_of(found->cuts),
      .nfc = found->nfc,
      .ignore_merges = found->ignore_merges};
}

std::vector<std::string> gguf_family_list() {
  std::vector<std::string> names;
  for (const FamilyName& family : kFamilies) {
    if (!family.pre.empty()) names.emplace_back(family.pre);
  }
  return names;
}

std::string gguf_family_names() {
  return fmt::format("{}", fmt::join(gguf_family_list(), ", "));
}

PreTokenizer steps_of(const GgufFamily& family, std::string_view place) {
  PreTokenizer steps;
  for (const GgufCut& cut : family.cuts) {
    if (cut.digits) {
      steps.emplace_back().kind = PreTokenizerStep::Kind::kDigits;
    } else {
      steps.push_back(regex_step(cut.pattern, place));
    }
  }
  return steps;
}

}  // namespace moft
