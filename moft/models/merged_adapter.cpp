// Adds an adapter's rows to those of the base.
#include "moft/models/merged_adapter.h"

#include <cmath>

#include <fmt/ranges.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/models/model_tensors.h"

namespace moft {
namespace {

constexpr std::string_view kWeight = ".weight";

std::vector<float> numbers_of(
    const TensorSource& source, const TensorView& view) {
  check_finite(source, view);
  std::vector<float> numbers(static_cast<std::size_t>(view.element_count()));
  to_float(view, numbers);
  return numbers;
}

// The factors of one module, for rows of W: row i gets
// scale * sum_k rows[i, k] columns[k, ..].
struct Factors {
  std::int64_t rank = 0;
  std::int64_t width = 0;
  double scale = 1.0;
  std::vector<float> rows;       // [out, rank]
  std::vector<float> columns;    // [rank, width]
  std::vector<float> magnitude;  // [out], or none

  // Writes row `row` of W', which holds that of W.
  void change(std::int64_t row, float* target, std::vector<double>& sum) const {
    for (std::int64_t j = 0; j < width; ++j)
      sum[static_cast<std::size_t>(j)] = target[j];
    for (std::int64_t k = 0; k < rank; ++k) {
      const double factor =
          scale * rows[static_cast<std::size_t>(row * rank + k)];
      const float* column = columns.data() + k * width;
      for (std::int64_t j = 0; j < width; ++j)
        sum[static_cast<std::size_t>(j)] += factor * column[j];
    }
    double factor = 1.0;
    if (!magnitude.empty()) {
      double squares = 0;
      for (const double value : sum)
        squares += value * value;
      factor = magnitude[static_cast<std::size_t>(row)] / std::sqrt(squares);
    }
    for (std::int64_t j = 0; j < width; ++j)
      target[j] = static_cast<float>(sum[static_cast<std::size_t>(j)] * factor);
  }
};

std::vector<float> transposed(
    const std::vector<float>& matrix, std::int64_t rows, std::int64_t columns) {
  std::vector<float> result(matrix.size());
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      result[static_cast<std::size_t>(j * rows + i)] =
          matrix[static_cast<std::size_t>(i * columns + j)];
  return result;
}

Factors factors_of(const PeftAdapter& adapter, const AdapterUpdate& update) {
  const TensorSource& source = adapter.tensors();
  Factors factors;
  factors.rank = update.rank();
  factors.scale = update.scale;
  factors.columns = numbers_of(source, update.down);
  factors.rows = numbers_of(source, update.up);
  factors.width = update.down.shape[1];
  if (update.embedding) {
    // (B A)^T = A^T B^T: a row for each of A's columns.
    std::vector<float> rows =
        transposed(factors.columns, factors.rank, factors.width);
    factors.width = update.up.shape[0];
    factors.columns = transposed(factors.rows, factors.width, factors.rank);
    factors.rows = std::move(rows);
  }
  if (update.magnitude)
    factors.magnitude = numbers_of(source, *update.magnitude);
  return factors;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

bool is_embedding(const std::string& name) {
  return name.ends_with("embed_tokens.weight") || name == "shared.weight";
}

std::string module_of(const std::string& parameter) {
  return parameter.ends_with(kWeight)
             ? parameter.substr(0, parameter.size() - kWeight.size())
             : parameter;
}

}  // namespace

std::vector<AdaptableModule> adaptable_modules(const Steerable& model) {
  std::vector<AdaptableModule> modules;
  for (const SteerableLinear& entry : model.linears)
    modules.push_back({entry.name, true, entry.kind == "head"});
  for (const auto& parameter : model.parameters) {
    if (is_embedding(parameter->name()))
      modules.push_back({module_of(parameter->name()), false, false});
  }
  return modules;
}

void check_update_shape(
    const PeftAdapter& adapter,
    const std::string& module,
    const std::vector<std::int64_t>& shape) {
  const AdapterUpdate& update = adapter.updates().at(module);
  const std::size_t row = update.embedding ? 1 : 0;
  const std::int64_t rank = update.rank();
  using Shape = std::vector<std::int64_t>;
  const Shape down{rank, shape.at(1 - row)};
  const Shape up{shape.at(row), rank};
  const auto check = [&](const TensorView& view, const Shape& wanted) {
    if (view.shape == wanted) return;
    throw_caller_error(
        "{}: tensor {} has shape {}, but the base's '{}' needs {}; give the "
        "base that the adapter was trained on",
        adapter.tensors().describe(),
        quote_text(view.name, 200),
        shape_text(view.shape),
        module,
        shape_text(wanted));
  };
  check(update.down, down);
  check(update.up, up);
  if (update.magnitude) {
    // Old versions of PEFT saved it with a dimension more.
    TensorView flat = *update.magnitude;
    if (flat.element_count() == shape.at(0)) flat.shape = {shape[0]};
    check(flat, {shape[0]});
  }
}

MergedAdapter::MergedAdapter(const std::filesystem::path& directory)
    : adapter_(std::make_shared<const PeftAdapter>(directory)) {}

kernels::RowSource MergedAdapter::change(
    const std::string& name,
    const std::vector<std::int64_t>& shape,
    kernels::RowSource rows) {
  const auto whole = adapter_->whole().find(name);
  if (whole != adapter_->whole().end()) {
    used_.insert(name);
    rows = rows_of(
        adapter_->source(),
        find_tensor(adapter_->tensors(), whole->second.name, shape));
  }
  const std::string module = module_of(name);
  const auto update = adapter_->updates().find(module);
  if (module == name || update == adapter_->updates().end()) return rows;
  used_.insert(name);
  check_update_shape(*adapter_, module, shape);
  const auto factors =
      std::make_shared<const Factors>(factors_of(*adapter_, update->second));
  return kernels::RowSource(
      [read = std::move(rows.floats), factors](
          std::int64_t begin, std::int64_t end, float* target) {
        read(begin, end, target);
        std::vector<double> sum(static_cast<std::size_t>(factors->width));
        for (std::int64_t row = begin; row < end; ++row)
          factors->change(row, target + (row - begin) * factors->width, sum);
      });
}

void MergedAdapter::check_used(const Steerable& model) const {
  adapter_->check_modules(adaptable_modules(model));
  // A table that two modules read cannot be changed for one of them.
  const SteerableLinear& head = model.linears.back();
  const std::string& table = head.linear->weight().name();
  const bool tied = head.kind == "head" && table != head.name + ".weight";
  const bool two_stacks = model.stacks.size() > 1;
  const auto check = [&](const std::string& name, const std::string& what) {
    const bool of_head = name == head.name + std::string(kWeight);
    const bool shared =
        is_embedding(name) ? tied || two_stacks : of_head && tied;
    if (shared)
      throw_caller_error(
          "{}: {} {}, a matrix that several parts of this base share; merge "
          "the adapter with PEFT (merge_and_unload) and give the merged model",
          adapter_->tensors().describe(),
          what,
          quote_text(name, 200));
    if (!used_.contains(name))
      throw_caller_error(
          "{}: {} {}, which the base does not have; give the base that the "
          "adapter was trained on",
          adapter_->tensors().describe(),
          what,
          quote_text(name, 200));
  };
  for (const auto& [module, update] : adapter_->updates())
    check(module + std::string(kWeight), "changes");
  for (const auto& [name, view] : adapter_->whole())
    check(name, "replaces");
}

}  // namespace moft
