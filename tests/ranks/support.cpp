// One process and several, side by side.
#include "tests/ranks/support.h"

#include <cstdlib>
#include <map>
#include <span>
#include <sstream>
#include <string_view>

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "moft/core/files.h"
#include "moft/distributed/bytes.h"
#include "moft/distributed/c10d_group.h"

#include "tests/distributed/support.h"
#include "tests/support/tiny_t5.h"

namespace moft::test {
namespace {

// Its feed-forward matrices have more elements than a chunk of shards.h.
constexpr TinyModel kWide{.layers = 1, .width = 192, .feed_forward = 200};

std::string hash_of(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.detach().to(at::kCPU).contiguous();
  return hash_bytes(
      {static_cast<const std::byte*>(plain.const_data_ptr()), plain.nbytes()});
}

std::string pack(const NamedTensors& tensors) {
  BytesWriter writer;
  writer.number(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor plain = tensor.detach().to(at::kCPU).contiguous();
    writer.list(name);
    writer.list(std::string_view(
        static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()));
  }
  return std::string(writer.bytes());
}

// The hashes of what all ranks hold, as one process has it: shards
// ("name[begin:end]") joined in order.
std::map<std::string, std::string> hashes_of(
    const NamedTensors& tensors, Group* group) {
  const std::string own = pack(tensors);
  std::map<std::string, std::map<std::int64_t, std::string>> parts;
  for (const std::string& bytes :
       group ? group->gather(own) : std::vector<std::string>{own}) {
    BytesReader reader(bytes);
    for (auto left = reader.number<std::size_t>(); left > 0; --left) {
      const auto name = reader.list<std::string>();
      const auto values = reader.list<std::string>();
      const std::size_t bracket = name.find('[');
      const std::int64_t begin = bracket == std::string::npos
                                     ? 0
                                     : std::stoll(name.substr(bracket + 1));
      EXPECT_TRUE(parts[name.substr(0, bracket)].emplace(begin, values).second)
          << name;
    }
  }
  std::map<std::string, std::string> hashes;
  for (const auto& [name, pieces] : parts) {
    std::string whole;
    for (const auto& [begin, values] : pieces)
      whole += values;
    hashes[name] = hash_bytes(std::as_bytes(std::span(whole)));
  }
  return hashes;
}

bool is_of_the_machine(const std::string& metric) {
  return metric.starts_with("time/") || metric.starts_with("ranks/") ||
         metric == "step_time" || metric == "tokens_per_second";
}

// All by name, as JSON.
std::string texts_of(const Traces& traces, Group* group) {
  at::set_num_threads(1);
  if (std::getenv("MOFT_RANKS_ALL") != nullptr) ::alarm(3600);
  nlohmann::json texts;
  for (const auto& [name, trace] : traces)
    texts[name] = trace(group);
  return texts.dump();
}

void add_metrics(
    std::string& trace,
    std::int64_t step,
    const std::map<std::string, double>& metrics) {
  for (const auto& [name, value] : metrics) {
    if (!is_of_the_machine(name))
      trace += fmt::format("step {} {} {:a}\n", step, name, value);
  }
}

// The lines but for those metrics' ("step 3 <metric> ..").
std::string without(
    const std::string& trace, const std::set<std::string>& metrics) {
  if (metrics.empty()) return trace;
  std::string kept;
  std::istringstream lines(trace);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, step, metric;
    words >> kind >> step >> metric;
    if (kind != "step" || !metrics.contains(metric)) kept += line + "\n";
  }
  return kept;
}

std::string first_difference(const std::string& one, const std::string& other) {
  std::istringstream lines(one);
  std::istringstream others(other);
  std::string line;
  std::string with;
  while (std::getline(lines, line)) {
    std::getline(others, with);
    if (line != with) return fmt::format("'{}' is '{}'", line, with);
  }
  return "none";
}

}  // namespace

RankCase rank_case(
    const std::string& name,
    std::int64_t slices,
    const std::function<void(RankCase&)>& change) {
  RankCase result{name, tiny_run()};
  TrainingOptions& training = result.run.training;
  training.gradient_accumulation = slices;
  training.kl_strength = 0.1;
  training.value.learning_rate = 0.01;
  result.run.change_conditioning = [](ConditioningOptions& conditioning) {
    conditioning.alpha_min = 0.05;
  };
  if (change) change(result);
  return result;
}

std::string trace_of(
    Trainer& trainer, int steps, Group* group, const OnEvaluate& evaluate) {
  std::string trace;
  const auto add = [&](const std::string& kind, const NamedTensors& tensors) {
    for (const auto& [name, tensor] : tensors)
      trace += fmt::format("{} {} {}\n", kind, name, hash_of(tensor));
  };
  const auto gather = [&](const char* kind, const NamedTensors& own) {
    for (const auto& [name, hash] : hashes_of(own, group))
      trace += fmt::format("{} {} {}\n", kind, name, hash);
  };
  for (int step = 0; step < steps; ++step) {
    const StepResult result = trainer.step();
    add_metrics(trace, step, result.metrics);
    if (evaluate) add_metrics(trace, step, evaluate(step));
    for (const TrainingSample& sample : result.samples)
      trace += fmt::format("sample {} {:a}\n", sample.completion, sample.kl);
  }
  const TrainerState state = trainer.state();
  state.masters_in_parts ? gather("master", state.masters)
                         : add("master", state.masters);
  gather("optimizer", state.optimizer);
  add("sampler", state.sampler);
  add("value", state.value);
  gather("value optimizer", state.value_optimizer);
  add("rewards", state.rewards);
  add("best", state.best);
  return trace;
}

std::string trace_of(const RankCase& given, Group* group) {
  const Scratch scratch;
  if (given.t5) write_tiny_t5(scratch.path() / "base");
  if (given.wide) write_tiny_model(scratch.path() / "base", kWide);
  TinyRun run = given.run;
  run.group = group;
  run.training.check("training.");
  const TinyTraining tiny(scratch.path(), run);
  return without(trace_of(*tiny.trainer, given.steps, group), given.left_out);
}

void expect_same_texts(const Traces& traces, int ranks) {
  namespace ranks_of = testing_ranks;
  ranks_of::RankProcess alone(
      {}, [&](const Launch&) { return texts_of(traces, nullptr); });
  const ranks_of::Outcome expected = alone.finish();
  ASSERT_EQ(expected.status, 0) << expected.text;
  const nlohmann::json one = nlohmann::json::parse(expected.text);
  for (const auto& [name, text] : one.items()) {
    EXPECT_NE(text.get<std::string>().find("\nmaster "), std::string::npos)
        << name;
    EXPECT_NE(text.get<std::string>().find("\noptimizer "), std::string::npos)
        << name;
  }
  const auto outcomes = ranks_of::run_ranks(ranks, [&](const Launch& launch) {
    const auto group = join_group(launch, {}, {std::chrono::seconds(60)});
    return texts_of(traces, group.get());
  });
  for (const auto& outcome : outcomes) {
    ASSERT_EQ(outcome.status, 0) << outcome.text;
    const nlohmann::json several = nlohmann::json::parse(outcome.text);
    for (const auto& [name, text] : one.items())
      EXPECT_EQ(first_difference(text, several.at(name)), "none") << name;
  }
}

void expect_same_bits(const std::vector<RankCase>& cases, int ranks) {
  Traces traces;
  for (const RankCase& given : cases) {
    traces[given.name] = [&given](Group* group) {
      return trace_of(given, group);
    };
  }
  expect_same_texts(traces, ranks);
}

}  // namespace moft::test
