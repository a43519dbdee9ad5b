// Packs weight matrices and multiplies by them.
#include "moft/kernels/packed_matrix.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/kernels/panel_storage.h"
#include "moft/kernels/parallel.h"
#include "moft/kernels/simd/table.h"

namespace moft::kernels {
namespace {

// Scalar type of one stored element (kByte for block formats).
at::ScalarType scalar_type(Storage storage) {
  switch (storage) {
    case Storage::kFloat32:
      return at::kFloat;
    case Storage::kBFloat16:
      return at::kBFloat16;
    default:
      return at::kByte;
  }
}

simd::PanelFormat panel_format(Storage storage) {
  switch (storage) {
    case Storage::kBFloat16:
      return rounds_inputs(storage) ? simd::PanelFormat::kBFloat16Pairs
                                    : simd::PanelFormat::kBFloat16;
    case Storage::kBlocks4:
      return simd::PanelFormat::kBlocks4;
    case Storage::kBlocks8:
      return simd::PanelFormat::kBlocks8;
    case Storage::kBlocks8Offsets:
      return simd::PanelFormat::kBlocks8Offsets;
    case Storage::kBlocks8Halves:
      return simd::PanelFormat::kBlocks8Halves;
    default:
      return simd::PanelFormat::kFloat32;
  }
}

std::int64_t panel_count(std::int64_t out) {
  const std::int64_t width = simd::table().panel;
  return (out + width - 1) / width;
}

// Panel shape of the dense formats (not the block formats).
std::vector<std::int64_t> panel_shape(
    std::int64_t out, std::int64_t in, Storage storage) {
  const std::int64_t together = rounds_inputs(storage) ? 2 : 1;
  std::vector<std::int64_t> shape{
      panel_count(out), (in + together - 1) / together, simd::table().panel};
  if (together > 1) shape.push_back(together);
  return shape;
}

// Offset of input k of a panel's column c.
template <int kTogether>
std::int64_t panel_place(std::int64_t k, std::int64_t c, std::int64_t width) {
  return (k / kTogether * width + c) * kTogether + k % kTogether;
}

// rows [count, in] -> one panel of `storage`, padded with zeros.
class PanelPacker {
 public:
  PanelPacker(std::int64_t in, Storage storage)
      : in_(in),
        storage_(storage),
        width_(simd::table().panel),
        padded_(in + (rounds_inputs(storage) ? in % 2 : 0)) {
    if (storage == Storage::kBFloat16)
      rounded_.resize(static_cast<std::size_t>(width_ * padded_));
  }

  std::int64_t width() const { return width_; }
  std::int64_t bytes() const {
    return width_ * padded_ * (storage_ == Storage::kFloat32 ? 4 : 2);
  }

  void pack(const float* rows, std::int64_t count, void* panel) {
    if (storage_ == Storage::kFloat32) {
      place<float>(rows, count, static_cast<float*>(panel));
      return;
    }
    for (std::int64_t c = 0; c < count; ++c) {
      at::BFloat16* row = rounded_.data() + c * padded_;
      for (std::int64_t k = 0; k < in_; ++k)
        row[k] = rows[c * in_ + k];
    }
    if (rounds_inputs(storage_)) {
      place<float>(
          reinterpret_cast<const float*>(rounded_.data()),
          count,
          static_cast<float*>(panel));
    } else {
      place<at::BFloat16>(
          rounded_.data(), count, static_cast<at::BFloat16*>(panel));
    }
  }

 private:
  // Numbers, or pairs of bf16 in the bits of floats: moved as bytes.
  template <typename Number>
  void place(const Number* rows, std::int64_t count, Number* panel) const {
    const bool pairs = storage_ != Storage::kFloat32 && sizeof(Number) == 4;
    const std::int64_t in = pairs ? padded_ / 2 : in_;
    if constexpr (sizeof(Number) == 4) {
      if (count == width_) {
        simd::table().pack_panel(rows, in, in, panel);
        return;
      }
    }
    std::memset(panel, 0, static_cast<std::size_t>(bytes()));
    for (std::int64_t k = 0; k < in; ++k) {
      for (std::int64_t c = 0; c < count; ++c)
        std::memcpy(panel + k * width_ + c, rows + c * in + k, sizeof *panel);
    }
  }

  std::int64_t in_;
  Storage storage_;
  std::int64_t width_;
  std::int64_t padded_;                // inputs, even where they come in pairs
  std::vector<at::BFloat16> rounded_;  // [width, padded]
};

template <int kTogether, typename Number>
void unpack_panels(
    const Number* panels, std::int64_t out, std::int64_t in, Number* target) {
  const std::int64_t width = simd::table().panel;
  const std::int64_t padded = (in + kTogether - 1) / kTogether * kTogether;
  for (std::int64_t o = 0; o < out; ++o) {
    const auto* panel = panels + (o / width) * padded * width;
    for (std::int64_t k = 0; k < in; ++k)
      target[o * in + k] = panel[panel_place<kTogether>(k, o % width, width)];
  }
}

const std::uint16_t* bits(const at::Tensor& t) {
  return reinterpret_cast<const std::uint16_t*>(t.const_data_ptr());
}

void check_input(const at::Tensor& x, const PackedMatrix& weight) {
  if (x.dim() >= 1 && x.size(-1) == weight.in()) return;
  throw_caller_error(
      "multiply: x has {} features, the weight takes {}",
      x.dim() == 0 ? 0 : x.size(-1),
      weight.in());
}

void check_output(
    const at::Tensor& out, const at::Tensor& x, const PackedMatrix& weight) {
  check_input(x, weight);
  const bool fits = x.dim() == 2 && out.dim() == 2 &&
                    out.size(0) == x.size(0) && out.size(1) == weight.out();
  if (fits) return;
  throw_caller_error(
      "multiply_into: give x [rows, {}] and out [rows, {}]",
      weight.in(),
      weight.out());
}

bool packed_path(const at::Tensor& x, const PackedMatrix& weight) {
  return x.device().is_cpu() && weight.device().is_cpu() &&
         x.scalar_type() == at::kFloat;
}

// By the library: other devices, other dtypes.
at::Tensor multiply_plain(
    const at::Tensor& x,
    const PackedMatrix& weight,
    const std::optional<at::Tensor>& bias) {
  const bool rounds = x.scalar_type() == at::kFloat &&
                      rounds_inputs(weight.storage(), weight.device());
  const auto type = rounds ? at::kBFloat16 : x.scalar_type();
  const auto plain = weight.device().is_cpu() ? weight.unpack() : weight.data();
  const auto y = at::linear(x.to(type), plain.to(type)).to(x.scalar_type());
  if (bias && bias->defined()) return y + bias->to(x.scalar_type());
  return y;
}

// Splits (row chunk, panel) pairs over the threads; the split moves no bit.
void run_product(simd::Product product) {
  constexpr std::int64_t kRows = 96;
  constexpr std::int64_t kWork = 1 << 16;  // multiply-adds worth a thread
  const auto panels = panel_count(product.out);
  const auto chunks = std::max<std::int64_t>(1, product.rows / kRows);
  const auto rows = (product.rows + chunks - 1) / chunks;
  const auto unit = rows * product.in * simd::table().panel;
  const auto grain = std::max<std::int64_t>(1, kWork / unit);
  parallel_ranges(chunks * panels, grain, [&](auto begin, auto end) {
    while (begin < end) {
      const auto chunk = begin / panels;
      const auto stop = std::min(end, (chunk + 1) * panels);
      const auto row = product.rows * chunk / chunks;
      auto part = product;
      part.rows = product.rows * (chunk + 1) / chunks - row;
      part.x += row * product.x_stride;
      part.result += row * product.result_stride;
      part.first_panel = begin - chunk * panels;
      part.last_panel = stop - chunk * panels;
      simd::table().product(part);
      begin = stop;
    }
  });
}

struct StoredLayout {
  Storage storage;
  BlockLayout layout;
};
constexpr std::array<StoredLayout, 4> kLayouts = {{
    {Storage::kBlocks4, {4, 32, true}},
    {Storage::kBlocks8, {8, 32, false}},
    {Storage::kBlocks8Offsets, {8, 32, true}},
    {Storage::kBlocks8Halves, {8, 16, false}},
}};

Storage storage_of(const BlockLayout& layout) {
  for (const StoredLayout& stored : kLayouts)
    if (stored.layout == layout) return stored.storage;
  TORCH_CHECK(false, "[packed_matrix] no storage for these blocks");
}

BlockPanels block_panels(const PackedMatrix& weight) {
  BlockPanels panels{{}, simd::table().panel, weight.in()};
  for (const StoredLayout& stored : kLayouts)
    if (stored.storage == weight.storage()) panels.layout = stored.layout;
  return panels;
}

// x [rows, in] -> [rows, in, rounded up to even] bf16, zero-padded.
at::Tensor in_pairs(const at::Tensor& x) {
  const std::int64_t rows = x.size(0), in = x.size(1);
  const std::int64_t padded = in + in % 2;
  at::Tensor rounded = at::empty({rows, padded}, at::kBFloat16);
  auto* target = static_cast<std::uint16_t*>(rounded.mutable_data_ptr());
  const auto* source = x.const_data_ptr<float>();
  const std::int64_t stride = x.stride(0);
  parallel_ranges(rows, 1 + 65536 / padded, [&](auto begin, auto end) {
    for (auto row = begin; row < end; ++row) {
      auto* to = target + row * padded;
      simd::table().round_to_bf16(source + row * stride, in, to);
      if (padded > in) to[in] = 0;
    }
  });
  return rounded;
}

// x [rows, in] with stride 1 inside, result likewise.
void run_packed(
    const at::Tensor& x,
    const PackedMatrix& weight,
    const std::optional<at::Tensor>& bias,
    bool accumulate,
    at::Tensor& result) {
  std::optional<at::Tensor> local;
  if (bias && bias->defined()) local = bias->to(at::kFloat).contiguous();
  if (local && local->numel() != weight.out()) {
    throw_caller_error(
        "multiply: bias has {} elements, the weight has {} outputs",
        local->numel(),
        weight.out());
  }
  const bool pairs = rounds_inputs(weight.storage());
  const at::Tensor rounded = pairs ? in_pairs(x) : at::Tensor();
  run_product(
      {.x = pairs ? static_cast<const float*>(rounded.const_data_ptr())
                  : x.const_data_ptr<float>(),
       .x_stride = pairs ? rounded.stride(0) / 2 : x.stride(0),
       .rows = x.size(0),
       .panels = weight.data().const_data_ptr(),
       .format = panel_format(weight.storage()),
       .in = pairs ? rounded.size(1) / 2 : weight.in(),
       .out = weight.out(),
       .bias = local ? local->const_data_ptr<float>() : nullptr,
       .accumulate = accumulate,
       .result = result.mutable_data_ptr<float>(),
       .result_stride = result.stride(0),
       .first_panel = 0,
       .last_panel = panel_count(weight.out())});
}

}  // namespace

bool rounds_inputs(Storage storage, at::Device device) {
  return storage == Storage::kBFloat16 &&
         (!device.is_cpu() || simd::table().round_to_bf16 != nullptr);
}

PackedMatrix::PackedMatrix(const at::Tensor& weight, Storage storage)
    : storage_(storage) {
  if (weight.dim() != 2 || weight.numel() == 0) {
    throw_caller_error(
        "PackedMatrix: weight has {} dimensions and {} elements; give "
        "[out, in], both at least 1",
        weight.dim(),
        weight.numel());
  }
  out_ = weight.size(0);
  in_ = weight.size(1);
  const at::NoGradGuard no_grad;
  if (!weight.device().is_cpu()) {
    const auto plain = weight.detach().to(scalar_type(storage)).contiguous();
    data_ = plain.is_same(weight) ? plain.clone() : plain;
    return;
  }
  const auto plain = weight.detach().to(at::kFloat).contiguous();
  pack_rows([&](auto begin, auto /*end*/, std::vector<float>& /*buffer*/) {
    return plain.const_data_ptr<float>() + begin * in_;
  });
}

PackedMatrix::PackedMatrix(
    std::int64_t out, std::int64_t in, const RowSource& source, Storage storage)
    : out_(out), in_(in), storage_(storage) {
  if (source.blocks.layout.bits != 0 && storage == Storage::kFloat32) {
    pack_blocks(source.blocks);
    return;
  }
  pack_rows([&](auto begin, auto end, std::vector<float>& buffer) {
    buffer.resize(static_cast<std::size_t>((end - begin) * in_));
    source.floats(begin, end, buffer.data());
    return static_cast<const float*>(buffer.data());
  });
}

// `rows` gives rows begin..end, in its buffer or elsewhere.
template <typename Rows>
void PackedMatrix::pack_rows(Rows rows) {
  data_ = panel_storage(
      panel_shape(out_, in_, storage_), at::dtype(scalar_type(storage_)));
  auto* data = static_cast<std::byte*>(data_.mutable_data_ptr());
  parallel_ranges(panel_count(out_), 4, [&](auto begin, auto end) {
    PanelPacker packer(in_, storage_);
    std::vector<float> buffer;
    for (auto panel = begin; panel < end; ++panel) {
      const auto first = panel * packer.width();
      const auto last = std::min(out_, first + packer.width());
      packer.pack(
          rows(first, last, buffer),
          last - first,
          data + panel * packer.bytes());
    }
  });
}

bool PackedMatrix::in_blocks() const {
  return storage_ != Storage::kFloat32 && storage_ != Storage::kBFloat16;
}

void PackedMatrix::pack_blocks(const ReadBlocks& source) {
  storage_ = storage_of(source.layout);
  const auto layout = block_panels(*this);
  data_ = panel_storage(
      {panel_count(out_), layout.panel_bytes()}, at::dtype(at::kByte));
  auto* data = static_cast<std::byte*>(data_.mutable_data_ptr());
  parallel_ranges(panel_count(out_), 4, [&](auto begin, auto end) {
    const auto count = static_cast<std::size_t>(layout.width * in_);
    const auto runs = count / static_cast<std::size_t>(layout.layout.run);
    std::vector<float> scales(runs), offsets(runs);
    std::vector<std::int8_t> numbers(count);
    const BlockRows rows{scales.data(), offsets.data(), numbers.data()};
    for (auto panel = begin; panel < end; ++panel) {
      const auto first = panel * layout.width;
      const auto last = std::min(out_, first + layout.width);
      source.read(first, last, rows);
      pack_block_panel(
          layout, rows, last - first, data + panel * layout.panel_bytes());
    }
  });
}

void PackedMatrix::unpack_blocks(std::int64_t row, float* target) const {
  const auto layout = block_panels(*this);
  const auto* data = static_cast<const std::byte*>(data_.const_data_ptr());
  const auto panel = row / layout.width;
  unpack_block_column(
      layout, data + panel * layout.panel_bytes(), row % layout.width, target);
}

at::Tensor PackedMatrix::rows(const at::Tensor& ids) const {
  if (!data_.device().is_cpu())
    return data_.index_select(0, ids).to(at::kFloat);
  if (in_blocks()) {
    auto found = at::empty({ids.size(0), in_}, at::kFloat);
    auto* target = found.mutable_data_ptr<float>();
    const at::Tensor dense = ids.to(at::kLong).contiguous();
    const auto* index = dense.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < ids.size(0); ++i)
      unpack_blocks(index[i], target + i * in_);
    return found;
  }
  // [n, in] out of [panels][in][width], or [n, in / 2, 2] of pairs.
  const auto width = data_.size(2);
  const at::Tensor panel = ids.div(width, "floor");
  const at::Tensor column = ids.remainder(width);
  const at::Tensor found = data_.index({panel, at::indexing::Slice(), column});
  return found.to(at::kFloat).flatten(1).narrow(1, 0, in_);
}

std::int64_t PackedMatrix::bytes() const {
  return static_cast<std::int64_t>(data_.nbytes());
}

at::Tensor PackedMatrix::unpack() const {
  if (!data_.device().is_cpu()) return data_.to(at::kFloat);
  if (in_blocks()) {
    auto floats = at::empty({out_, in_}, at::kFloat);
    auto* target = floats.mutable_data_ptr<float>();
    parallel_ranges(out_, 64, [&](auto begin, auto end) {
      for (auto row = begin; row < end; ++row)
        unpack_blocks(row, target + row * in_);
    });
    return floats;
  }
  auto plain = at::empty({out_, in_}, data_.options());
  if (storage_ == Storage::kBFloat16) {
    auto* target = static_cast<std::uint16_t*>(plain.mutable_data_ptr());
    if (rounds_inputs(storage_)) {
      unpack_panels<2>(bits(data_), out_, in_, target);
    } else {
      unpack_panels<1>(bits(data_), out_, in_, target);
    }
  } else {
    unpack_panels<1>(
        data_.const_data_ptr<float>(),
        out_,
        in_,
        plain.mutable_data_ptr<float>());
  }
  return plain.to(at::kFloat);
}

at::Tensor multiply(
    const at::Tensor& x,
    const PackedMatrix& weight,
    const std::optional<at::Tensor>& bias) {
  const at::NoGradGuard no_grad;
  check_input(x, weight);
  auto shape = x.sizes().vec();
  shape.back() = weight.out();
  auto out = at::empty(shape, x.options());
  auto rows = out.view({-1, weight.out()});
  if (x.numel() > 0) {
    multiply_into(rows, x.reshape({-1, weight.in()}), weight, bias);
  }
  return out;
}

void multiply_into(
    at::Tensor& out,
    const at::Tensor& x,
    const PackedMatrix& weight,
    const std::optional<at::Tensor>& bias) {
  const at::NoGradGuard no_grad;
  check_output(out, x, weight);
  if (x.size(0) == 0) return;
  if (!packed_path(x, weight)) {
    out.copy_(multiply_plain(x, weight, bias));
    return;
  }
  const auto rows = x.stride(1) == 1 ? x : x.contiguous();
  if (out.scalar_type() == at::kFloat && out.stride(1) == 1) {
    run_packed(rows, weight, bias, /*accumulate=*/false, out);
    return;
  }
  auto buffer = at::empty({x.size(0), weight.out()}, x.options());
  run_packed(rows, weight, bias, /*accumulate=*/false, buffer);
  out.copy_(buffer);
}

void multiply_add(
    at::Tensor& out, const at::Tensor& x, const PackedMatrix& weight) {
  const at::NoGradGuard no_grad;
  check_output(out, x, weight);
  if (x.size(0) == 0) return;
  const bool rows = out.scalar_type() == at::kFloat && out.stride(1) == 1;
  if (packed_path(x, weight) && rows) {
    const auto from = x.stride(1) == 1 ? x : x.contiguous();
    run_packed(from, weight, std::nullopt, /*accumulate=*/true, out);
    return;
  }
  out.add_(multiply(x, weight).to(out.scalar_type()));
}

}  // namespace moft::kernels
