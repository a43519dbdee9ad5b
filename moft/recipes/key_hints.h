// What the keys of TRL, verl, LLaMA-Factory and OpenRLHF are called in a
// recipe, so that an unknown key leads to the one that does something here. The
// table is key_hints.yaml.
#pragma once

#include "moft/core/fields.h"

namespace moft {

KeyHints train_key_hints();
KeyHints sft_key_hints();
KeyHints reward_key_hints();
KeyHints dpo_key_hints();

// key_hints.yaml, which is part of the program.
std::string_view key_hints_text();

}  // namespace moft
