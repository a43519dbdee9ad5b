// Numbers per row as plain vectors, and rows by group label. Inside the part
// only: batches have few rows, so clear loops on the host beat tensor tricks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include <ATen/ATen.h>

namespace moft {

// values [B] in double. CallerError (naming `what`) unless one-dimensional
// with at least one row.
std::vector<double> row_values(const at::Tensor& values, const char* what);

// [B], double, on the device of `like`.
at::Tensor row_tensor(
    const std::vector<double>& values, const at::Tensor& like);

// Group label -> its rows, rising. CallerError unless groups is int64 [rows].
std::map<std::int64_t, std::vector<std::size_t>> rows_by_group(
    const at::Tensor& groups, std::size_t rows);

// Whether the values of these rows tie, as advantages.h has it. REQUIRES a row.
bool rewards_tie(
    const std::vector<double>& values, const std::vector<std::size_t>& rows);

}  // namespace moft
