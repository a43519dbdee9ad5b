#include "moft/conditioning/row_steering.h"

#include <algorithm>
#include <iterator>

namespace moft {

Coefficients reference_coefficients(std::int64_t objectives) {
  const auto count =
      static_cast<std::size_t>(std::max<std::int64_t>(1, objectives));
  return Coefficients::frozen_reference(count);
}

RowSteering RowSteering::uniform(Coefficients coefficients) {
  RowSteering steering;
  steering.distinct_.push_back(std::move(coefficients));
  return steering;
}

RowSteering RowSteering::reference(std::int64_t objectives) {
  return uniform(reference_coefficients(objectives));
}

RowSteering RowSteering::per_row(
    const std::vector<Coefficients>& distinct,
    const std::vector<std::int64_t>& index_of_row,
    at::Device device) {
  RowSteering steering;
  std::vector<std::int64_t> index;
  std::vector<std::int64_t> merged(distinct.size(), -1);
  for (const std::int64_t given : index_of_row) {
    auto& target = merged.at(static_cast<std::size_t>(given));
    if (target < 0) {
      const auto& wanted = distinct[static_cast<std::size_t>(given)];
      auto& kept = steering.distinct_;
      const auto found = std::find(kept.begin(), kept.end(), wanted);
      target = found - kept.begin();
      if (found == kept.end()) kept.push_back(wanted);
    }
    index.push_back(target);
  }
  TORCH_CHECK(!index.empty(), "[row_steering] a batch needs at least one row");
  if (steering.distinct_.size() > 1) {
    steering.index_ = at::tensor(index, at::kLong).to(device);
  }
  return steering;
}

bool RowSteering::is_reference() const {
  return is_uniform() && distinct_[0].reference() == 1.0;
}

bool RowSteering::some_read_the_reference() const {
  const auto frozen = std::count_if(
      distinct_.begin(), distinct_.end(), [](const Coefficients& c) {
        return c.is_frozen_reference();
      });
  return frozen > 0 && frozen < std::ssize(distinct_);
}

RowSteering RowSteering::select(const at::Tensor& rows) const {
  if (is_uniform()) return uniform(distinct_[0]);
  RowSteering steering;
  steering.distinct_ = distinct_;
  steering.index_ = index_.index_select(0, rows);
  return steering;
}

const at::Tensor& RowSteering::coefficients(at::Device device) const {
  if (coefficients_.defined()) return coefficients_;
  const auto width = static_cast<std::int64_t>(distinct_[0].values().size());
  const auto count = static_cast<std::int64_t>(distinct_.size());
  at::Tensor table = at::empty({count, width}, at::kFloat);
  for (std::int64_t k = 0; k < count; ++k) {
    for (std::int64_t i = 0; i < width; ++i) {
      table.data_ptr<float>()[k * width + i] =
          static_cast<float>(distinct_[static_cast<std::size_t>(k)]
                                 .values()[static_cast<std::size_t>(i)]);
    }
  }
  table = table.to(device);
  coefficients_ = is_uniform() ? table : table.index_select(0, index_);
  return coefficients_;
}

const at::Tensor& RowSteering::copy_coefficients(
    std::int64_t repeats, at::Device device) const {
  at::Tensor& cached = repeated_[repeats];
  if (!cached.defined()) {
    const at::Tensor& all = coefficients(device);
    cached = all.narrow(1, 1, all.size(1) - 1)
                 .repeat_interleave(repeats, 1)
                 .contiguous();
  }
  return cached;
}

}  // namespace moft
