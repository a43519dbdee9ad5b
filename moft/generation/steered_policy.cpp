#include "moft/generation/steered_policy.h"

#include <algorithm>
#include <cmath>

#include <ATen/core/grad_mode.h>

#include "moft/conditioning/prompt_prefix.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/kernels/tensors.h"
#include "moft/kernels/token_log_probs.h"

namespace moft {
namespace {

// Distinct values of a sequence and where each element went.
template <typename Value>
std::int64_t place_of(std::vector<Value>& distinct, const Value& value) {
  const auto found = std::find(distinct.begin(), distinct.end(), value);
  const auto place = found - distinct.begin();
  if (found == distinct.end()) distinct.push_back(value);
  return place;
}

// Scoring works through groups of requests that share one steering each.
constexpr std::size_t kScoredTokensAtOnce = 1024;

// A weighting's words are never markup.
constexpr EncodeOptions kWords{.parse_special = false, .add_special = false};

// Row by row; the first value that is not finite is named.
void check_finite(
    const std::vector<float>& log_probs,
    const ScoreRequest& request,
    const at::Tensor& logits,
    const Tokenizer& tokenizer) {
  for (std::size_t t = 0; t < log_probs.size(); ++t) {
    if (std::isfinite(log_probs[t])) continue;
    const at::Tensor row = logits[static_cast<std::int64_t>(t)];
    const auto broken = row.isfinite().logical_not().sum().item<std::int64_t>();
    throw_world_error(
        "{}the log-probability of completion token {} ({}) is {}: {} of the {} "
        "logits there are not finite; the model's weights are broken or "
        "overflow; fetch or convert the model again",
        request.where.empty() ? std::string() : request.where + ": ",
        t + 1,
        quote_text(tokenizer.token_bytes(request.completion[t])),
        std::isnan(log_probs[t]) ? "nan" : "infinite",
        broken,
        row.numel());
  }
}

}  // namespace

KlRange PolicyDefinition::kl_range() const {
  if (objectives.empty()) return KlRange::fixed(kl_strength);
  return moft::kl_range(conditioning, kl_strength);
}

bool PolicyDefinition::takes_whole_prompts() const {
  return objectives.empty() && prompt_template == "{prompt}";
}

SteeredPolicy::SteeredPolicy(
    LoadedModel base,
    std::shared_ptr<const Tokenizer> tokenizer,
    PolicyDefinition definition,
    std::uint64_t seed)
    : base_(std::move(base)),
      tokenizer_(std::move(tokenizer)),
      definition_(std::move(definition)),
      range_(definition_.kl_range()) {
  if (!definition_.objectives.empty()) {
    conditioning_ = std::make_unique<Conditioning>(
        base_.model->steerable(), definition_.conditioning, names(), seed);
    const auto& prompt = definition_.conditioning.prompt;
    if (prompt) {
      prompt_names_ = prompt_names(*prompt, names(), "conditioning.prompt");
    }
  }
}

std::vector<std::string> SteeredPolicy::names() const {
  std::vector<std::string> names;
  for (const auto& objective : definition_.objectives) {
    names.push_back(objective.name);
  }
  return names;
}

Coefficients SteeredPolicy::coefficients_of(
    const std::optional<Steering>& steering) const {
  if (!steering || definition_.objectives.empty()) {
    return Coefficients::frozen_reference();
  }
  return coefficients(*steering, range_);
}

std::string SteeredPolicy::text_of(const Generation& generation) const {
  std::span<const TokenId> tokens = generation.tokens;
  const auto& ends = base_.model->info().end_tokens;
  if (!tokens.empty() &&
      std::find(ends.begin(), ends.end(), tokens.back()) != ends.end()) {
    tokens = tokens.first(tokens.size() - 1);
  }
  if (!generation.stop_at) return tokenizer_->decode(tokens);
  // Special tokens count for the place of the stop, but are not text.
  std::string bytes;
  std::size_t left = *generation.stop_at;
  for (const TokenId token : tokens) {
    const std::string more = tokenizer_->token_bytes(token).substr(0, left);
    left -= more.size();
    if (!tokenizer_->is_special(token)) bytes += more;
  }
  // SentencePiece's decoding drops a space in front that the bytes have.
  const bool dropped =
      bytes.starts_with(' ') && !tokenizer_->decode(tokens).starts_with(' ');
  return dropped ? bytes.substr(1) : bytes;
}

std::string SteeredPolicy::prompt_words(const Weighting& w) const {
  if (!conditions_prompts()) return {};
  const auto& options = *definition_.conditioning.prompt;
  return prompt_prefix(prompt_names_, w, options.repetitions) + " ";
}

std::int64_t SteeredPolicy::count_word_tokens(const Weighting& w) const {
  return std::ssize(tokenizer_->encode(prompt_words(w), kWords));
}

std::string SteeredPolicy::template_with_words(const Weighting& w) const {
  const PromptTemplate prompt(definition_.prompt_template);
  if (!conditions_prompts()) return prompt.text();
  if (definition_.words_before_prompt)
    return escape_template(prompt_words(w)) + prompt.text();
  return prompt.with_words(prompt_words(w));
}

TokenIds SteeredPolicy::conditioned_prompt(
    const Prompt& prompt, const std::optional<Steering>& steering) const {
  if (!steering || !conditions_prompts()) return prompt.ids;
  const std::string words = prompt_words(steering->w);
  if (!definition_.words_before_prompt)
    return encode_with_words(prompt.pieces, words, *tokenizer_);
  const TokenIds word_ids = tokenizer_->encode(words, kWords);
  const auto first = tokenizer_->bos();
  const bool begins =
      first && !prompt.ids.empty() && prompt.ids.front() == *first;
  TokenIds ids = prompt.ids;
  ids.insert(ids.begin() + (begins ? 1 : 0), word_ids.begin(), word_ids.end());
  return ids;
}

Prompt SteeredPolicy::fill_prompt(const Example& example) const {
  if (definition_.takes_whole_prompts()) {
    return make_whole_prompt(
        text_field(example, "prompt", "a plain model"),
        example.where,
        *tokenizer_);
  }
  return make_prompt(
      PromptTemplate(definition_.prompt_template), example, *tokenizer_);
}

Prompt SteeredPolicy::fill_prompt(const std::string& text) const {
  const PromptTemplate prompt(definition_.prompt_template);
  const auto& fields = prompt.field_names();
  if (fields.size() != 1) {
    throw_caller_error(
        "this policy's prompt is made of {} fields ({}); give them as JSON "
        "lines with --input",
        fields.size(),
        definition_.prompt_template);
  }
  Example example;
  example.where = "--prompt";
  example.fields[fields[0]] = text;
  return fill_prompt(example);
}

Prompt SteeredPolicy::whole_prompt(
    const std::string& text,
    const std::string& where,
    const std::optional<Steering>& steering) const {
  const bool words_inside =
      steering && conditions_prompts() && !definition_.words_before_prompt;
  if (!words_inside) return make_whole_prompt(text, where, *tokenizer_);
  const PromptTemplate prompt(definition_.prompt_template);
  return make_whole_prompt(text, where, prompt, *tokenizer_);
}

void SteeredPolicy::expect_steerings(std::int64_t distinct) {
  if (conditioning_ != nullptr) conditioning_->expect_steerings(distinct);
}

std::string SteeredPolicy::steering_way(std::int64_t distinct) const {
  return conditioning_ == nullptr ? "plain model"
                                  : conditioning_->steering_way(distinct);
}

std::vector<Completion> SteeredPolicy::complete(
    const std::vector<CompletionRequest>& requests,
    const GenerateOptions& options,
    const OnToken& on_token) {
  return run(requests, options, std::nullopt, on_token);
}

std::vector<Completion> SteeredPolicy::complete_with_kl(
    const std::vector<CompletionRequest>& requests,
    const GenerateOptions& options) {
  return run(requests, options, coefficients_of(std::nullopt), nullptr);
}

std::vector<Completion> SteeredPolicy::run(
    const std::vector<CompletionRequest>& requests,
    const GenerateOptions& options,
    const std::optional<Coefficients>& reference,
    const OnToken& on_token) {
  GenerateOptions tempered = options;
  tempered.sampling.temperature *= definition_.temperature;
  const auto& own = base_.model->info().end_tokens;
  tempered.end_tokens.insert(tempered.end_tokens.end(), own.begin(), own.end());
  GenerateBatch batch;
  batch.reference = reference;
  for (const CompletionRequest& request : requests) {
    DecodeRow row;
    row.prompt = place_of(
        batch.prompts, conditioned_prompt(request.prompt, request.steering));
    if (reference && conditions_prompts()) {
      batch.reference_prompts.push_back(
          place_of(batch.prompts, request.prompt.ids));
    }
    row.steering = place_of(batch.steerings, coefficients_of(request.steering));
    batch.rows.push_back(row);
    batch.keys.push_back(request.key);
  }
  const Generations generations =
      generate(*base_.model, batch, tempered, tokenizer_.get(), on_token);
  std::vector<Completion> completions;
  for (const Generation& row : generations.rows) {
    completions.push_back(
        {row.tokens, row.log_probs, row.exact_kl, text_of(row), row.finished});
  }
  return completions;
}

std::vector<Score> SteeredPolicy::score(
    const std::vector<ScoreRequest>& requests, const ScoreOptions& options) {
  at::NoGradGuard no_gradient;
  const double inverse_temperature = 1.0 / definition_.temperature;
  std::vector<Score> scores(requests.size());
  std::size_t begin = 0;
  while (begin < requests.size()) {
    ScoreBatch batch;
    std::vector<TokenIds> plain_prompts;
    std::vector<Coefficients> steerings;
    std::vector<std::int64_t> steering_of_prompt;
    std::vector<std::int64_t> targets;
    std::size_t end = begin;
    // One tree per run of requests with equal prompt and steering.
    for (; end < requests.size(); ++end) {
      const ScoreRequest& request = requests[end];
      if (end > begin && targets.size() > kScoredTokensAtOnce) break;
      const auto place = place_of(steerings, coefficients_of(request.steering));
      const TokenIds prompt =
          conditioned_prompt(request.prompt, request.steering);
      // Equal plain prompts under other words differ here too.
      if (batch.prompts.empty() || batch.prompts.back() != prompt ||
          steering_of_prompt.back() != place) {
        batch.prompts.push_back(prompt);
        plain_prompts.push_back(request.prompt.ids);
        steering_of_prompt.push_back(place);
      }
      batch.prompt_of_row.push_back(
          static_cast<std::int64_t>(batch.prompts.size()) - 1);
      batch.completions.push_back(request.completion);
      targets.insert(
          targets.end(), request.completion.begin(), request.completion.end());
    }
    LanguageModel& language_model = *base_.model;
    const at::Device device = language_model.device();
    const auto steering =
        RowSteering::per_row(steerings, steering_of_prompt, device);
    const at::Tensor target = kernels::long_tensor(targets, device);
    const at::Tensor logits = language_model.completion_logits(batch, steering);
    const kernels::LogProbOptions log_prob_options{
        .inverse_temperature = inverse_temperature};
    const auto log_probs = kernels::to_floats(
        kernels::selected_log_probs(logits, target, log_prob_options));
    std::vector<float> reference_log_probs;
    std::vector<float> exact_kl;
    at::Tensor reference;
    if (options.with_reference || options.with_exact_kl) {
      batch.prompts = plain_prompts;
      reference = language_model.completion_logits(
          batch, RowSteering::uniform(Coefficients::frozen_reference()));
      reference_log_probs = kernels::to_floats(
          kernels::selected_log_probs(reference, target, log_prob_options));
      if (options.with_exact_kl) {
        exact_kl = kernels::to_floats(
            kernels::exact_kl(logits, reference, inverse_temperature));
      }
    }
    std::size_t place = 0;
    for (std::size_t r = begin; r < end; ++r) {
      const std::size_t length = requests[r].completion.size();
      const auto take = [&](const std::vector<float>& all) {
        if (all.empty()) return std::vector<float>();
        const auto first = all.begin() + static_cast<std::ptrdiff_t>(place);
        return std::vector<float>(
            first, first + static_cast<std::ptrdiff_t>(length));
      };
      const auto checked = [&](const std::vector<float>& all,
                               const at::Tensor& from) {
        std::vector<float> taken = take(all);
        check_finite(
            taken,
            requests[r],
            from.narrow(
                0,
                static_cast<std::int64_t>(place),
                static_cast<std::int64_t>(length)),
            *tokenizer_);
        return taken;
      };
      scores[r].log_probs = checked(log_probs, logits);
      if (reference.defined()) {
        auto of_reference = checked(reference_log_probs, reference);
        if (options.with_reference)
          scores[r].reference_log_probs = std::move(of_reference);
      }
      scores[r].exact_kl = take(exact_kl);
      place += length;
    }
    begin = end;
  }
  return scores;
}

}  // namespace moft
