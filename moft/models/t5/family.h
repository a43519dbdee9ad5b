// T5 encoder-decoders in the table of families.
#pragma once

#include "moft/models/families.h"

namespace moft {

ModelFamily t5_family();

}  // namespace moft
