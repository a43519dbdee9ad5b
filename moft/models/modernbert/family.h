// ModernBERT in the table of encoders.
#pragma once

#include "moft/models/encoders.h"

namespace moft::modernbert {

EncoderFamily modernbert_family();

}  // namespace moft::modernbert
