// The table of algorithms.
#include "moft/training/algorithms/algorithm.h"

#include "moft/training/algorithms/grpo.h"
#include "moft/training/algorithms/online_dpo.h"
#include "moft/training/algorithms/ppo.h"

namespace moft {

const AlgorithmKind& kind_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kReinforce:
      break;
    case Algorithm::kGrpo:
      return kGrpo;
    case Algorithm::kPpo:
      return kPpo;
    case Algorithm::kOnlineDpo:
      return kOnlineDpo;
  }
  static constexpr AlgorithmKind kReinforce = {};
  return kReinforce;
}

}  // namespace moft
