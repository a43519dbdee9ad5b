// The reward kind `verdict`.
#include "moft/rewards/verdict.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/data/encode_prompt.h"
#include "moft/models/load.h"
#include "moft/rewards/model_files.h"
#include "moft/rewards/model_reward.h"
#include "moft/rewards/reward_context.h"
#include "moft/rewards/sentences.h"
#include "moft/tokenizers/hf_tokenizer.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// Questions read at once: bounds the memory of one call.
constexpr std::size_t kQuestionsPerPass = 32;

// A language model with its tokenizer, asked by one thread at a time.
class Answerer {
 public:
  Answerer(const fs::path& directory, at::Device device)
      : tokenizer_(load_tokenizer(directory)),
        model_(load_language_model(directory, {.device = device}).model) {
    check_tokenizer_fits(directory, *tokenizer_, model_->info().vocabulary);
  }

  TokenIds question(const std::vector<PromptPiece>& text) const {
    return encode_pieces(text, *tokenizer_);
  }

  TokenIds answer(const std::string& word) const {
    TokenIds ids = tokenizer_->encode(
        word, {.parse_special = false, .add_special = false});
    if (!ids.empty()) return ids;
    throw_caller_error(
        "the word {} has no tokens in the model's tokenizer; give another word",
        quote_text(word));
  }

  std::int64_t context() const { return model_->info().context; }

  // Log-probabilities of every answer to every question, one question after
  // the other: [questions * answers].
  std::vector<double> log_probabilities(
      const std::vector<TokenIds>& questions,
      const std::vector<TokenIds>& answers) const {
    const at::NoGradGuard no_gradient;
    const std::lock_guard lock(mutex_);
    std::vector<double> all;
    for (std::size_t first = 0; first < questions.size();
         first += kQuestionsPerPass) {
      const std::size_t last =
          std::min(first + kQuestionsPerPass, questions.size());
      add_pass(
          {questions.begin() + static_cast<std::ptrdiff_t>(first),
           questions.begin() + static_cast<std::ptrdiff_t>(last)},
          answers,
          all);
    }
    return all;
  }

 private:
  void add_pass(
      std::vector<TokenIds> questions,
      const std::vector<TokenIds>& answers,
      std::vector<double>& all) const {
    ScoreBatch batch;
    batch.prompts = std::move(questions);
    std::vector<std::int64_t> tokens;
    for (std::size_t p = 0; p < batch.prompts.size(); ++p) {
      for (const TokenIds& answer : answers) {
        batch.completions.push_back(answer);
        batch.prompt_of_row.push_back(static_cast<std::int64_t>(p));
        tokens.insert(tokens.end(), answer.begin(), answer.end());
      }
    }
    const at::Tensor logits =
        model_
            ->completion_logits(
                batch, RowSteering::uniform(Coefficients::frozen_reference()))
            .to(at::kCPU, at::kDouble);
    const at::Tensor of_tokens =
        logits.log_softmax(1)
            .gather(1, at::tensor(tokens, at::kLong).unsqueeze(1))
            .squeeze(1)
            .contiguous();
    const double* next = of_tokens.const_data_ptr<double>();
    for (const TokenIds& answer : batch.completions) {
      double sum = 0;
      for (std::size_t i = 0; i < answer.size(); ++i)
        sum += *next++;
      all.push_back(sum);
    }
  }

  std::unique_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<LanguageModel> model_;
  mutable std::mutex mutex_;
};

class VerdictReward : public ModelReward {
 public:
  VerdictReward(
      std::string name,
      std::shared_ptr<const Answerer> model,
      const VerdictOptions& options)
      : ModelReward(std::move(name)),
        model_(std::move(model)),
        text_(options.text),
        options_(options) {
    answers_.push_back(model_->answer(options.word));
    for (const std::string& word : options.against)
      answers_.push_back(model_->answer(word));
  }

 protected:
  std::vector<double> compute_chunk(const RewardBatch& batch) const override {
    std::vector<TokenIds> questions;
    std::vector<std::size_t> row_of;
    for (std::size_t row = 0; row < batch.rows(); ++row) {
      for (const std::string& unit :
           judged_units(batch.completions[row], options_.unit)) {
        questions.push_back(model_->question(text_.fill(batch, row, unit)));
        check_length(questions.back(), row);
        row_of.push_back(row);
      }
    }
    const auto found = model_->log_probabilities(questions, answers_);
    std::vector<std::vector<double>> of_row(batch.rows());
    for (std::size_t q = 0; q < questions.size(); ++q) {
      const double* first = found.data() + q * answers_.size();
      of_row[row_of[q]].push_back(
          verdict_value({first, answers_.size()}, options_.value));
    }
    std::vector<double> values;
    for (const auto& parts : of_row)
      values.push_back(combined(parts, options_.sentences));
    return values;
  }

 private:
  void check_length(const TokenIds& question, std::size_t row) const {
    const auto longest = std::ranges::max(
        answers_, {}, [](const TokenIds& answer) { return answer.size(); });
    const auto total = std::ssize(question) + std::ssize(longest);
    if (total <= model_->context()) return;
    throw RewardRowError(
        row,
        "the question has " + std::to_string(question.size()) +
            " tokens and the model reads " + std::to_string(model_->context()) +
            "; shorten the fields of its text, or judge sentences (unit: "
            "sentence)");
  }

  std::shared_ptr<const Answerer> model_;
  RewardTemplate text_;
  VerdictOptions options_;
  std::vector<TokenIds> answers_;
};

std::shared_ptr<const Reward> make_verdict(
    const VerdictOptions& options, RewardContext& context) {
  const fs::path path = context.path(options.model);
  auto model = context.shared<Answerer>(path.string(), [&] {
    return std::make_shared<Answerer>(path, context.device());
  });
  return std::make_shared<VerdictReward>(
      context.objective(), std::move(model), options);
}

}  // namespace

void VerdictOptions::check(const std::string& path) const {
  template_fields({text});
  for (const std::string& other : against) {
    if (other != word && !other.empty()) continue;
    throw_caller_error(
        "{}against holds {}; give the answers other than word",
        path,
        quote_text(other));
  }
}

double verdict_value(
    std::span<const double> log_probabilities, LabelValue kind) {
  const double log_p = log_probabilities[0];
  if (log_probabilities.size() > 1) {
    // Among these answers: their log-probabilities are logits.
    if (kind != LabelValue::kLogit)
      return label_value(log_probabilities, 0, kind, false);
    // log p from log(p / (1 - p)): finite where p rounds to 0.
    const double odds =
        label_value(log_probabilities, 0, LabelValue::kLogOdds, false);
    return std::min(odds, 0.0) - std::log1p(std::exp(-std::abs(odds)));
  }
  if (kind == LabelValue::kLogit) return log_p;
  if (kind == LabelValue::kProbability) return std::exp(log_p);
  // A p that rounds to 1 has finite odds.
  const double rest = std::max(-std::expm1(log_p), 1e-300);
  return log_p - std::log(rest);
}

RewardKind verdict_kind() {
  return RewardKindOf<VerdictOptions>{
      .name = "verdict",
      .help = "how sure a language model is to answer with a given word (T5)",
      .make = make_verdict,
      .example_fields =
          [](const VerdictOptions& options) {
            return template_fields({options.text});
          },
      .files =
          [](const VerdictOptions& options) {
            return model_directory_files(options.model);
          },
      .check_files =
          [](const VerdictOptions& options) { load_tokenizer(options.model); },
  };
}

}  // namespace moft
