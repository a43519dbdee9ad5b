// What all policies share: prompts, words and the default refusals.
#include "moft/generation/policy.h"

#include "moft/core/errors.h"

namespace moft {

std::vector<std::string> objective_names(const PolicyInfo& info) {
  std::vector<std::string> names;
  for (const PolicyObjective& objective : info.objectives)
    names.push_back(objective.name);
  return names;
}

Prompt Policy::fill_prompt(const Example& example) const {
  return info_.prompt.fill(example, tokenizer());
}

Prompt Policy::fill_prompt(const std::string& text) const {
  return info_.prompt.fill(text, tokenizer());
}

Prompt Policy::whole_prompt(
    const std::string& text,
    const std::string& where,
    const std::optional<Steering>& steering) const {
  return info_.prompt.whole(text, where, steering.has_value(), tokenizer());
}

TokenIds Policy::conditioned_prompt(
    const Prompt& prompt, const std::optional<Steering>& steering) const {
  return info_.prompt.encode(
      prompt, steering ? &steering->w : nullptr, tokenizer());
}

std::int64_t Policy::count_word_tokens(const Weighting& w) const {
  return info_.prompt.count_word_tokens(w, tokenizer());
}

Coefficients Policy::coefficients_of(
    const std::optional<Steering>& steering) const {
  if (!steering || objectives().empty())
    return Coefficients::frozen_reference();
  if (info_.words_alone) {
    return coefficients(
        {Weighting::uniform(objectives().size()), steering->alpha}, kl_range());
  }
  return coefficients(*steering, kl_range());
}

std::unique_ptr<Decoder> Policy::open_decoder(const DecoderLimits&) {
  throw_caller_error(
      "a policy of kind '{}' does not decode token by token; use complete()",
      info_.kind);
}

void Policy::export_model(
    const std::optional<Steering>&,
    const std::filesystem::path&,
    const ExportOptions&) const {
  throw_caller_error(
      "a policy of kind '{}' is not one model under one weighting, so it "
      "cannot be exported; use it with moft",
      info_.kind);
}

std::string longest_prompt_words(
    const PromptFormat& format, const Tokenizer& tokenizer) {
  std::string longest;
  if (!format.words()) return longest;
  const std::size_t m = format.words()->names.size();
  std::int64_t most = -1;
  for (std::size_t i = 0; i < m; ++i) {
    std::vector<double> weights(
        m, m > 1 ? 0.23 / static_cast<double>(m - 1) : 0);
    weights[i] = m > 1 ? 0.77 : 1.0;
    for (const Weighting& w : {Weighting::corner(m, i), Weighting(weights)}) {
      const std::int64_t tokens = format.count_word_tokens(w, tokenizer);
      if (tokens <= most) continue;
      most = tokens;
      longest = format.words_of(w);
    }
  }
  return longest;
}

}  // namespace moft
