// All oracles of `moft verify`.
#include "verify/oracles.h"

#include "verify/oracles_conditioning.h"
#include "verify/oracles_enum_policy.h"
#include "verify/oracles_fronts.h"
#include "verify/oracles_multi_kl.h"
#include "verify/oracles_policies.h"
#include "verify/oracles_rouge.h"
#include "verify/oracles_sampling.h"
#include "verify/oracles_tasks.h"
#include "verify/oracles_theory.h"

namespace moft::exact {

void verify_exact(OracleBook& book) {
  verify_sampling(book);
  verify_conditioning(book);
  verify_optimizer(book);
  verify_fronts(book);
  verify_rouge(book);
  verify_counterexample(book);
  verify_bandits(book);
  verify_estimators(book);
  verify_enum_task(book);
  verify_theory(book);
  verify_multi_kl(book);
  verify_policies(book);
  verify_enum_policy(book);
}

}  // namespace moft::exact
