// All oracles of `moft verify`.
#include "verify/oracles.h"

#include "verify/oracles_fronts.h"
#include "verify/oracles_policies.h"
#include "verify/oracles_tasks.h"

namespace moft::exact {

void verify_exact(OracleBook& book) {
  verify_sampling(book);
  verify_conditioning(book);
  verify_optimizer(book);
  verify_fronts(book);
  verify_tasks(book);
  verify_policies(book);
  verify_enum_policy(book);
}

}  // namespace moft::exact
