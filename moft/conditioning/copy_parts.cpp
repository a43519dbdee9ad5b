// Mixtures and whole copies from the parts that ranks hold.
#include "moft/conditioning/copy_parts.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <nlohmann/json.hpp>

namespace moft {
namespace {

using Json = nlohmann::json;

// What rank 0 asks for.
constexpr const char* kMixture = "mixture";
constexpr const char* kParameter = "parameter";
constexpr const char* kCopy = "copy";

bool reads_copies(const Coefficients& c) {
  return !c.is_frozen_reference() && c.reference() != 1.0;
}

}  // namespace

CopyParts::CopyParts(
    std::vector<std::shared_ptr<SteeredParameter>> parameters,
    const std::vector<bool>& steered,
    Ranks ranks)
    : parameters_(std::move(parameters)), ranks_(std::move(ranks)) {
  std::vector<std::int64_t> sizes;
  for (std::size_t p = 0; p < parameters_.size(); ++p)
    sizes.push_back(steered[p] ? parameters_[p]->numel() : 0);
  shards_ = divide(sizes, ranks_.size);
}

TensorPart CopyParts::part(std::size_t parameter) const {
  for (const Shard& shard : shards_) {
    if (shard.parameter == parameter && shard.rank == ranks_.rank)
      return {parameters_[parameter]->shape(), shard.begin, shard.end};
  }
  return {parameters_[parameter]->shape()};
}

std::vector<at::Tensor> CopyParts::exchange(
    const std::vector<Shard>& shards, const Own& own) const {
  const at::NoGradGuard no_gradient;
  std::vector<TrainedTensor> tensors(parameters_.size());
  for (const Shard& shard : shards) {
    at::Tensor& whole = tensors[shard.parameter].master;
    if (!whole.defined())
      whole = at::empty(parameters_[shard.parameter]->shape(), at::kFloat);
    if (shard.rank == ranks_.rank) {
      whole.view(-1)
          .narrow(0, shard.begin, shard.count())
          .copy_(own(shard.parameter));
    }
  }
  exchange_shards(tensors, shards, ranks_);
  std::vector<at::Tensor> result;
  for (std::size_t p = 0; p < tensors.size(); ++p) {
    const at::Tensor& whole = tensors[p].master;
    result.push_back(
        whole.defined() ? whole.to(parameters_[p]->device()) : whole);
  }
  return result;
}

void CopyParts::gather(const Coefficients& c) {
  if (held_ || gathered_ == c || !reads_copies(c)) return;
  announce(Json::object({{kMixture, c.values()}}).dump());
  // The mixture before makes room.
  forget();
  for (const auto& parameter : parameters_)
    if (parameter->steered()) parameter->copies_changed();
  std::vector<at::Tensor> mixtures = exchange(
      shards_, [&](std::size_t p) { return parameters_[p]->mixed_part(c); });
  for (std::size_t p = 0; p < mixtures.size(); ++p)
    if (mixtures[p].defined())
      parameters_[p]->put_mixture(c, std::move(mixtures[p]));
  gathered_ = c;
}

at::Tensor CopyParts::whole(std::size_t parameter, std::size_t copy) {
  if (held_) return parameters_[parameter]->copies()[copy];
  announce(Json::object({{kParameter, parameter}, {kCopy, copy}}).dump());
  std::vector<Shard> shards = shards_;
  std::erase_if(
      shards, [&](const Shard& shard) { return shard.parameter != parameter; });
  return exchange(shards, [&](std::size_t p) {
    return parameters_[p]->masters()[copy];
  })[parameter];
}

void CopyParts::hold() {
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    if (!parameters_[p]->steered()) continue;
    std::vector<at::Tensor> copies;
    for (std::size_t i = 0; i < parameters_[p]->masters().size(); ++i)
      copies.push_back(whole(p, i));
    parameters_[p]->hold_copies(std::move(copies));
  }
  held_ = true;
  forget();
}

void CopyParts::drop() {
  for (const auto& parameter : parameters_)
    if (parameter->steered()) parameter->hold_copies({});
  held_ = false;
}

// ---- rank 0 asks, the others answer -----------------------------------------

void CopyParts::announce(const std::string& request) const {
  if (serving_) ranks_.gather(request);
}

void CopyParts::answer(const std::string& text) {
  const auto request = Json::parse(text);
  if (request.contains(kCopy)) {
    whole(
        request.at(kParameter).get<std::size_t>(),
        request.at(kCopy).get<std::size_t>());
    return;
  }
  gather(Coefficients::of(request.at(kMixture).get<std::vector<double>>()));
}

void CopyParts::serve(const std::function<void()>& work) {
  if (ranks_.rank != 0) {
    for (;;) {
      const std::string request = ranks_.gather({}).front();
      if (request.empty()) return;
      answer(request);
    }
  }
  serving_ = true;
  std::exception_ptr error;
  try {
    work();
  } catch (...) {
    error = std::current_exception();
  }
  serving_ = false;
  ranks_.gather({});
  if (error) std::rethrow_exception(error);
}

}  // namespace moft
