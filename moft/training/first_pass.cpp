// The beginning of a gradient that the rollout takes part in.
#include "moft/training/first_pass.h"

#include <utility>

namespace moft {

FirstPass::FirstPass(
    Conditioning& conditioning, const Draw& draw, StepPlan step)
    : plan(std::move(step)) {
  conditioning.zero_gradient();
  conditioning.note_steerings(draw.coefficients);
  one_part = is_one_part(draw, plan);
  if (!one_part) return;
  keep_graph = plan.memory.has_room_for_graph(plan.between);
  // The rollout's pass over the prompts is the one that is differentiated, so
  // the parameters that it reads are leaves from the start.
  conditioning.begin_gradient(draw.coefficients.front());
  begun = true;
}

}  // namespace moft
