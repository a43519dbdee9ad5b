// Losses of rows, their gradient, and the figures on held-out rows.
#include "moft/training/reward/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/core/grad_mode.h>

#include "moft/conditioning/adapter_set.h"
#include "moft/core/errors.h"
#include "moft/kernels/tensors.h"
#include "moft/training/apply_update.h"

namespace moft {
namespace {

// Names in TrainerState::best beside the masters.
constexpr const char* kLowestLoss = "early_stopping.lowest_loss";
constexpr const char* kEvaluations = "early_stopping.evaluations_since";

// Takes one of these out of what a checkpoint holds, one int64.
at::Tensor take_number(NamedTensors& best, const char* name) {
  const auto found = best.find(name);
  if (found == best.end() || found->second.scalar_type() != at::kLong ||
      found->second.numel() != 1) {
    throw_caller_error(
        "'{}' is not there as one number; resume from another checkpoint, or "
        "start the run again",
        name);
  }
  return best.extract(found).mapped();
}

// The one copy of every trained parameter.
Coefficients only_copy() {
  return Coefficients(0.0, Weighting::uniform(1));
}

// Rows of like lengths share most.
void sort_by_length(std::vector<const RewardRow*>& rows) {
  std::ranges::stable_sort(
      rows, {}, [](const RewardRow* row) { return row->tokens(); });
}

std::vector<std::int64_t> tokens_of(std::span<const RewardRow* const> rows) {
  std::vector<std::int64_t> tokens;
  for (const RewardRow* row : rows)
    tokens.push_back(row->tokens());
  return tokens;
}

// Texts of rows for one pass, from short to long.
struct Pass {
  explicit Pass(std::span<const RewardRow* const> rows) {
    std::vector<const ReadText*> texts;
    for (const RewardRow* row : rows)
      for (const ReadText& text : row->texts)
        texts.push_back(&text);
    std::vector<std::int64_t> order(texts.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, {}, [&](std::int64_t i) {
      return texts[static_cast<std::size_t>(i)]->ids.size();
    });
    place.resize(texts.size());
    const bool segments = std::ranges::any_of(
        texts, [](const ReadText* text) { return text->second > 0; });
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto from = static_cast<std::size_t>(order[i]);
      ids.push_back(texts[from]->ids);
      if (segments) second.push_back(texts[from]->second);
      place[from] = static_cast<std::int64_t>(i);
    }
  }

  std::vector<TokenIds> ids;
  std::vector<std::int64_t> second;
  std::vector<std::int64_t> place;  // of each row's texts in turn
};

template <class Get>
std::vector<double> numbers_of(
    std::span<const RewardRow* const> rows, const Get& get) {
  std::vector<double> numbers;
  for (const RewardRow* row : rows)
    numbers.push_back(static_cast<double>(get(*row)));
  return numbers;
}

// Rows that are read at once without gradient.
constexpr std::size_t kReadAtOnce = 32;

}  // namespace

std::unique_ptr<Conditioning> condition_classifier(
    Classifier& model, const RewardTrainingOptions& options) {
  ConditioningOptions conditioning;
  conditioning.alpha_min = 0.0;
  Steerable& steerable = model.network().steerable();
  if (!options.lora) {
    conditioning.steered_set = SteeredSet::kNone;
    return install_conditioning(
        steerable,
        conditioning,
        {kRewardObjective},
        static_cast<std::uint64_t>(options.seed));
  }
  conditioning.steered_set = SteeredSet::kLora;
  conditioning.lora = *options.lora;
  return std::make_unique<AdapterSet>(
      steerable,
      conditioning,
      std::vector<std::string>{kRewardObjective},
      static_cast<std::uint64_t>(options.seed),
      model.head_parameters(),
      "reward.lora");
}

StepMemory reward_memory(
    const ModelShape& model,
    std::vector<std::int64_t> tokens,
    const RewardTrainingOptions& options) {
  MemoryBudget budget;
  budget.bytes = options.budget_bytes();
  budget.key = "reward.memory_budget";
  budget.cure = "lower data.max_tokens";
  return StepMemory({std::move(tokens), 1, 0}, costs_of_texts(model), budget);
}

std::map<std::string, double> RewardFigures::metrics() const {
  std::map<std::string, double> metrics{{"held_out/loss", loss}};
  if (judgements.empty()) return metrics;
  metrics["held_out/accuracy"] = accuracy(judgements);
  metrics["held_out/calibration_error"] = calibration_error(judgements);
  return metrics;
}

RewardTrainer::RewardTrainer(RewardInputs inputs, RewardTrainingOptions options)
    : SupervisedTrainer(
          *inputs.conditioning,
          options,
          "reward",
          {inputs.train->size(), options.rows_per_step, inputs.shuffle}),
      inputs_(inputs),
      options_(std::move(options)),
      coefficients_(only_copy()) {}

RunOptions RewardTrainer::run_options() const {
  RunOptions run = loop_options();
  run.memory_cure = kRewardMemoryCure;
  run.evaluate_every = options_.evaluation.every;
  run.objectives = {kRewardObjective};
  using Format = ProgressFigure::Format;
  run.progress = {
      {"loss", "loss", Format::kNumber, 4},
      {"accuracy", "accuracy"},
      {"held_out", "held_out/loss", Format::kNumber, 4},
      {"held_out_accuracy", "held_out/accuracy", Format::kNumber, 4},
      {"grad_norm", "grad_norm"},
      {"epoch", "epoch"},
      {"tokens_per_second", "tokens_per_second"}};
  return run;
}

at::Tensor RewardTrainer::outputs(
    std::span<const RewardRow* const> rows) const {
  const Pass pass(rows);
  const at::Tensor logits = inputs_.model->forward(
      pass.ids, pass.second, RowSteering::uniform(coefficients_));
  const at::Tensor by_row =
      logits.index_select(0, kernels::long_tensor(pass.place, logits.device()));
  if (options_.kind != RewardTask::kPreference) return by_row;
  return by_row.view({std::ssize(rows), 2});
}

at::Tensor RewardTrainer::loss(
    const at::Tensor& outputs, std::span<const RewardRow* const> rows) const {
  const auto numbers = [&] {
    return at::tensor(
               numbers_of(rows, [](const RewardRow& r) { return r.number; }),
               at::kDouble)
        .to(outputs.device());
  };
  switch (options_.kind) {
    case RewardTask::kRegression:
      return squared_error_loss(outputs, numbers());
    case RewardTask::kPreference:
      return preference_loss(outputs, numbers(), options_.centring);
    case RewardTask::kClassification:
      break;
  }
  std::vector<std::int64_t> labels;
  for (const RewardRow* row : rows)
    labels.push_back(row->label);
  return label_loss(outputs, kernels::long_tensor(labels, outputs.device()));
}

void RewardTrainer::judge(
    const at::Tensor& outputs,
    std::span<const RewardRow* const> rows,
    std::vector<Judgement>& judgements) const {
  if (options_.kind == RewardTask::kRegression) return;
  // The two scores of a preference are logits of a choice between answers.
  const at::Tensor probabilities =
      at::softmax(outputs.detach().to(at::kCPU), 1, at::kDouble).contiguous();
  const auto labels = static_cast<std::size_t>(probabilities.size(1));
  const double* first = probabilities.const_data_ptr<double>();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::span<const double> row(first + i * labels, labels);
    const auto most = std::ranges::max_element(row);
    const bool pairs = options_.kind == RewardTask::kPreference;
    const bool right =
        pairs ? row[0] > row[1] : most - row.begin() == rows[i]->label;
    judgements.push_back({*most, right});
  }
}

double RewardTrainer::differentiate(std::vector<const RewardRow*> rows) {
  sort_by_length(rows);
  const std::span<const RewardRow* const> all(rows);
  const StepMemory memory = reward_memory(
      shape_of(inputs_.model->network()), tokens_of(all), options_);
  judged_.clear();
  double sum = 0.0;
  const auto differentiate_part = [&](const ItemRange& range) {
    const auto part = all.subspan(range.first, range.second - range.first);
    const at::Tensor of_part = outputs(part);
    judge(of_part, part, judged_);
    const at::Tensor part_loss = loss(of_part, part);
    sum += part_loss.item<double>();
    (part_loss / static_cast<double>(all.size())).backward();
  };
  differentiate_parts(all.size(), memory, coefficients_, differentiate_part);
  return sum / static_cast<double>(all.size());
}

std::map<std::string, double> RewardTrainer::learn(
    const std::vector<std::size_t>& rows) {
  std::vector<const RewardRow*> batch;
  std::int64_t tokens = 0;
  for (const std::size_t row : rows) {
    batch.push_back(&(*inputs_.train)[row]);
    tokens += batch.back()->tokens();
  }
  std::map<std::string, double> metrics{
      {"loss", differentiate(std::move(batch))},
      {"tokens", static_cast<double>(tokens)}};
  if (!judged_.empty()) metrics["accuracy"] = accuracy(judged_);
  return metrics;
}

RewardFigures RewardTrainer::held_out() const {
  const at::NoGradGuard no_gradient;
  std::vector<const RewardRow*> rows;
  for (const RewardRow& row : *inputs_.held_out) {
    if (options_.evaluation.rows == std::ssize(rows)) break;
    rows.push_back(&row);
  }
  sort_by_length(rows);
  const std::span<const RewardRow* const> all(rows);
  RewardFigures figures;
  for (std::size_t begin = 0; begin < all.size(); begin += kReadAtOnce) {
    const auto part =
        all.subspan(begin, std::min(kReadAtOnce, all.size() - begin));
    const at::Tensor of_part = outputs(part);
    judge(of_part, part, figures.judgements);
    figures.loss += loss(of_part, part).item<double>();
  }
  figures.loss /= static_cast<double>(all.size());
  return figures;
}

std::map<std::string, double> RewardTrainer::evaluate() {
  const RewardFigures figures = held_out();
  require_finite_loss(figures.loss);
  if (options_.early_stopping) keep_best(figures.loss);
  return figures.metrics();
}

void RewardTrainer::keep_best(double loss) {
  if (loss >= lowest_) {
    ++worse_;
    return;
  }
  lowest_ = loss;
  worse_ = 0;
  best_.clear();
  for (const auto& [name, master] : conditioning().tensors())
    best_[name] = master.detach().clone();
}

bool RewardTrainer::stopped_early() const {
  return options_.early_stopping && worse_ >= *options_.early_stopping;
}

TrainerState RewardTrainer::state() const {
  TrainerState state = SupervisedTrainer::state();
  if (best_.empty()) return state;
  state.best = best_;
  // Bits of the double: files hold float32 and int64.
  state.best[kLowestLoss] = at::tensor({lowest_}, at::kDouble).view(at::kLong);
  state.best[kEvaluations] = at::tensor({worse_}, at::kLong);
  return state;
}

void RewardTrainer::restore(const TrainerState& state) {
  best_ = state.best;
  if (!best_.empty()) restore_best();
  SupervisedTrainer::restore(state);
}

// Checks names and shapes of what is kept until the end.
void RewardTrainer::restore_best() {
  try {
    lowest_ = take_number(best_, kLowestLoss).view(at::kDouble).item<double>();
    worse_ = take_number(best_, kEvaluations).item<std::int64_t>();
    restore_masters(best_, conditioning());
  } catch (const CallerError& error) {
    throw_caller_error("best.safetensors: {}", error.what());
  }
}

std::map<std::string, at::Tensor> RewardTrainer::product() {
  if (!best_.empty()) restore_masters(best_, conditioning());
  return conditioning().merged(coefficients_);
}

}  // namespace moft
