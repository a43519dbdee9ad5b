// The lines and the JSON of `moft plan`.
#include "cli/plan_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "moft/core/text.h"

namespace moft {
namespace {

using Json = nlohmann::ordered_json;

// Which case of sharding holds, for machines.
const char* sharding_case(const PlanReport& report) {
  if (report.question.ranks == 1) return "one_rank";
  if (report.question.sharding.copies) return "one_steering";
  const SteeredSet set = report.question.conditioning.steered_set;
  if (set == SteeredSet::kLora) return "adapters";
  if (set == SteeredSet::kNone) return "no_copies";
  return report.question.training.weighting_per == WeightingPer::kBatch
             ? "adafactor"
             : "several_steerings";
}

std::string sharding_text(const PlanReport& report) {
  const std::string name = sharding_case(report);
  if (name == "one_rank") return "not: one rank holds everything";
  if (name == "adapters") {
    return "optimizer state is; adapters are not mixed, every rank needs all "
           "of them";
  }
  if (name == "no_copies") return "optimizer state is; there are no copies";
  if (name == "several_steerings") {
    return "optimizer state is; a steering for each prompt: every rank needs "
           "all copies";
  }
  if (name == "adafactor") {
    return "optimizer state is; Adafactor updates whole tensors: every rank "
           "has all copies";
  }
  return "optimizer state and copies are: one steering a step";
}

struct Part {
  const char* name;
  double seconds;
  std::string rates;
};

// "812 new tokens/s, 3020 prompt tokens/s, 0.02 s once"
std::string rates_of(const PassSeconds& pass) {
  std::vector<std::string> parts;
  if (pass.fresh > 0.0)
    parts.push_back(fmt::format("{:.4g} new tokens/s", 1.0 / pass.fresh));
  if (pass.prompt > 0.0)
    parts.push_back(fmt::format("{:.4g} prompt tokens/s", 1.0 / pass.prompt));
  if (pass.once > 0.0) parts.push_back(fmt::format("{:.3g} s once", pass.once));
  return join(parts, ", ");
}

std::string per_second(double seconds, const char* unit) {
  return seconds > 0.0 ? fmt::format("{:.4g} {}/s", 1.0 / seconds, unit)
                       : std::string("not counted");
}

std::vector<Part> parts_of(const PlanReport& report) {
  const StepRates& rates = *report.rates;
  const StepTimes step = predict_step(report.work, rates);
  std::vector<Part> parts = {
      {"rollout", step.rollout, rates_of(rates.rollout)},
      {"rewards", step.rewards, per_second(rates.reward, "answers")},
      {"reference", step.reference, rates_of(rates.reference)},
      {"policy", step.policy, rates_of(rates.policy)}};
  if (report.question.training.has_value_network())
    parts.push_back({"value", step.value, rates_of(rates.value)});
  parts.push_back(
      {"optimizer", step.optimizer, per_second(rates.optimizer * 1e9, "GB")});
  if (report.question.ranks > 1) {
    parts.push_back(
        {"ranks", step.ranks, per_second(rates.sending * 1e9, "GB")});
  }
  return parts;
}

std::string where_rates_are_from(const PlanReport& report) {
  const std::string sending =
      report.question.ranks > 1
          ? fmt::format(
                "; ranks are assumed to send {:.0f} GB/s through gloo and to "
                "have a core for each thread",
                kLoopbackBytes / 1e9)
          : "";
  if (report.measured) {
    return fmt::format(
        "measured here ({}): {} steps in {:.0f} s{}",
        report.here,
        report.measured->steps,
        report.measured->seconds,
        sending);
  }
  const PlanDevice& device = *report.device;
  return fmt::format(
      "assumed, not measured: {:.0f}% of {:.4g} TFLOP/s, {:.0f}% of {:.4g} "
      "TB/s of memory, {:.0f}% of a link of {:.4g} GB/s, {:.0f} us for each "
      "layer of a pass; rewards take none",
      100.0 * kReachedOperations,
      (report.question.bf16 ? device.bf16 : device.fp32) / 1e12,
      100.0 * kReachedBandwidth,
      device.bandwidth / 1e12,
      100.0 * kReachedLink,
      (report.question.ranks <= device.per_machine ? device.link
                                                   : device.network) /
          1e9,
      kLayerSeconds * 1e6);
}

std::string memory_lines(const PlanReport& report) {
  const MemoryEstimate& memory = report.memory;
  std::string text = fmt::format(
      "\nmemory of {}, by estimate\n",
      report.question.ranks == 1
          ? std::string("the process")
          : fmt::format("each of {} ranks", report.question.ranks));
  const auto line = [&](const char* name, std::int64_t bytes) {
    if (bytes > 0)
      text += fmt::format("  {:<12} {:>9}\n", name, bytes_as_text(bytes));
  };
  line("weights", memory.weights);
  line("copies", memory.masters);
  line("gradients", memory.gradients);
  line("optimizer", memory.optimizer);
  line("value", memory.value);
  line("rollout", memory.rollout);
  line("  cache", memory.cache);
  line("scoring", memory.scoring);
  line("value pass", memory.value_pass);
  line("evaluation", memory.evaluation);
  text += fmt::format(
      "  {:<12} {:>9}   what is held, and the largest phase beside it\n",
      "peak",
      bytes_as_text(memory.peak()));
  const std::int64_t all = resident_bytes(memory);
  text += fmt::format(
      "  {:<12} {:>9}   with the program, libtorch and the allocator's slack",
      "resident",
      bytes_as_text(all));
  if (report.device != nullptr) {
    const auto room = static_cast<std::int64_t>(report.device->memory);
    text += fmt::format(
        "; {} has {}: {}",
        report.device->name,
        bytes_as_text(room),
        all <= room ? "fits" : "does not fit");
  } else if (report.available) {
    text += fmt::format("; {} available", bytes_as_text(*report.available));
  }
  return text + "\n";
}

std::string step_lines(const PlanReport& report) {
  if (!report.rates) return "";
  std::string text = fmt::format(
      "\nstep of answers of {:.4g} tokens, prompts of {:.4g}\n",
      report.lengths.answer,
      report.lengths.prompt);
  double total = 0.0;
  for (const Part& part : parts_of(report)) {
    text += fmt::format(
        "  {:<12} {:>9.3f} s   {}\n", part.name, part.seconds, part.rates);
    total += part.seconds;
  }
  text += fmt::format("  {:<12} {:>9.3f} s\n", "total", total);
  return text + fmt::format("rates {}\n", where_rates_are_from(report));
}

Json rates_json(const PassSeconds& pass) {
  return {
      {"seconds_once", pass.once},
      {"seconds_per_prompt_token", pass.prompt},
      {"seconds_per_new_token", pass.fresh}};
}

Json step_json(const PlanReport& report) {
  const StepRates& rates = *report.rates;
  Json seconds = Json::object();
  double total = 0.0;
  for (const Part& part : parts_of(report)) {
    seconds[part.name] = part.seconds;
    total += part.seconds;
  }
  seconds["total"] = total;
  return {
      {"mean_length", report.lengths.answer},
      {"prompt_tokens", report.lengths.prompt},
      {"rates_are", report.measured ? "measured" : "assumed"},
      {"seconds", seconds},
      {"rates",
       {{"rollout", rates_json(rates.rollout)},
        {"reference", rates_json(rates.reference)},
        {"policy", rates_json(rates.policy)},
        {"value", rates_json(rates.value)},
        {"seconds_per_reward", rates.reward},
        {"seconds_per_optimizer_byte", rates.optimizer},
        {"seconds_per_sent_byte", rates.sending}}}};
}

}  // namespace

std::string text_of(const PlanReport& report) {
  const MemoryQuestion& question = report.question;
  const TrainedParameters counts = trained_parameters(question);
  std::string text = fmt::format(
      "recipe      {}: {}, {} objectives, {} prompts x {} answers of at most "
      "{} tokens\n"
      "parameters  {} of the model, {} steered, {} trained\n",
      report.recipe,
      enum_name(question.conditioning.steered_set),
      question.objectives,
      question.training.prompts_per_step,
      question.training.samples_per_prompt,
      question.training.max_new_tokens,
      question.shape.parameters,
      counts.steered,
      counts.trained);
  text += memory_lines(report);
  text += fmt::format("\nsharded     {}\n", sharding_text(report));
  if (question.ranks > 1) {
    text += fmt::format(
        "exchange    {} sent by each rank in a step\n",
        bytes_as_text(report.work.sent_bytes));
  }
  text += step_lines(report);
  for (const std::string& note : report.notes)
    text += fmt::format("note: {}\n", note);
  return text;
}

Json json_of(const PlanReport& report) {
  const MemoryQuestion& question = report.question;
  const MemoryEstimate& memory = report.memory;
  const TrainedParameters counts = trained_parameters(question);
  Json json = {
      {"format_version", 1},
      {"recipe", report.recipe},
      {"ranks", question.ranks},
      {"device", report.device != nullptr ? report.device->name : "here"},
      {"parameters",
       {{"model", question.shape.parameters},
        {"steered", counts.steered},
        {"common", counts.common},
        {"trained", counts.trained}}},
      {"memory",
       {{"weights", memory.weights},
        {"copies", memory.masters},
        {"gradients", memory.gradients},
        {"optimizer", memory.optimizer},
        {"value", memory.value},
        {"rollout", memory.rollout},
        {"cache", memory.cache},
        {"scoring", memory.scoring},
        {"evaluation", memory.evaluation},
        {"value_pass", memory.value_pass},
        {"peak", memory.peak()},
        {"resident", resident_bytes(memory)}}},
      {"sharding",
       {{"case", sharding_case(report)},
        {"optimizer", question.sharding.optimizer},
        {"copies", question.sharding.copies}}},
      {"sent_bytes_per_rank", report.work.sent_bytes},
      {"step", nullptr},
      {"notes", report.notes}};
  if (report.rates) json["step"] = step_json(report);
  return json;
}

}  // namespace moft
