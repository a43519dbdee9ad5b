// The steps of a trainer that learns from given rows.
#include "moft/training/supervised_trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "moft/core/errors.h"
#include "moft/training/apply_update.h"
#include "moft/training/make_optimizer.h"
#include "moft/training/ranks.h"

namespace moft {
namespace {

using Clock = std::chrono::steady_clock;

std::unique_ptr<StepRanks> ranks_of(Group* group, std::int64_t slices) {
  if (group == nullptr || group->size() == 1) return nullptr;
  return std::make_unique<StepRanks>(*group, slices);
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

SupervisedTrainer::SupervisedTrainer(
    Conditioning& conditioning,
    const UpdateOptions& options,
    std::string section,
    SupervisedRows rows,
    Group* group)
    : conditioning_(conditioning),
      options_(options),
      section_(std::move(section)),
      rows_(rows),
      shuffler_(
          static_cast<std::uint64_t>(options.seed),
          rows.count,
          rows.shuffle ? ExampleOrder::kShuffled : ExampleOrder::kFile),
      optimizer_(make_optimizer(
          conditioning, options.optimizer, optimizer_ranks(group))),
      ranks_(ranks_of(group, options.gradient_accumulation)) {}

SupervisedTrainer::~SupervisedTrainer() = default;

RunOptions SupervisedTrainer::loop_options() const {
  RunOptions run;
  run.section = section_;
  run.steps = options_.steps;
  run.schedule = options_.schedule.kind;
  run.checkpoint = options_.checkpoint;
  run.evaluate_at_the_end = true;
  run.log_samples = 0;
  return run;
}

// A slice's parts add up in the leaves of one pass, without another tensor.
void SupervisedTrainer::differentiate_parts(
    std::size_t count,
    const StepMemory& memory,
    const Coefficients& coefficients,
    const std::function<void(const ItemRange& rows)>& differentiate) {
  const ItemSlices slices =
      memory.parts_of_slices(count, options_.gradient_accumulation);
  const auto [begin, end] = slices_here().value_or(ItemRange{0, slices.size()});
  begin_step({coefficients});
  for (std::size_t slice = begin; slice < end; ++slice) {
    conditioning_.begin_gradient(coefficients);
    for (const ItemRange& part : slices.at(slice))
      differentiate(part);
    conditioning_.end_gradient(coefficients);
    end_slice();
  }
  finish_step({coefficients});
}

void SupervisedTrainer::begin_step(const std::vector<Coefficients>& steerings) {
  conditioning_.zero_gradient();
  conditioning_.note_steerings(steerings);
  slices_.clear();
}

void SupervisedTrainer::end_slice() {
  if (!ranks_) return conditioning_.end_slice();
  slices_.push_back(conditioning_.take_slice());
}

void SupervisedTrainer::finish_step(
    const std::vector<Coefficients>& steerings) {
  if (!ranks_) return;
  StepTimes times;
  GradientSlice sums = ranks_->sum(std::exchange(slices_, {}), times);
  begin_step(steerings);
  conditioning_.put_slice(std::move(sums));
}

std::optional<ItemRange> SupervisedTrainer::slices_here() const {
  if (!ranks_) return std::nullopt;
  return ranks_->slices();
}

std::vector<ItemRange> SupervisedTrainer::groups_here(
    std::size_t rows, std::size_t at_once) const {
  const std::size_t count = (rows + at_once - 1) / at_once;
  const auto [begin, end] =
      ranks_ ? ranks_->part_of(count) : ItemRange{0, count};
  std::vector<ItemRange> groups;
  for (std::size_t i = begin; i < end; ++i)
    groups.emplace_back(i * at_once, std::min(rows, (i + 1) * at_once));
  return groups;
}

std::vector<std::string> SupervisedTrainer::bytes_of_all(
    std::string_view own) const {
  if (!ranks_) return {std::string(own)};
  StepTimes times;
  return ranks_->gather("figures", own, times);
}

void SupervisedTrainer::require_finite_loss(double loss) const {
  if (std::isfinite(loss)) return;
  throw_world_error(
      "the loss is {}; lower {}.optimizer.learning_rate", loss, section_);
}

StepResult SupervisedTrainer::step() {
  const auto start = Clock::now();
  StepResult result;
  result.step = step_ + 1;
  result.metrics =
      learn(shuffler_.next(static_cast<std::size_t>(rows_.per_step)));
  require_finite_loss(result.metrics.at("loss"));
  result.times.policy = seconds_since(start);
  const double rate = learning_rate_at(options_, step_);
  const double norm =
      apply_update(*optimizer_, conditioning_, options_.gradient_clip, rate);
  conditioning_.zero_gradient();
  ++step_;
  const double seconds = seconds_since(start);
  result.times.optimizer = seconds - result.times.policy;
  const auto seen = static_cast<double>(step_ * rows_.per_step);
  result.metrics.insert(
      {{"grad_norm", norm},
       {"learning_rate", rate},
       {"epoch", seen / static_cast<double>(rows_.count)},
       {"step_time", seconds},
       {"tokens_per_second", result.metrics.at("tokens") / seconds}});
  if (ranks_) ranks_->report(result.metrics);
  return result;
}

TrainerState SupervisedTrainer::state() const {
  TrainerState state;
  state.step = step_;
  state.cursor = shuffler_.cursor();
  state.masters = conditioning_.tensors();
  state.optimizer = optimizer_->export_state();
  return state;
}

void SupervisedTrainer::restore(const TrainerState& state) {
  step_ = state.step;
  shuffler_.seek(state.cursor);
  optimizer_->import_state(state.optimizer);
  restore_masters(state.masters, conditioning_);
}

}  // namespace moft
