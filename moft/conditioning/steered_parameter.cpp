// A parameter's copies, its mixed values and their packed forms.
#include "moft/conditioning/steered_parameter.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "moft/conditioning/mixing.h"
#include "moft/kernels/parallel.h"

namespace moft {
namespace {

// Sources of mix(). The reference is not read from its file for a coefficient
// of 0, which mix() skips: a copy holds its place.
std::vector<at::Tensor> sources_for(
    const SteeredParameter& parameter, const Coefficients& coefficients) {
  if (coefficients.reference() != 0.0) return parameter.sources();
  std::vector<at::Tensor> sources = parameter.copies();
  sources.insert(sources.begin(), sources.at(0));
  return sources;
}

}  // namespace

SteeredParameter::SteeredParameter(std::string name, at::Tensor reference)
    : name_(std::move(name)),
      shape_(reference.sizes().vec()),
      device_(reference.device()),
      reference_(std::move(reference)) {}

SteeredParameter::SteeredParameter(
    std::string name,
    std::vector<std::int64_t> shape,
    at::Device device,
    kernels::RowSource source)
    : name_(std::move(name)),
      shape_(std::move(shape)),
      device_(device),
      source_(std::move(source)) {}

std::int64_t SteeredParameter::numel() const {
  return std::accumulate(
      shape_.begin(), shape_.end(), std::int64_t{1}, std::multiplies<>());
}

const at::Tensor& SteeredParameter::reference() const {
  if (!reference_.defined()) {
    at::Tensor value = at::empty(shape_, at::kFloat);
    const bool vector = shape_.size() < 2;
    const std::int64_t width = vector ? numel() : numel() / shape_[0];
    float* target = value.mutable_data_ptr<float>();
    kernels::parallel_ranges(
        vector ? 1 : shape_[0], 64, [&](auto begin, auto end) {
          source_.floats(begin, end, target + begin * width);
        });
    reference_ = value.to(device_);
  }
  return reference_;
}

void SteeredParameter::make_steered(
    std::int64_t objectives, const std::optional<TensorPart>& part) {
  role_ = ParameterRole::kSteered;
  part_ = part;
  copies_.clear();
  parts_.clear();
  for (std::int64_t i = 0; i < objectives; ++i) {
    if (part) {
      parts_.push_back(part_of_reference().clone());
    } else {
      copies_.push_back(reference().clone());
    }
  }
  // What can be read again need not be kept beside the copies.
  if (source_.floats != nullptr) reference_ = at::Tensor();
  copies_changed();
}

void SteeredParameter::make_shared() {
  role_ = ParameterRole::kShared;
  copies_ = {reference().clone()};
  copies_changed();
}

at::Tensor SteeredParameter::part_of_reference() const {
  return reference().reshape({-1}).narrow(0, part_->begin, part_->count());
}

at::Tensor SteeredParameter::mixed_part(const Coefficients& c) const {
  std::vector<at::Tensor> sources = parts_;
  sources.insert(
      sources.begin(),
      c.reference() == 0.0 ? parts_.at(0) : part_of_reference());
  return mix(sources, c);
}

void SteeredParameter::put_mixture(const Coefficients& c, at::Tensor value) {
  copies_changed();
  mixture_.emplace(c, std::move(value));
}

void SteeredParameter::hold_copies(std::vector<at::Tensor> copies) {
  copies_ = std::move(copies);
  copies_changed();
}

void SteeredParameter::copies_changed() {
  mixture_.reset();
  // What reads the reference stays valid.
  std::erase_if(cache_, [](const Mixed& entry) {
    return !entry.coefficients.is_frozen_reference();
  });
}

// Coefficients that mean the same tensor have the same key.
Coefficients SteeredParameter::cache_key(
    const Coefficients& coefficients) const {
  const bool reference =
      role_ == ParameterRole::kFrozen || coefficients.is_frozen_reference() ||
      (role_ == ParameterRole::kSteered && coefficients.reference() == 1.0);
  if (reference) return Coefficients::frozen_reference();
  if (role_ == ParameterRole::kSteered) return coefficients;
  return Coefficients(0.0, Weighting::uniform(1));
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
  // All sources, and in a wide job one mixture beside them; the new one is
  // included.
  const std::size_t beside = way_ == SteeringWay::kWide ? 2 : 1;
  const std::size_t kept = std::max(masters().size() + beside, room_);
  while (cache_.size() >= kept)
    cache_.pop_back();
  cache_.push_front(Mixed{key, {}, std::nullopt});
  return cache_.front();
}

std::vector<at::Tensor> SteeredParameter::sources() const {
  TORCH_CHECK(!lacks_copies(), "[steered_parameter] no copies of ", name_);
  std::vector<at::Tensor> sources{reference()};
  sources.insert(sources.end(), copies_.begin(), copies_.end());
  return sources;
}

at::Tensor SteeredParameter::value_of(Mixed& entry) const {
  if (entry.value.defined()) return entry.value;
  if (entry.coefficients.is_frozen_reference()) {
    entry.value = reference();
  } else if (role_ == ParameterRole::kShared) {
    entry.value = copies_[0];
  } else if (lacks_copies()) {
    TORCH_CHECK(
        mixture_ && mixture_->first == entry.coefficients,
        "[steered_parameter] no mixture of ",
        name_,
        " was put in");
    entry.value = mixture_->second;
  } else {
    entry.value =
        mix(sources_for(*this, entry.coefficients), entry.coefficients);
  }
  return entry.value;
}

at::Tensor SteeredParameter::value(const Coefficients& coefficients) const {
  return value_of(mixed(coefficients));
}

const kernels::FrozenWeight& SteeredParameter::packed(
    const Coefficients& coefficients) const {
  Mixed& entry = mixed(coefficients);
  if (!entry.packed) entry.packed = pack(entry);
  return *entry.packed;
}

// Packing from the file or from the copies saves a plain tensor, and keeps the
// file's blocks.
kernels::FrozenWeight SteeredParameter::pack(Mixed& entry) const {
  const bool rows = device_.is_cpu() && shape_.size() == 2;
  const auto from = [&](const kernels::RowSource& source) {
    return kernels::FrozenWeight(
        kernels::PackedMatrix(shape_[0], shape_[1], source, storage_));
  };
  const bool reference = entry.coefficients.is_frozen_reference();
  const bool in_blocks = source_.blocks.layout.bits != 0;
  const bool in_file = reference && source_.floats != nullptr;
  if (rows && in_file && (in_blocks || !reference_.defined()))
    return from(source_);
  const bool steered = !reference && role_ == ParameterRole::kSteered;
  if (rows && steered && lacks_copies()) {
    return from(
        mixed_rows({value_of(entry)}, Coefficients::frozen_reference()));
  }
  if (rows && steered && !entry.value.defined())
    return from(
        mixed_rows(sources_for(*this, entry.coefficients), entry.coefficients));
  return kernels::FrozenWeight(value_of(entry), storage_);
}

at::Tensor SteeredParameter::rows(
    const at::Tensor& ids, const Coefficients& coefficients) const {
  const bool from_panels = role_ == ParameterRole::kFrozen && tied_head_ &&
                           storage_ == kernels::Storage::kFloat32;
  if (from_panels) return packed(coefficients).forward().rows(ids);
  const Coefficients key = cache_key(coefficients);
  // On a CPU a whole table is not mixed for a few of its rows, and they take no
  // place in the cache; elsewhere few operations count for more than few
  // numbers.
  const bool few_rows = device_.is_cpu() && ids.numel() < shape_[0];
  const bool there = std::ranges::any_of(cache_, [&](const Mixed& entry) {
    return entry.coefficients == key && entry.value.defined();
  });
  const bool mixes = role_ == ParameterRole::kSteered && few_rows &&
                     !key.is_frozen_reference() && !there && !lacks_copies();
  if (!mixes) return value(coefficients).index_select(0, ids);
  std::vector<at::Tensor> few = sources_for(*this, key);
  for (at::Tensor& source : few)
    source = source.index_select(0, ids);
  return mix(few, key);
}

void SteeredParameter::begin_gradient(const Coefficients& coefficients) {
  leaf_ = value(coefficients).detach();
  leaf_.set_requires_grad(true);
}

void SteeredParameter::end_gradient() {
  leaf_ = at::Tensor();
}

}  // namespace moft
