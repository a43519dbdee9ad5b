#include "moft/conditioning/steered_parameter.h"

#include "moft/conditioning/mixing.h"
#include "moft/conditioning/row_steering.h"

namespace moft {

SteeredParameter::SteeredParameter(std::string name, at::Tensor reference)
    : name_(std::move(name)), reference_(std::move(reference)) {}

void SteeredParameter::make_steered(std::int64_t objectives) {
  role_ = ParameterRole::kSteered;
  copies_.clear();
  for (std::int64_t i = 0; i < objectives; ++i) {
    copies_.push_back(reference_.clone());
  }
  copies_changed();
}

void SteeredParameter::make_shared() {
  role_ = ParameterRole::kShared;
  copies_ = {reference_.clone()};
  copies_changed();
}

void SteeredParameter::set_copy(std::size_t i, const at::Tensor& value) {
  TORCH_CHECK(
      value.sizes() == reference_.sizes(),
      "[steered_parameter] copy of ",
      name_,
      " has shape ",
      value.sizes(),
      ", expected ",
      reference_.sizes());
  copies_.at(i).copy_(value);
  copies_changed();
}

void SteeredParameter::copies_changed() {
  // What reads the reference stays valid.
  std::erase_if(cache_, [this](const Mixed& entry) {
    return !entry.value.is_same(reference_);
  });
}

// All coefficients of a frozen or shared parameter mean the same tensor.
Coefficients SteeredParameter::cache_key(
    const Coefficients& coefficients) const {
  if (role_ == ParameterRole::kSteered) return coefficients;
  return reference_coefficients(1);
}

SteeredParameter::Mixed& SteeredParameter::mixed(
    const Coefficients& coefficients) const {
  const Coefficients key = cache_key(coefficients);
  for (auto entry = cache_.begin(); entry != cache_.end(); ++entry) {
    if (entry->coefficients == key) {
      cache_.splice(cache_.begin(), cache_, entry);
      return cache_.front();
    }
  }
  // At most m+1 mixed values live beside the copies.
  while (cache_.size() > copies_.size())
    cache_.pop_back();
  at::Tensor value = reference_;
  if (role_ == ParameterRole::kShared) {
    value = copies_[0];
  } else if (role_ == ParameterRole::kSteered && key.reference() != 1.0) {
    std::vector<at::Tensor> sources{reference_};
    sources.insert(sources.end(), copies_.begin(), copies_.end());
    value = mix(sources, key);
  }
  cache_.push_front(Mixed{key, value, std::nullopt});
  return cache_.front();
}

at::Tensor SteeredParameter::value(const Coefficients& coefficients) const {
  return mixed(coefficients).value;
}

const kernels::FrozenWeight& SteeredParameter::packed(
    const Coefficients& coefficients) const {
  Mixed& entry = mixed(coefficients);
  if (!entry.packed) entry.packed.emplace(entry.value, storage_);
  return *entry.packed;
}

void SteeredParameter::begin_gradient(const Coefficients& coefficients) {
  leaf_ = value(coefficients).detach();
  leaf_.set_requires_grad(true);
}

void SteeredParameter::end_gradient() {
  leaf_ = at::Tensor();
}

}  // namespace moft
