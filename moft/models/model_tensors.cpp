// Finds and checks the tensors of model files.
#include "moft/models/model_tensors.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "moft/checkpoints/blocks.h"
#include "moft/checkpoints/tensor_type.h"
#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/core/text.h"

namespace moft {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

bool holds_whole_numbers(TensorType type) {
  switch (type) {
    case TensorType::kI64:
    case TensorType::kI32:
    case TensorType::kI16:
    case TensorType::kI8:
    case TensorType::kU8:
    case TensorType::kBool:
      return true;
    default:
      return false;
  }
}

// A view's rows as matrix rows, some of them as a view.
struct ViewRows {
  TensorView view;
  std::int64_t width;

  explicit ViewRows(const TensorView& whole)
      : view(whole),
        width(
            whole.shape.size() < 2 ? whole.element_count()
                                   : whole.element_count() / whole.shape[0]) {}

  TensorView part(std::int64_t begin, std::int64_t end) const {
    const std::int64_t rows = view.element_count() / width;
    const std::size_t bytes =
        view.bytes.size() / static_cast<std::size_t>(rows);
    TensorView found = view;
    found.shape = {end - begin, width};
    found.bytes = view.bytes.subspan(
        static_cast<std::size_t>(begin) * bytes,
        static_cast<std::size_t>(end - begin) * bytes);
    return found;
  }
};

// Rows of a view as blocks, where the file has such.
kernels::ReadBlocks blocks_of(
    std::shared_ptr<const TensorSource> source, const ViewRows& rows) {
  const BlockForm form = block_form(rows.view.type);
  if (form.bits == 0) return {};
  const auto run = static_cast<std::size_t>(form.run);
  const auto read =
      [source = std::move(source), rows, run, offsets = form.offsets](
          std::int64_t begin, std::int64_t end, kernels::BlockRows target) {
        const auto count = static_cast<std::size_t>((end - begin) * rows.width);
        const TensorView part = rows.part(begin, end);
        check_finite(*source, part, begin * rows.width);
        to_blocks(
            part,
            std::span(target.scales, count / run),
            std::span(target.offsets, offsets ? count / run : 0),
            std::span(target.numbers, count));
      };
  return {{form.bits, form.run, form.offsets}, read};
}

// Buffers and unused parameters that old checkpoints hold, which transformers
// and llama.cpp pass over too, and heads that a language model does not have.
bool is_harmless(std::string_view name) {
  for (const char* part :
       {"rotary_emb.inv_freq",
        "EncDecAttention.relative_attention_bias",
        "rope_freqs",
        "attn_rot_embd",
        "masked_bias",
        "v_head."})
    if (name.find(part) != std::string_view::npos) return true;
  return false;
}

}  // namespace

TensorView find_tensor(
    const TensorSource& source,
    const std::string& name,
    const std::vector<std::int64_t>& shape) {
  const auto view = source.find(name);
  if (!view) {
    throw_caller_error(
        "{}: tensor '{}' is missing; the file does not hold the model that its "
        "configuration describes",
        source.describe(),
        name);
  }
  if (view->shape != shape) {
    throw_caller_error(
        "{}: tensor '{}' has shape {}, but its configuration asks for {}",
        source.describe(),
        name,
        shape_text(view->shape),
        shape_text(shape));
  }
  if (holds_whole_numbers(view->type)) {
    throw_caller_error(
        "{}: tensor '{}' holds {}, where floating-point numbers are needed",
        source.describe(),
        name,
        tensor_type_info(view->type).name);
  }
  return *view;
}

at::Tensor read_tensor(
    const TensorSource& source,
    const std::string& name,
    const std::vector<std::int64_t>& shape) {
  const TensorView view = find_tensor(source, name, shape);
  check_finite(source, view);
  at::Tensor value = at::empty(view.shape, at::kFloat);
  to_float(
      view,
      std::span<float>(
          value.data_ptr<float>(), static_cast<std::size_t>(value.numel())));
  return value;
}

void check_finite(
    const TensorSource& source, const TensorView& part, std::int64_t first) {
  const std::int64_t found = find_not_finite(part);
  if (found < 0) return;
  throw_caller_error(
      "{}: tensor '{}' holds a number that is not finite (inf or nan, at "
      "element {}); the weights overflowed when they were saved: convert the "
      "model again to float32 or bfloat16, or download it again",
      source.describe(),
      part.name,
      first + found);
}

kernels::RowSource rows_of(
    const std::shared_ptr<const TensorSource>& source, const TensorView& view) {
  const ViewRows rows(view);
  const auto read = [source, rows](
                        std::int64_t begin, std::int64_t end, float* target) {
    const auto count = static_cast<std::size_t>((end - begin) * rows.width);
    const TensorView part = rows.part(begin, end);
    check_finite(*source, part, begin * rows.width);
    to_float(part, std::span(target, count));
  };
  return {read, blocks_of(source, rows)};
}

ModelTensors::ModelTensors(
    std::shared_ptr<const TensorSource> source,
    std::string root,
    const std::string& anchor)
    : source_(std::move(source)), root_(std::move(root)), stored_root_(root_) {
  if (source_->find(anchor)) return;
  const std::string ending = anchor.substr(root_.size());
  std::vector<std::string> found;
  for (const std::string& name : source_->names()) {
    const bool ends = name.ends_with(ending);
    const std::size_t at = name.size() - (ends ? ending.size() : 0);
    if (ends && (at == 0 || name[at - 1] == '.')) found.push_back(name);
  }
  if (found.size() > 1)
    throw_caller_error(
        "{}: tensor '{}' is missing, and {} could be it; moft reads files with "
        "one language model",
        source_->describe(),
        anchor,
        fmt::join(found, " and "));
  if (found.empty()) return;
  stored_root_ = found[0].substr(0, found[0].size() - ending.size());
  if (stored_root_.ends_with(root_))
    outer_prefix_ = stored_root_.substr(0, stored_root_.size() - root_.size());
}

std::string ModelTensors::stored_name(const std::string& name) const {
  if (!root_.empty() && name.starts_with(root_))
    return stored_root_ + name.substr(root_.size());
  return (root_.empty() ? stored_root_ : outer_prefix_) + name;
}

bool ModelTensors::has(const std::string& name) const {
  return source_->find(stored_name(name)).has_value();
}

TensorView ModelTensors::find(
    const std::string& name, const std::vector<std::int64_t>& shape) {
  const std::string stored = stored_name(name);
  read_.insert(stored);
  return find_tensor(*source_, stored, shape);
}

kernels::RowSource ModelTensors::rows(
    const std::string& name, const std::vector<std::int64_t>& shape) {
  return rows_of(find(name, shape));
}

kernels::RowSource ModelTensors::rows_of(const TensorView& view) const {
  return moft::rows_of(source_, view);
}

bool ModelTensors::equal(
    const std::string& one, const std::string& other) const {
  const TensorView a = source_->find(stored_name(one)).value();
  const TensorView b = source_->find(stored_name(other)).value();
  if (a.shape != b.shape) return false;
  if (a.type == b.type && std::ranges::equal(a.bytes, b.bytes)) return true;
  if (holds_whole_numbers(a.type) || holds_whole_numbers(b.type)) return false;
  std::vector<float> numbers(static_cast<std::size_t>(a.element_count()));
  std::vector<float> others(numbers.size());
  to_float(a, numbers);
  to_float(b, others);
  return numbers == others;
}

void ModelTensors::check_all_read(
    const std::vector<std::string>& layers,
    const std::vector<std::string>& unused) const {
  std::vector<std::string> others;
  for (const std::string& name : source_->names()) {
    const auto contains = [&](const std::string& part) {
      return name.find(part) != std::string::npos;
    };
    if (read_.contains(name) || is_harmless(name)) continue;
    if (std::ranges::any_of(unused, contains)) continue;
    if (std::ranges::any_of(layers, contains))
      throw_caller_error(
          "{}: tensor {} is in the file, but the model that its configuration "
          "describes does not read it; check the configuration (number of "
          "layers, biases, architecture)",
          source_->describe(),
          quote_text(name));
    others.push_back(quote_text(name));
  }
  if (others.empty()) return;
  const std::size_t count = others.size();
  if (count > 3) others.resize(3);
  log_warning(
      "{}: {} tensor{} not read: {}{}",
      source_->describe(),
      count,
      count == 1 ? " is" : "s are",
      fmt::join(others, ", "),
      count > 3 ? " .." : "");
}

}  // namespace moft
