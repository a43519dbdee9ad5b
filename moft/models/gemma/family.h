// Gemma decoders in the table of families: gemma2, gemma3_text.
#pragma once

#include "moft/models/families.h"

namespace moft {

ModelFamily gemma_family();

}  // namespace moft
