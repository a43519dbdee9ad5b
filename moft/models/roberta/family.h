// RoBERTa and XLM-RoBERTa in the table of encoders: BERTs whose positions begin
// after the padding token's, and whose head has a layer of its own.
// Liu et al., arXiv 1907.11692; Conneau et al., arXiv 1911.02116.
#pragma once

#include "moft/models/encoders.h"

namespace moft::roberta {

EncoderFamily roberta_family();

}  // namespace moft::roberta
