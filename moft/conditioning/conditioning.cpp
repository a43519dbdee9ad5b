// Counts, saves and loads what conditioning trains, whatever its form.
#include "moft/conditioning/conditioning.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>

#include "moft/conditioning/adapter_set.h"
#include "moft/conditioning/parameter_copies.h"

namespace moft {
namespace {

at::Tensor in_files(const TrainedTensor& entry) {
  return entry.transposed_in_files ? entry.master.t().contiguous()
                                   : entry.master;
}

}  // namespace

std::vector<std::int64_t> shape_in_files(const TrainedTensor& entry) {
  std::vector<std::int64_t> shape = entry.shape().vec();
  if (entry.transposed_in_files) std::reverse(shape.begin(), shape.end());
  return shape;
}

Conditioning::Conditioning(
    Steerable& model,
    const ConditioningOptions& options,
    std::vector<std::string> objectives,
    Ranks ranks)
    : model_(model),
      options_(options),
      objectives_(std::move(objectives)),
      ranks_(std::move(ranks)) {
  TORCH_CHECK(!objectives_.empty(), "[conditioning] needs an objective");
  for (const auto& parameter : model_.parameters)
    plain_parameters_ += parameter->numel();
}

std::unique_ptr<Conditioning> install_conditioning(
    Steerable& model,
    const ConditioningOptions& options,
    std::vector<std::string> objectives,
    std::uint64_t seed,
    const Ranks& ranks) {
  if (options.steered_set == SteeredSet::kLora) {
    return std::make_unique<AdapterSet>(
        model, options, std::move(objectives), seed);
  }
  return std::make_unique<ParameterCopies>(
      model, options, std::move(objectives), ranks);
}

ParameterCounts Conditioning::counts() const {
  const auto objectives = static_cast<std::int64_t>(objectives_.size());
  ParameterCounts counts;
  counts.model = plain_parameters_;
  counts.steered = added();
  std::int64_t trained_shared = 0;
  for (const auto& parameter : model_.parameters) {
    (parameter->steered() ? counts.steered : counts.shared) +=
        parameter->numel();
    if (parameter->role() == ParameterRole::kShared)
      trained_shared += parameter->numel();
  }
  counts.trained = counts.steered * objectives + trained_shared;
  counts.policy = counts.steered * objectives + counts.shared;
  return counts;
}

std::map<std::string, at::Tensor> Conditioning::tensors() const {
  std::map<std::string, at::Tensor> result;
  for (const TrainedTensor& entry : trained()) {
    const std::optional<TensorPart>& part = entry.part;
    if (!part && ranks_.rank == 0) {
      result[entry.name] = in_files(entry);
    } else if (part && part->count() == entry.numel()) {
      result[entry.name] = entry.master.view(part->shape);
    } else if (part && part->count() > 0) {
      result[shard_name(entry.name, part->begin, part->end)] = entry.master;
    }
  }
  return result;
}

at::Tensor Conditioning::whole(std::size_t index) const {
  return in_files(trained_.at(index));
}

std::vector<std::string> Conditioning::tensor_names() const {
  std::vector<std::string> names;
  for (const TrainedTensor& entry : trained())
    names.push_back(entry.name);
  return names;
}

void Conditioning::load(const ReadTensor& read) {
  at::NoGradGuard no_gradient;
  for (const TrainedTensor& entry : trained()) {
    const at::Tensor value = read(entry.name, shape_in_files(entry));
    if (!value.defined()) continue;
    if (entry.part) {
      entry.master.copy_(value.reshape({-1}).narrow(
          0, entry.part->begin, entry.part->count()));
    } else {
      entry.master.copy_(entry.transposed_in_files ? value.t() : value);
    }
  }
  masters_changed();
}

}  // namespace moft
