// Clipping, the optimizer's step, and masters from a checkpoint.
#include "moft/training/apply_update.h"

#include <ATen/core/grad_mode.h>

#include "moft/algorithms/clip.h"
#include "moft/algorithms/stored_moments.h"
#include "moft/core/errors.h"
#include "moft/training/make_optimizer.h"

namespace moft {

std::unique_ptr<Optimizer> make_optimizer(
    const Conditioning& conditioning,
    const OptimizerOptions& options,
    const Ranks& ranks) {
  return make_optimizer(conditioning.trained(), options, ranks);
}

double learning_rate_at(const UpdateOptions& options, std::int64_t step) {
  return learning_rate_at(
      make_schedule(
          options.optimizer.learning_rate, options.schedule, options.steps),
      step);
}

double apply_update(
    Optimizer& optimizer,
    Conditioning& conditioning,
    std::optional<double> clip,
    std::optional<double> rate) {
  const at::NoGradGuard no_gradient;
  const std::vector<ScaledGradient> gradients = conditioning.gradients();
  const ClippedNorm clipped =
      clip_by_global_norm(optimizer.parameters(), gradients, clip);
  if (!rate) return clipped.norm;
  optimizer.step(gradients, *rate, clipped.factor);
  conditioning.masters_changed();
  return clipped.norm;
}

void restore_masters(const NamedTensors& masters, Conditioning& conditioning) {
  const StoredMoments stored(masters, "master");
  std::size_t used = 0;
  conditioning.load(
      [&](const std::string& name, const std::vector<std::int64_t>& shape) {
        ++used;
        const auto found = masters.find(name);
        if (found != masters.end() && found->second.sizes() == shape &&
            found->second.scalar_type() == at::kFloat) {
          return found->second;
        }
        if (found != masters.end() || !stored.has(name)) {
          throw_caller_error(
              "tensor '{}' is missing or has another shape; resume with the "
              "recipe that wrote it",
              name);
        }
        stored.check(name, shape);
        at::Tensor whole = at::empty(shape, at::kFloat);
        stored.copy(name, 0, whole);
        return whole;
      });
  if (used == stored.size()) return;
  throw_caller_error(
      "there are {} tensors, but the recipe trains {}; resume with the recipe "
      "that wrote them",
      stored.size(),
      used);
}

}  // namespace moft
