// Completions and scores of a conditioned model.
#include "moft/generation/steered_policy.h"

#include <algorithm>
#include <cmath>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/generation/mixtures.h"
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

// A group of score() ends after the request that takes it past this many
// tokens, or before the first one whose mixture would be one too many.
constexpr std::size_t kScoredTokensAtOnce = 1024;

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

// One model pass of score(): consecutive requests, one tree per run of requests
// with equal prompt and steering.
struct ScoreGroup {
  std::size_t end = 0;  // of the requests
  ScoreBatch batch;
  std::vector<TokenIds> plain_prompts;
  std::vector<Coefficients> steerings;
  std::vector<std::int64_t> steering_of_prompt;
  std::vector<std::int64_t> targets;
};

ScoreGroup score_group(
    const SteeredPolicy& policy,
    const std::vector<ScoreRequest>& requests,
    std::size_t begin,
    std::size_t most_steerings) {
  ScoreGroup group;
  ScoreBatch& batch = group.batch;
  for (group.end = begin; group.end < requests.size(); ++group.end) {
    const ScoreRequest& request = requests[group.end];
    if (group.targets.size() > kScoredTokensAtOnce) break;
    const auto place =
        place_of(group.steerings, policy.coefficients_of(request.steering));
    if (group.steerings.size() > most_steerings) {
      group.steerings.pop_back();
      break;
    }
    const TokenIds prompt =
        policy.conditioned_prompt(request.prompt, request.steering);
    // Equal plain prompts under other words differ here too.
    if (batch.prompts.empty() || batch.prompts.back() != prompt ||
        group.steering_of_prompt.back() != place) {
      batch.prompts.push_back(prompt);
      group.plain_prompts.push_back(request.prompt.ids);
      group.steering_of_prompt.push_back(place);
    }
    batch.prompt_of_row.push_back(
        static_cast<std::int64_t>(batch.prompts.size()) - 1);
    batch.completions.push_back(request.completion);
    group.targets.insert(
        group.targets.end(),
        request.completion.begin(),
        request.completion.end());
  }
  return group;
}

// The values of one request among those of its group.
std::vector<float> part(
    const std::vector<float>& all, std::size_t begin, std::size_t length) {
  if (all.empty()) return {};
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
  return {first, first + static_cast<std::ptrdiff_t>(length)};
}

}  // namespace

SteeredPolicy::SteeredPolicy(
    LoadedModel base,
    std::shared_ptr<const Tokenizer> tokenizer,
    PolicyDefinition definition,
    std::uint64_t seed,
    const Ranks& ranks)
    : Policy(definition.info()),
      base_(std::move(base)),
      tokenizer_(std::move(tokenizer)),
      definition_(std::move(definition)) {
  if (definition_.objectives.empty()) return;
  conditioning_ = install_conditioning(
      base_.model->steerable(), definition_.conditioning, names(), seed, ranks);
}

std::int64_t SteeredPolicy::context() const {
  return base_.model->info().context;
}

void SteeredPolicy::record_training(std::int64_t steps, std::int64_t answers) {
  definition_.steps = steps;
  definition_.answers = answers;
  info_ = definition_.info();
}

void SteeredPolicy::record_provenance(
    const std::string& what, const std::string& value) {
  definition_.provenance[what] = value;
  info_ = definition_.info();
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
  tempered.sampling.temperature *= temperature();
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
  LanguageModel& language_model = *base_.model;
  const at::Device device = language_model.device();
  const kernels::LogProbOptions tempered{
      .inverse_temperature = 1.0 / temperature()};
  std::vector<Score> scores(requests.size());
  const std::size_t most_steerings =
      keeps_mixtures(language_model) ? kMixturesAtOnce : requests.size();
  std::size_t begin = 0;
  while (begin < requests.size()) {
    ScoreGroup group = score_group(*this, requests, begin, most_steerings);
    const auto steering =
        RowSteering::per_row(group.steerings, group.steering_of_prompt, device);
    const at::Tensor target = kernels::long_tensor(group.targets, device);
    const at::Tensor logits =
        language_model.completion_logits(group.batch, steering);
    const auto log_probs = kernels::to_floats(
        kernels::selected_log_probs(logits, target, tempered));
    std::vector<float> reference_log_probs;
    std::vector<float> exact_kl;
    at::Tensor reference;
    if (options.with_reference || options.with_exact_kl) {
      group.batch.prompts = group.plain_prompts;
      reference = language_model.completion_logits(
          group.batch, RowSteering::uniform(Coefficients::frozen_reference()));
      reference_log_probs = kernels::to_floats(
          kernels::selected_log_probs(reference, target, tempered));
    }
    if (options.with_exact_kl) {
      exact_kl = kernels::to_floats(
          kernels::exact_kl(logits, reference, tempered.inverse_temperature));
    }
    std::size_t place = 0;
    for (std::size_t r = begin; r < group.end; ++r) {
      const std::size_t length = requests[r].completion.size();
      const auto checked = [&](const std::vector<float>& all,
                               const at::Tensor& from) {
        std::vector<float> taken = part(all, place, length);
        const at::Tensor own = from.narrow(
            0,
            static_cast<std::int64_t>(place),
            static_cast<std::int64_t>(length));
        check_finite(taken, requests[r], own, *tokenizer_);
        return taken;
      };
      scores[r].log_probs = checked(log_probs, logits);
      if (reference.defined()) {
        auto of_reference = checked(reference_log_probs, reference);
        if (options.with_reference)
          scores[r].reference_log_probs = std::move(of_reference);
      }
      scores[r].exact_kl = part(exact_kl, place, length);
      place += length;
    }
    begin = group.end;
  }
  return scores;
}

std::unique_ptr<Decoder> SteeredPolicy::open_decoder(
    const DecoderLimits& limits) {
  return base_.model->open_decoder(limits);
}

at::Tensor SteeredPolicy::next_logits(
    const Prompt& prompt, const std::optional<Steering>& steering) {
  at::NoGradGuard no_gradient;
  ScoreBatch batch;
  batch.prompts = {conditioned_prompt(prompt, steering)};
  batch.completions = {{prompt.ids.back()}};
  batch.prompt_of_row = {0};
  const Coefficients c = coefficients_of(steering);
  if (conditioning_ != nullptr) conditioning_->gather(c);
  const auto rows = RowSteering::uniform(c);
  return base_.model->completion_logits(batch, rows)
      .select(0, 0)
      .to(at::kFloat)
      .clone();
}

}  // namespace moft
