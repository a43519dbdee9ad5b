// Published figures of devices, and the rates that follow from them.
#include "moft/recipes/plan_devices.h"

#include <algorithm>
#include <vector>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

constexpr PlanDevice kDevices[] = {
    {"a100-40g", 40e9, 1.555e12, 312e12, 19.5e12, 300e9, 25e9, 8},
    {"a100-80g", 80e9, 2.039e12, 312e12, 19.5e12, 300e9, 25e9, 8},
    {"h100-80g", 80e9, 3.35e12, 989e12, 67e12, 450e9, 50e9, 8},
    {"h200-141g", 141e9, 4.8e12, 989e12, 67e12, 450e9, 50e9, 8},
    {"l4-24g", 24e9, 300e9, 121e12, 30.3e12, 32e9, 12.5e9, 8},
    {"rtx4090-24g", 24e9, 1.008e12, 165e12, 82.6e12, 32e9, 12.5e9, 8},
};

bool by_copies(const ConditioningOptions& options) {
  return options.steered_set != SteeredSet::kLora &&
         options.steered_set != SteeredSet::kNone;
}

// How many sets of weights the products of a batch read: a mixture for each
// steering, or all m + 1 sources where those are fewer (conditioning.h).
double sources_of(const MemoryQuestion& question) {
  if (!by_copies(question.conditioning)) return 1.0;
  const std::int64_t steerings = steerings_of_rank(question);
  return static_cast<double>(
      question.bf16 ? steerings : std::min(steerings, question.objectives + 1));
}

class Assumed {
 public:
  Assumed(
      const PlanDevice& device,
      const MemoryQuestion& question,
      MeanLengths lengths)
      : question_(question),
        lengths_(lengths),
        shape_(question.shape),
        work_(work_of_rank(question, lengths)),
        operations_(
            kReachedOperations * (question.bf16 ? device.bf16 : device.fp32)),
        bandwidth_(kReachedBandwidth * device.bandwidth) {}

  PassSeconds rollout() const {
    PassSeconds pass = read(shape_, 1.0);
    pass.once += mixing();
    const double rows = static_cast<double>(work_.rows);
    const double weights = bytes(
        static_cast<double>(shape_.parameters) +
        (sources_of(question_) - 1.0) *
            static_cast<double>(trained_parameters(question_).steered));
    const double entries = lengths_.prompt + lengths_.answer / 2.0;
    const double cache =
        rows * entries * 2.0 * 4.0 *
        static_cast<double>(
            shape_.key_width * (shape_.layers - shape_.encoder_layers));
    const double step =
        std::max((weights + cache) / bandwidth_, rows * pass.fresh) +
        launches(shape_);
    pass.fresh = step / rows;
    return pass;
  }

  PassSeconds reference() const { return read(shape_, 1.0); }

  PassSeconds policy() const {
    const bool frozen = question_.conditioning.steered_set == SteeredSet::kLora;
    PassSeconds pass = repeated(
        read(shape_, frozen ? 2.0 : 3.0), static_cast<double>(work_.passes));
    pass.once += mixing();
    return pass;
  }

  PassSeconds value() const {
    const TrainingOptions& training = question_.training;
    if (!training.has_value_network()) return {};
    PassSeconds pass = read(question_.value_network.value_or(shape_), 4.0);
    if (training.rule().values_tokens)
      return repeated(pass, static_cast<double>(work_.passes));
    pass.fresh = 0.0;
    return pass;
  }

  double optimizer() const { return 1.0 / bandwidth_; }

 private:
  double bytes(double numbers) const {
    return numbers * (question_.bf16 ? 2.0 : 4.0);
  }
  static double launches(const ModelShape& shape) {
    return kLayerSeconds * static_cast<double>(shape.layers);
  }

  // A pass over prompts and completions, of `forwards` forward passes' work.
  PassSeconds read(const ModelShape& shape, double forwards) const {
    const TokenParameters parameters = token_parameters(shape);
    const double each = 2.0 * forwards / operations_;
    return {
        forwards * launches(shape),
        each * parameters.prompt,
        each * parameters.fresh};
  }
  static PassSeconds repeated(PassSeconds pass, double times) {
    return {times * pass.once, times * pass.prompt, times * pass.fresh};
  }

  // Reads the reference and m copies, writes the mixture, for each steering.
  double mixing() const {
    if (!by_copies(question_.conditioning)) return 0.0;
    const auto steered =
        static_cast<double>(trained_parameters(question_).steered);
    const double sources = static_cast<double>(question_.objectives + 1);
    return static_cast<double>(steerings_of_rank(question_)) *
           (4.0 * sources * steered + bytes(steered)) / bandwidth_;
  }

  const MemoryQuestion& question_;
  MeanLengths lengths_;
  const ModelShape& shape_;
  StepWork work_;
  double operations_;
  double bandwidth_;
};

}  // namespace

std::span<const PlanDevice> plan_devices() {
  return kDevices;
}

std::vector<std::string> plan_device_names() {
  std::vector<std::string> names;
  for (const PlanDevice& device : kDevices)
    names.emplace_back(device.name);
  return names;
}

const PlanDevice& find_plan_device(const std::string& name) {
  for (const PlanDevice& device : kDevices)
    if (device.name == name) return device;
  throw_caller_error(
      "--device {} is not known; moft has figures of {}; leave --device out "
      "to measure on this machine",
      quote_text(name),
      listed(plan_device_names()));
}

// The embedding table is looked up; the head multiplies new tokens only.
TokenParameters token_parameters(const ModelShape& s) {
  const std::int64_t table = s.vocabulary * s.width;
  const std::int64_t body = s.parameters - (s.tied_head ? table : 2 * table);
  const std::int64_t encoder = s.encoder_layers * s.width *
                               (2 * s.query_width + 2 * s.key_width +
                                (s.gated ? 3 : 2) * s.feed_forward);
  TokenParameters parameters;
  parameters.prompt =
      static_cast<double>(s.encoder_layers > 0 ? encoder : body);
  parameters.fresh = static_cast<double>(body - encoder + table);
  return parameters;
}

StepRates assumed_rates(
    const PlanDevice& device,
    const MemoryQuestion& question,
    MeanLengths lengths) {
  const Assumed assumed(device, question, lengths);
  StepRates rates;
  rates.rollout = assumed.rollout();
  rates.reference = assumed.reference();
  rates.policy = assumed.policy();
  rates.value = assumed.value();
  rates.optimizer = assumed.optimizer();
  const bool near = question.ranks <= device.per_machine;
  rates.sending = 1.0 / (kReachedLink * (near ? device.link : device.network));
  return rates;
}

}  // namespace moft
