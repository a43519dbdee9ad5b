// One parameter under a batch whose rows carry steerings: the gains, the
// embeddings, and which rows share a value.
//
// Every row gets the value mixed under its own steering, rounded once, whatever
// else is in the batch.
//
// Thread safety: one thread at a time (caches).
#pragma once

#include <vector>

#include <ATen/ATen.h>

#include "moft/conditioning/row_steering.h"
#include "moft/conditioning/steered_parameter.h"

namespace moft {

// Whether this pass collects the parameter's gradient: then its leaf is the
// value for all rows.
bool collects_gradient(const SteeredParameter& parameter);

// Whether the rows of a batch multiply with different values of a parameter:
// a steered one under several steerings, or a shared one where some rows are
// the frozen reference's.
bool differs_by_row(
    const SteeredParameter& parameter, const RowSteering& steering);

// Rows that use the same value of a parameter.
struct RowGroup {
  Coefficients coefficients;
  at::Tensor rows;  // int64 [n], rising
};

// REQUIRES differs_by_row(parameter, steering).
std::vector<RowGroup> groups_of(
    const SteeredParameter& parameter, const RowSteering& steering);

// Row gains (the scale of a norm): values [width] per steering.
// Returns [width] for one steering, [rows, width] for several.
at::Tensor steered_gain(
    const SteeredParameter& gain, const RowSteering& steering);

// Rows of an embedding table [vocab, width] for ids int64 [rows].
at::Tensor steered_embedding(
    const SteeredParameter& table,
    const at::Tensor& ids,
    const RowSteering& steering);

}  // namespace moft
