// Parameters and linear maps of a model under construction.
#include "moft/models/model_builder.h"

namespace moft {

ModelBuilder::ModelBuilder(
    Steerable& steerable, const FindParameter& find, const LoadOptions& options)
    : steerable_(steerable), find_(find), options_(options) {}

std::shared_ptr<SteeredParameter> ModelBuilder::parameter(
    const std::string& name, std::vector<std::int64_t> shape) {
  kernels::RowSource rows = find_(name, shape);
  if (options_.change) rows = options_.change(name, shape, std::move(rows));
  auto made = std::make_shared<SteeredParameter>(
      name, std::move(shape), options_.device, std::move(rows));
  made->set_storage(options_.storage);
  steerable_.parameters.push_back(made);
  return made;
}

void ModelBuilder::linear(
    SteeredLinear& linear, const char* kind, const LinearShape& shape) {
  auto weight = parameter(shape.name + ".weight", {shape.out, shape.in});
  linear = SteeredLinear(
      std::move(weight),
      shape.bias ? parameter(shape.name + ".bias", {shape.out}) : nullptr);
  steerable_.linears.push_back({shape.name, kind, layer_, &linear});
}

void ModelBuilder::head(
    SteeredLinear& head,
    const std::string& name,
    const std::shared_ptr<SteeredParameter>& embedding,
    bool tied) {
  head = SteeredLinear(
      tied ? embedding : parameter(name + ".weight", embedding->shape()));
  steerable_.linears.push_back({name, "head", steerable_.layers, &head});
}

std::int64_t ModelBuilder::count() const {
  std::int64_t numbers = 0;
  for (const auto& parameter : steerable_.parameters)
    numbers += parameter->numel();
  return numbers;
}

}  // namespace moft
