// BERT in the table of encoders.
#pragma once

#include "moft/models/encoders.h"

namespace moft::bert {

EncoderFamily bert_family();

}  // namespace moft::bert
