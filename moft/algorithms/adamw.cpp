// AdamW over copies that share one gradient.
#include "moft/algorithms/adamw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "moft/algorithms/adamw_update.h"
#include "moft/core/errors.h"
#include "moft/kernels/parallel.h"

namespace moft {
namespace {

constexpr const char* kFirst = "first_moment";
constexpr const char* kSecond = "second_moment";
constexpr std::int64_t kChunk = 1 << 14;
// Elements per call of the ATen way, so that its temporaries stay small.
constexpr std::int64_t kForeachElements = 1 << 26;

void check_options(const AdamWOptions& options) {
  for (const double beta : {options.beta1, options.beta2}) {
    if (!(beta >= 0.0 && beta < 1.0)) {
      throw_caller_error(
          "adamw: a beta is {}; give a number of at least 0 and below 1", beta);
    }
  }
  if (!(options.epsilon > 0.0) || !std::isfinite(options.epsilon)) {
    throw_caller_error(
        "adamw: epsilon is {}; give a number above 0", options.epsilon);
  }
  if (!(options.weight_decay >= 0.0) || !std::isfinite(options.weight_decay)) {
    throw_caller_error(
        "adamw: weight decay is {}; give a number of at least 0",
        options.weight_decay);
  }
}

// One parameter's part in a step.
struct Update {
  at::Tensor master;
  at::Tensor first_moment;   // m, shape of the master
  at::Tensor second_moment;  // v
  at::Tensor gradient;       // undefined: zero; plain where the master is
  AdamWScalars scalars;

  bool is_direct() const { return is_plain(master); }
};

struct Chunk {
  float* theta;
  float* m;
  float* v;
  const float* g;
  std::int64_t count;
  const AdamWScalars* scalars;
};

const float* zero_chunk() {
  static const std::array<float, kChunk> zeros{};
  return zeros.data();
}

void append_chunks(const Update& update, std::vector<Chunk>& chunks) {
  auto* theta = update.master.mutable_data_ptr<float>();
  auto* m = update.first_moment.mutable_data_ptr<float>();
  auto* v = update.second_moment.mutable_data_ptr<float>();
  const bool zero = !update.gradient.defined();
  const float* g = zero ? nullptr : update.gradient.const_data_ptr<float>();
  const std::int64_t count = update.master.numel();
  for (std::int64_t at = 0; at < count; at += kChunk) {
    chunks.push_back(
        {theta + at,
         m + at,
         v + at,
         zero ? zero_chunk() : g + at,
         std::min(kChunk, count - at),
         &update.scalars});
  }
}

void run_direct(const std::vector<const Update*>& updates) {
  std::vector<Chunk> chunks;
  for (const Update* update : updates)
    append_chunks(*update, chunks);
  kernels::parallel_ranges(
      static_cast<std::int64_t>(chunks.size()),
      4,
      [&](std::int64_t begin, std::int64_t end) {
        for (auto i = begin; i < end; ++i) {
          const Chunk& c = chunks[i];
          adamw_update(c.theta, c.m, c.v, c.g, c.count, *c.scalars);
        }
      });
}

// The same arithmetic by ATen's list operations.
void run_foreach(const std::vector<const Update*>& updates) {
  std::vector<at::Tensor> theta, m, v, g;
  std::vector<at::Scalar> scale, decay, step, correction;
  for (const Update* update : updates) {
    const AdamWScalars& s = update->scalars;
    // A part of a parameter is flat, even where it is the whole.
    const at::IntArrayRef shape = update->master.sizes();
    theta.push_back(update->master);
    m.push_back(update->first_moment.view(shape));
    v.push_back(update->second_moment.view(shape));
    g.push_back(
        update->gradient.defined()
            ? update->gradient.to(update->master.device(), at::kFloat)
                  .reshape(shape)
            : at::zeros_like(update->master));
    scale.emplace_back(s.gradient_scale);
    decay.emplace_back(s.decay);
    step.emplace_back(s.negative_step_size);
    correction.emplace_back(s.second_correction);
  }
  const AdamWScalars& common = updates.front()->scalars;
  const auto gradient = at::_foreach_mul(g, scale);
  at::_foreach_lerp_(m, gradient, common.one_minus_beta1);
  at::_foreach_mul_(v, common.beta2);
  at::_foreach_addcmul_(v, gradient, gradient, common.one_minus_beta2);
  auto denominator = at::_foreach_sqrt(v);
  at::_foreach_div_(denominator, correction);
  at::_foreach_add_(denominator, common.epsilon);
  at::_foreach_mul_(theta, decay);
  at::_foreach_addcdiv_(theta, m, denominator, step);
}

void run(const std::vector<Update>& updates) {
  std::vector<const Update*> direct, listed;
  std::int64_t elements = 0;
  for (const Update& update : updates) {
    if (update.is_direct()) {
      direct.push_back(&update);
      continue;
    }
    listed.push_back(&update);
    elements += update.master.numel();
    if (elements >= kForeachElements) {
      run_foreach(listed);
      listed.clear();
      elements = 0;
    }
  }
  run_direct(direct);
  if (!listed.empty()) run_foreach(listed);
}

AdamWScalars scalars_for(
    const AdamWOptions& options,
    std::int64_t steps,
    double gradient_scale,
    double learning_rate,
    bool decays) {
  const auto t = static_cast<double>(steps);
  const double decay = decays ? options.weight_decay : 0.0;
  const double first = 1.0 - std::pow(options.beta1, t);
  const double second = 1.0 - std::pow(options.beta2, t);
  return {
      .gradient_scale = static_cast<float>(gradient_scale),
      .decay = static_cast<float>(1.0 - learning_rate * decay),
      .one_minus_beta1 = static_cast<float>(1.0 - options.beta1),
      .beta2 = static_cast<float>(options.beta2),
      .one_minus_beta2 = static_cast<float>(1.0 - options.beta2),
      .negative_step_size = static_cast<float>(-learning_rate / first),
      .second_correction = static_cast<float>(std::sqrt(second)),
      .epsilon = static_cast<float>(options.epsilon)};
}

}  // namespace

AdamW::AdamW(
    std::vector<TrainedTensor> parameters, AdamWOptions options, Ranks ranks)
    : Optimizer(
          "adamw",
          std::move(parameters),
          options.dense,
          Division::kChunks,
          std::move(ranks)),
      options_(options) {
  check_options(options_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    for (const char* moment : {kFirst, kSecond})
      add_moment(i, moment, parameters_[i].shape());
  }
}

void AdamW::update(const std::vector<Part>& parts, double learning_rate) {
  std::vector<Update> updates;
  // A shard's gradient is plain, so a whole one is made so too.
  const auto like_master = [](const Part& part) {
    const at::Tensor& gradient = part.gradient;
    if (!gradient.defined() || !is_plain(part.master) || is_plain(gradient))
      return gradient;
    return gradient.to(at::kCPU, at::kFloat).contiguous();
  };
  for (const Part& part : parts) {
    const TrainedTensor& parameter = parameters_[part.index];
    const OptimizerState& state = states_[part.index];
    updates.push_back(
        {part.master,
         state.moments.at(kFirst),
         state.moments.at(kSecond),
         like_master(part),
         scalars_for(
             options_,
             state.steps,
             part.scale,
             learning_rate,
             parameter.decays)});
  }
  run(updates);
}

}  // namespace moft
