// Copies of steered parameters, and the gradients of a step per copy.
#include "moft/conditioning/parameter_copies.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>

#include "moft/conditioning/steered_set.h"

namespace moft {
namespace {

const std::string kShared = "shared";

bool trains(const SteeredParameter& parameter) {
  return parameter.role() != ParameterRole::kFrozen;
}

}  // namespace

ParameterCopies::ParameterCopies(
    Steerable& model,
    const ConditioningOptions& options,
    std::vector<std::string> objectives,
    const Ranks& ranks)
    : Conditioning(model, options, std::move(objectives), ranks) {
  const auto count = static_cast<std::int64_t>(this->objectives().size());
  std::vector<bool> differs = choose_steered(model_, options);
  if (ranks.size > 1)
    parts_ = std::make_unique<CopyParts>(model_.parameters, differs, ranks);
  for (std::size_t p = 0; p < differs.size(); ++p) {
    if (differs[p]) {
      std::optional<TensorPart> part;
      if (parts_) part = parts_->part(p);
      model_.parameters[p]->make_steered(count, part);
    } else if (!options.freeze_shared) {
      model_.parameters[p]->make_shared();
      differs[p] = true;  // from the reference
    }
  }
  accumulated_.resize(model_.parameters.size());
  model_.first_steered_layer = first_layer_of(model_, differs);
  list_trained();
}

void ParameterCopies::list_trained() {
  for (std::size_t p = 0; p < model_.parameters.size(); ++p) {
    const SteeredParameter& parameter = *model_.parameters[p];
    for (std::size_t i = 0; i < parameter.masters().size(); ++i) {
      const std::string& owner =
          parameter.steered() ? objectives()[i] : kShared;
      trained_.push_back(
          {owner + "/" + parameter.name(),
           parameter.masters()[i],
           parameter.shape().size() == 2});
      if (parameter.steered()) trained_.back().copy = i;
      trained_.back().part = parameter.part();
      parameter_of_.push_back(p);
    }
  }
}

// Copies that are rounded one by one do not sum to the rounded mixture, so
// weights in bf16 are mixed first in every job.
SteeringWay ParameterCopies::way_for(std::int64_t distinct) const {
  const auto sources = static_cast<std::int64_t>(objectives().size()) + 1;
  const auto& parameters = model_.parameters;
  const bool rounded = std::any_of(
      parameters.begin(), parameters.end(), [](const auto& parameter) {
        return parameter->steered() &&
               parameter->storage() != kernels::Storage::kFloat32;
      });
  return distinct > sources && !rounded ? SteeringWay::kWide
                                        : SteeringWay::kMixed;
}

void ParameterCopies::expect_steerings(std::int64_t distinct) {
  const SteeringWay way = way_for(distinct);
  for (const auto& parameter : model_.parameters)
    parameter->set_way(way);
}

std::string ParameterCopies::steering_way(std::int64_t distinct) const {
  if (options().steered_set == SteeredSet::kNone) return "prompt only";
  return way_for(distinct) == SteeringWay::kWide ? "wide product"
                                                 : "mixed weights";
}

void ParameterCopies::zero_gradient() {
  for (Accumulated& entry : accumulated_)
    entry = Accumulated();
  several_ = false;
  noted_.reset();
}

void ParameterCopies::note_steerings(
    const std::vector<Coefficients>& steerings) {
  for (const Coefficients& c : steerings)
    several_ = several_ || c != steerings.front();
  if (!steerings.empty()) noted_ = steerings.front();
}

void ParameterCopies::begin_gradient(const Coefficients& coefficients) {
  for (const auto& parameter : model_.parameters) {
    if (trains(*parameter)) parameter->begin_gradient(coefficients);
  }
}

void ParameterCopies::end_gradient(const Coefficients& coefficients) {
  for (std::size_t p = 0; p < accumulated_.size(); ++p) {
    SteeredParameter& parameter = *model_.parameters[p];
    if (!trains(parameter)) continue;
    accumulate(p, coefficients);
    parameter.end_gradient();
  }
}

void ParameterCopies::end_slice() {
  for (Accumulated& entry : accumulated_) {
    entry.single.end_slice();
    for (GradientSum& copy : entry.per_copy)
      copy.end_slice();
  }
}

bool ParameterCopies::sums_copies(std::size_t parameter) const {
  return several_ && model_.parameters[parameter]->steered();
}

GradientSlice ParameterCopies::take_slice() {
  GradientSlice sums;
  for (std::size_t p = 0; p < accumulated_.size(); ++p) {
    if (!trains(*model_.parameters[p])) continue;
    Accumulated& entry = accumulated_[p];
    if (sums_copies(p)) {
      entry.per_copy.resize(objectives().size());
      for (GradientSum& copy : entry.per_copy)
        sums.push_back(copy.take());
    } else {
      sums.push_back(entry.single.take());
    }
  }
  return sums;
}

void ParameterCopies::put_slice(GradientSlice sums) {
  auto next = sums.begin();
  const auto put = [&](GradientSum& sum, std::size_t p) {
    TORCH_CHECK(next != sums.end(), "[parameter_copies] too few sums");
    const SteeredParameter& parameter = *model_.parameters[p];
    if (next->defined())
      sum.add(next->to(parameter.device()).view(parameter.shape()));
    ++next;
  };
  for (std::size_t p = 0; p < accumulated_.size(); ++p) {
    if (!trains(*model_.parameters[p])) continue;
    Accumulated& entry = accumulated_[p];
    if (sums_copies(p)) {
      entry.per_copy.resize(objectives().size());
      for (GradientSum& copy : entry.per_copy)
        put(copy, p);
      continue;
    }
    put(entry.single, p);
    if (entry.single.defined() && model_.parameters[p]->steered())
      entry.coefficients = noted_;
  }
  TORCH_CHECK(next == sums.end(), "[parameter_copies] too many sums");
}

void ParameterCopies::accumulate(std::size_t index, const Coefficients& c) {
  const at::Tensor gradient = model_.parameters[index]->leaf().grad();
  if (!gradient.defined()) return;
  Accumulated& sum = accumulated_[index];
  if (model_.parameters[index]->role() == ParameterRole::kShared) {
    sum.single.add(gradient);
    return;
  }
  const bool first = !sum.coefficients && sum.per_copy.empty();
  if (first && !several_) sum.coefficients = c;
  if (sum.coefficients == c) {
    sum.single.add(gradient);
    return;
  }
  make_per_copy(sum);
  for (std::size_t i = 0; i < objectives().size(); ++i)
    if (c.copy(i) != 0.0) sum.per_copy[i].add(gradient, c.copy(i));
}

void ParameterCopies::make_per_copy(Accumulated& sum) const {
  sum.per_copy.resize(objectives().size());
  if (!sum.coefficients) return;
  for (std::size_t i = 0; i < objectives().size(); ++i) {
    const double c = sum.coefficients->copy(i);
    if (c != 0.0) sum.per_copy[i] = sum.single.times(c);
  }
  sum.single = GradientSum();
  sum.coefficients.reset();
}

ScaledGradient ParameterCopies::gradient(
    std::size_t parameter, std::size_t copy) const {
  const Accumulated& sum = accumulated_[parameter];
  if (sum.coefficients) {
    const double c = sum.coefficients->copy(copy);
    return c == 0.0 ? ScaledGradient{} : ScaledGradient{sum.single.value(), c};
  }
  if (!sum.per_copy.empty()) return {sum.per_copy[copy].value()};
  return {sum.single.value()};  // of a shared parameter, or none
}

std::vector<ScaledGradient> ParameterCopies::gradients() const {
  std::vector<ScaledGradient> result;
  for (std::size_t p = 0; p < accumulated_.size(); ++p) {
    for (std::size_t i = 0; i < model_.parameters[p]->masters().size(); ++i)
      result.push_back(gradient(p, i));
  }
  return result;
}

void ParameterCopies::masters_changed() {
  for (const auto& parameter : model_.parameters) {
    if (trains(*parameter)) parameter->copies_changed();
  }
  if (parts_) parts_->forget();
}

void ParameterCopies::gather(const Coefficients& c) {
  if (parts_) parts_->gather(c);
}

void ParameterCopies::hold_copies() {
  if (parts_) parts_->hold();
}

void ParameterCopies::drop_copies() {
  if (parts_) parts_->drop();
}

void ParameterCopies::serve(const std::function<void()>& work) {
  parts_ ? parts_->serve(work) : Conditioning::serve(work);
}

at::Tensor ParameterCopies::whole(std::size_t index) const {
  const std::optional<std::size_t>& copy = trained_.at(index).copy;
  if (!parts_ || !copy) return Conditioning::whole(index);
  return parts_->whole(parameter_of_[index], *copy);
}

std::map<std::string, at::Tensor> ParameterCopies::merged(
    const Coefficients& c) const {
  at::NoGradGuard no_gradient;
  std::map<std::string, at::Tensor> result;
  for (const auto& parameter : model_.parameters) {
    if (trains(*parameter)) result[parameter->name()] = parameter->value(c);
  }
  return result;
}

}  // namespace moft
