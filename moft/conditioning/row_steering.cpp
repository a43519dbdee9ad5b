// Which coefficients each row carries, and the tensors derived from them.
#include "moft/conditioning/row_steering.h"

#include <algorithm>
#include <iterator>

namespace moft {

RowSteering RowSteering::uniform(Coefficients coefficients) {
  RowSteering steering;
  steering.distinct_.push_back(std::move(coefficients));
  return steering;
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
  steering.derived_->table = derived_->table;
  return steering;
}

const at::Tensor& RowSteering::coefficients(at::Device device) const {
  at::Tensor& cached = derived_->coefficients;
  if (cached.defined()) return cached;
  const at::Tensor rows = table(device).to(at::kFloat);
  cached = is_uniform() ? rows : rows.index_select(0, index_);
  return cached;
}

const at::Tensor& RowSteering::table(at::Device device) const {
  at::Tensor& cached = derived_->table;
  if (cached.defined()) return cached;
  std::size_t width = 0;
  for (const Coefficients& c : distinct_)
    width = std::max(width, c.values().size());
  std::vector<double> all;
  for (const Coefficients& c : distinct_) {
    std::vector<double> values = c.values();
    values.resize(width, 0.0);  // the frozen reference's
    all.insert(all.end(), values.begin(), values.end());
  }
  cached = at::tensor(all, at::kDouble)
               .view({static_cast<std::int64_t>(distinct_.size()), -1})
               .to(device);
  return cached;
}

const at::Tensor& RowSteering::copy_coefficients(
    std::int64_t repeats, at::Device device) const {
  at::Tensor& cached = derived_->repeated[repeats];
  if (!cached.defined()) {
    const at::Tensor& all = coefficients(device);
    cached = all.narrow(1, 1, all.size(1) - 1)
                 .repeat_interleave(repeats, 1)
                 .contiguous();
  }
  return cached;
}

const at::Tensor& RowSteering::rows_of(std::size_t k) const {
  std::vector<at::Tensor>& cached = derived_->rows;
  cached.resize(distinct_.size());
  at::Tensor& rows = cached.at(k);
  if (!rows.defined()) {
    rows = index_.eq(static_cast<std::int64_t>(k)).nonzero().view(-1);
  }
  return rows;
}

const at::Tensor& RowSteering::rows_of_reference(bool reference) const {
  at::Tensor& rows = derived_->rows_of_reference[reference ? 1 : 0];
  if (rows.defined()) return rows;
  at::Tensor frozen = at::zeros_like(index_, at::kBool);
  for (std::size_t k = 0; k < distinct_.size(); ++k) {
    if (!distinct_[k].is_frozen_reference()) continue;
    frozen |= index_.eq(static_cast<std::int64_t>(k));
  }
  rows = (reference ? frozen : frozen.logical_not()).nonzero().view(-1);
  return rows;
}

}  // namespace moft
