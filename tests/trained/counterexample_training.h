// The counterexample trained as a policy would be: from samples, and with a
// small network in place of a table.
//
// REINFORCE: one weighting a step, drawn from Dirichlet(1, 1), a batch of
// outputs drawn from the policy, rewards (1 - alpha) w.R - alpha log(pi / ref),
// advantages normalised over the batch, the gradient w_i times that of the
// merged logits for copy i (CLP, arXiv 2407.15762, algorithm 1).
//
// The network maps a constant (or, prompted, the weighting) through H tanh
// units to three logits; exact gradients over 20 weightings, so that what
// differs is only which parameters are steered (S).
//
// Every draw is named by the seed. Thread safety: pure.
#pragma once

#include <cstdint>

#include "verify/counterexample.h"

namespace moft::exact {

struct StochasticTraining {
  int steps = 2000;
  double step_size = 0.3;
  int batch = 32;
  double alpha = 0.03;  // KL strength towards the uniform reference
  std::uint64_t seed = 1;
};

// Copies trained together; experts trained alone with half the steps each.
Policy3 reinforce_together(const StochasticTraining& training);
Policy3 reinforce_soup(const StochasticTraining& training);

// What is steered.
enum class NetworkSteering {
  kFull,    // all parameters
  kLogits,  // the last layer
  kHidden,  // the hidden layer only
  kPrompt,  // nothing; the weighting is an input
  kSoup,    // all, but each copy trained at its own corner
};

struct NetworkTraining {
  int hidden = 8;
  int steps = 10000;  // the soup: half of them for each expert
  double step_size = 0.5;
  double alpha = 0.01;        // KL strength towards the initial policy
  double output_scale = 0.1;  // of the last layer's initial weights
  std::uint64_t seed = 1;
};

Policy3 train_network(
    NetworkSteering steering, const NetworkTraining& training);

}  // namespace moft::exact
