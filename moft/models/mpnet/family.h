// MPNet in the table of encoders.
#pragma once

#include "moft/models/encoders.h"

namespace moft::mpnet {

EncoderFamily mpnet_family();

}  // namespace moft::mpnet
