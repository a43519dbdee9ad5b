// DeBERTa-v2 and v3 in the table of encoders.
#pragma once

#include "moft/models/encoders.h"

namespace moft::deberta {

EncoderFamily deberta_family();

}  // namespace moft::deberta
