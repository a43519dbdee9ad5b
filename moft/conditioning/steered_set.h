// Which parameters of a model form the steered set S (CLP, section 3.2).
//
//   attention  the kernels of q, k, v and o of every attention (self and
//              cross), or of the first N layers of each stack; norms and
//              relative position biases belong to S^c
//   logits     the output head; one that is tied to the embedding gets a
//              matrix of its own first, equal to the embedding, which stays
//              in S^c
//   pattern    every parameter in whose name the regular expression is found
//   full, none all of them, none of them
#pragma once

#include <vector>

#include "moft/conditioning/conditioning_options.h"
#include "moft/conditioning/steerable.h"

namespace moft {

// For each of model.parameters whether it is in S; under `logits` a tied head
// is untied here. Throws CallerError when S is empty though the set is not
// `none`, and when attention.layers exceeds every stack. REQUIRES a set other
// than lora.
std::vector<bool> choose_steered(
    Steerable& model, const ConditioningOptions& options);

// The first layer with a parameter that is marked; 0 when one belongs to no
// layer (embeddings, norms), model.layers when only the head's is.
std::int64_t first_layer_of(
    const Steerable& model, const std::vector<bool>& marked);

// Gives a head that shares the embedding a matrix of its own, named
// "lm_head.weight" and last among the parameters. A head that is not tied
// stays as it is.
void untie_head(Steerable& model);

}  // namespace moft
