// Counts, saves and loads what conditioning trains, whatever its form.
#include "moft/conditioning/conditioning.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>

#include "moft/conditioning/adapter_set.h"
#include "moft/conditioning/parameter_copies.h"

namespace moft {

Conditioning::Conditioning(
    Steerable& model,
    const ConditioningOptions& options,
    std::vector<std::string> objectives)
    : model_(model), options_(options), objectives_(std::move(objectives)) {
  TORCH_CHECK(!objectives_.empty(), "[conditioning] needs an objective");
  for (const auto& parameter : model_.parameters)
    plain_parameters_ += parameter->numel();
}

std::unique_ptr<Conditioning> install_conditioning(
    Steerable& model,
    const ConditioningOptions& options,
    std::vector<std::string> objectives,
    std::uint64_t seed) {
  if (options.steered_set == SteeredSet::kLora) {
    return std::make_unique<AdapterSet>(
        model, options, std::move(objectives), seed);
  }
  return std::make_unique<ParameterCopies>(
      model, options, std::move(objectives));
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
    result[entry.name] = entry.transposed_in_files
                             ? entry.master.t().contiguous()
                             : entry.master;
  }
  return result;
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
    std::vector<std::int64_t> shape = entry.master.sizes().vec();
    if (entry.transposed_in_files) std::reverse(shape.begin(), shape.end());
    const at::Tensor value = read(entry.name, shape);
    entry.master.copy_(entry.transposed_in_files ? value.t() : value);
  }
  masters_changed();
}

}  // namespace moft
