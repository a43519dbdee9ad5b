// The reward kind `similarity`, and its sentence encoder.
#include "moft/rewards/similarity.h"

#include <algorithm>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/rewards/model_files.h"
#include "moft/rewards/own_words.h"
#include "moft/rewards/reward_context.h"
#include "moft/tokenizers/hf_tokenizer.h"

namespace moft {
namespace {

// What strangers wrote: no special tokens in it but the frame.
constexpr EncodeOptions kTextAlone{.parse_special = false};

}  // namespace

std::int64_t check_text_embedder(const std::filesystem::path& directory) {
  const bert::EncoderShape shape = bert::read_encoder_shape(directory);
  check_tokenizer_fits(directory, *load_tokenizer(directory), shape.vocab_size);
  return shape.max_tokens;
}

TextEmbedder::TextEmbedder(
    const std::filesystem::path& directory, at::Device device)
    : tokenizer_(load_tokenizer(directory)),
      encoder_(bert::load_sentence_encoder(directory, device)) {
  check_tokenizer_fits(directory, *tokenizer_, encoder_.info().vocabulary);
}

at::Tensor TextEmbedder::embed(
    const std::vector<std::string>& texts, const OnLong& on_long) const {
  std::vector<std::vector<std::int32_t>> ids;
  ids.reserve(texts.size());
  for (const std::string& text : texts) {
    ids.push_back(tokenizer_->encode(text, kTextAlone));
    const std::int64_t tokens = std::ssize(ids.back());
    if (on_long && tokens > window()) on_long(ids.size() - 1, tokens);
  }
  return encoder_.embed(ids);
}

LongTexts find_long_texts(
    const std::filesystem::path& directory,
    const std::vector<Example>& examples,
    const std::string& field,
    const std::string& user) {
  const auto tokenizer = load_tokenizer(directory);
  LongTexts found;
  found.window = bert::read_encoder_shape(directory).max_tokens;
  for (const Example& example : examples) {
    const auto ids =
        tokenizer->encode(text_field(example, field, user), kTextAlone);
    const std::int64_t tokens = std::ssize(ids);
    if (tokens <= found.window) continue;
    if (found.count++ == 0) found.first = example.where;
    found.longest = std::max(found.longest, tokens);
  }
  return found;
}

SimilarityReward::SimilarityReward(
    std::string name,
    std::shared_ptr<const TextEmbedder> embedder,
    SimilarityTarget target)
    : ModelReward(std::move(name)),
      embedder_(std::move(embedder)),
      target_(std::move(target)) {
  if (target_.field.has_value() == target_.literal.has_value()) {
    throw_caller_error(
        "{}.similarity: give either a field or a fixed text to compare with",
        this->name());
  }
}

const std::string& SimilarityReward::target_text(const Example& example) const {
  if (target_.literal) return *target_.literal;
  return text_field(example, *target_.field, "objective " + name());
}

std::string SimilarityReward::compared_text(
    const std::string& completion, const std::string& target) const {
  if (target_.longest_quote == 0) return completion;
  return own_words(
      completion, target, static_cast<std::size_t>(target_.longest_quote));
}

void SimilarityReward::warn_once(
    std::atomic<bool>& warned,
    const std::string& what,
    std::int64_t tokens) const {
  if (warned.exchange(true)) return;
  log_warning(
      "objective {}: {} has {} tokens, and its encoder reads {}: of longer "
      "texts the beginning counts alone (said once)",
      name(),
      what,
      tokens,
      embedder_->window());
}

at::Tensor SimilarityReward::target_embedding(
    const std::string& text, const std::string& where) const {
  {
    const std::lock_guard lock(mutex_);
    const auto found = cache_.find(text);
    if (found != cache_.end()) return found->second;
  }
  const auto on_long = [&](std::size_t, std::int64_t tokens) {
    const std::string what =
        target_.field
            ? "the field " + quote_text(*target_.field) + " of " + where
            : std::string("the text to compare with");
    warn_once(warned_of_target_, what, tokens);
  };
  const at::Tensor embedding = embedder_->embed({text}, on_long)[0];
  const std::lock_guard lock(mutex_);
  if (cache_.size() >= kMaxCached) cache_.clear();
  cache_.emplace(text, embedding);
  return embedding;
}

std::vector<double> SimilarityReward::compute_chunk(
    const RewardBatch& batch) const {
  std::vector<double> values(batch.rows(), 0.0);
  std::vector<std::size_t> rows;
  std::vector<std::string> answers;
  std::vector<at::Tensor> targets;
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    const Example& example = *batch.examples[row];
    const std::string& target = target_text(example);
    std::string answer = compared_text(batch.completions[row], target);
    if (is_empty_answer(answer)) continue;
    rows.push_back(row);
    answers.push_back(std::move(answer));
    targets.push_back(target_embedding(target, example.where));
  }
  if (rows.empty()) return values;
  const auto on_long = [&](std::size_t answer, std::int64_t tokens) {
    const Example& example = *batch.examples[rows[answer]];
    warn_once(warned_of_answer_, "the completion for " + example.where, tokens);
  };
  const at::Tensor cosines =
      (embedder_->embed(answers, on_long).to(at::kDouble) *
       at::stack(targets).to(at::kDouble))
          .sum(1);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    values[rows[i]] = cosines.data_ptr<double>()[i];
  }
  return values;
}

namespace {

std::shared_ptr<const TextEmbedder> shared_embedder(
    const std::string& path, RewardContext& context) {
  return context.shared<TextEmbedder>(path, [&] {
    try {
      return std::make_shared<TextEmbedder>(path, context.device());
    } catch (const CallerError& error) {
      throw_caller_error(
          "objective '{}': {}", context.objective(), error.what());
    }
  });
}

// Objectives that compare with the same field alike share one reward.
std::shared_ptr<const Reward> make_similarity(
    const SimilarityOptions& options, RewardContext& context) {
  const std::string path = context.path(options.model).string();
  const std::string key =
      fmt::format("{}\n{}\n{}", path, options.field, options.longest_quote);
  return context.shared<Reward>(key, [&] {
    return std::make_shared<SimilarityReward>(
        context.objective(),
        shared_embedder(path, context),
        SimilarityTarget{
            .field = options.field,
            .literal = {},
            .longest_quote = options.longest_quote});
  });
}

std::vector<std::string> warn_of_long_texts(
    const SimilarityOptions& options, const std::vector<Example>& examples) {
  const LongTexts found = find_long_texts(
      options.model, examples, options.field, "the reward similarity");
  if (found.count == 0) return {};
  return {fmt::format(
      "{} of {} examples have a field '{}' longer than the {} tokens that the "
      "encoder reads (the first is {}, the longest has {}); only its beginning "
      "counts: shorten the field, or use an encoder with a longer window",
      found.count,
      examples.size(),
      options.field,
      found.window,
      found.first,
      found.longest)};
}

}  // namespace

RewardKind similarity_kind() {
  return RewardKindOf<SimilarityOptions>{
      .name = "similarity",
      .help = "cosine similarity of embeddings of the completion and a field",
      .make = make_similarity,
      .example_fields =
          [](const SimilarityOptions& options) {
            return std::vector<std::string>{options.field};
          },
      .files =
          [](const SimilarityOptions& options) {
            return model_directory_files(options.model);
          },
      .check_files =
          [](const SimilarityOptions& options) {
            check_text_embedder(options.model);
          },
      .warnings = warn_of_long_texts,
  };
}

}  // namespace moft
