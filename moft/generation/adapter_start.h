// PEFT adapters as the copies of a policy's objectives: the start of a
// training, or, with nothing trained, a rewarded soup of other people's
// adapters.
//
// An objective's copy becomes the adapter exactly: smaller ranks are filled up
// with columns of zeros in B, and the adapter's scale goes into B where it is
// not the policy's. Rows of A that are not filled stay as they were drawn, so
// that training can use them.
//
// Errors: CallerError naming the adapter's file for what a copy cannot hold:
// DoRA, whole parameters, embedding tables and heads, and modules, layers or
// ranks outside conditioning.lora. Then nothing was written.
// Thread safety: one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "moft/checkpoints/peft_adapter.h"
#include "moft/generation/steered_policy.h"

namespace moft {

using Adapters = std::map<std::string, PeftAdapter>;  // by objective

// The smallest conditioning.lora in which all of them have a place; the scale
// is theirs where they agree, else 1.
LoraOptions lora_of_adapters(const Adapters& adapters, const Steerable& model);

// What start_from_adapters() would refuse, without reading numbers.
void check_adapter_start(
    const Adapters& adapters,
    const PolicyDefinition& definition,
    const Steerable& model);

// REQUIRES a policy whose steered set is lora.
void start_from_adapters(SteeredPolicy& policy, const Adapters& adapters);

}  // namespace moft
