// What the tests of steered parameters share.
#pragma once

#include "moft/conditioning/steered_parameter.h"

namespace moft::test {

// Overwrites copy i. REQUIRES equal shape.
inline void set_copy(
    SteeredParameter& parameter, std::size_t i, const at::Tensor& value) {
  parameter.copies().at(i).copy_(value);
  parameter.copies_changed();
}

}  // namespace moft::test
