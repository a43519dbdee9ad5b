// attention.h in a few large ATen operations, for devices where starting an
// operation costs more than its arithmetic. Without the guarantee (a row's last
// bits may depend on its batch), and no index is checked, because that would
// wait for the device.
#pragma once

#include <optional>

#include <ATen/ATen.h>

#include "moft/kernels/paged.h"

namespace moft::kernels {

at::Tensor paged_attention_aten(
    const at::Tensor& q,
    const KeyValuePages& pages,
    const PagedQueries& queries,
    double scale,
    const std::optional<ScoreBias>& bias = std::nullopt);

void store_entries_aten(
    const KeyValuePages& pages,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& slots,
    const at::Tensor& positions);

}  // namespace moft::kernels
