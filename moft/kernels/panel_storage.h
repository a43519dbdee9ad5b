// Memory for the panels of a packed matrix (private to kernels/).
#pragma once

#include <ATen/ATen.h>

namespace moft::kernels {

// Not initialised; on huge pages where the system grants them: a quarter
// more bandwidth was measured for 2 to 8 rows, which stream through one or two
// panels at a time and would wait for page walks.
at::Tensor panel_storage(at::IntArrayRef shape, at::TensorOptions options);

}  // namespace moft::kernels
