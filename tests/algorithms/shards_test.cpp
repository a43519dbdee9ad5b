// Optimizer state divided over ranks: the bits of one process.
#include "moft/algorithms/shards.h"

#include <cmath>
#include <memory>
#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "moft/algorithms/adafactor.h"
#include "moft/algorithms/adamw.h"
#include "moft/algorithms/clip.h"
#include "moft/core/errors.h"

#include "tests/support/thread_group.h"

namespace moft::test {
namespace {

using State = std::map<std::string, at::Tensor>;

at::Tensor waves(at::IntArrayRef shape, double frequency) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape)
    count *= size;
  return (at::arange(count, at::kFloat) * frequency).sin().view(shape) * 0.3;
}

// Longer and shorter than a chunk, one of exactly a chunk and one more, one in
// an odd layout, and two copies that share a gradient.
std::vector<TrainedTensor> parameters() {
  at::Tensor odd = at::stack({waves({90, 401}, .3), waves({90, 401}, .4)}, -1);
  at::Tensor signs = waves({5, 7}, .9);
  signs.fill_(-0.0);
  return {
      {"copy1", waves({300, 400}, .1)},
      {"copy2", waves({300, 400}, .2)},
      {"chunk", waves({kNormChunk}, .5)},
      {"more", waves({kNormChunk + 1}, .6), /*decays=*/false},
      {"odd", odd.select(-1, 1)},
      {"zeros", signs},
      {"gain", waves({13}, .7), /*decays=*/false},
      {"none", at::zeros({0})}};
}

constexpr double kWeights[3][2] = {{.3, .7}, {0, 1}, {1, 0}};

std::vector<ScaledGradient> gradients(int step) {
  const double phase = 1.0 + 0.01 * step;
  const at::Tensor shared = waves({300, 400}, 1.3 * phase);
  const auto& w = kWeights[step % 3];
  at::Tensor zeros = at::zeros({5, 7});
  return {
      {shared, w[0]},
      {shared, w[1]},
      {waves({kNormChunk}, 1.5 * phase)},
      {waves({kNormChunk + 1}, 1.6 * phase)},
      {waves({90, 401}, 1.7 * phase)},
      {zeros},
      step == 1 ? ScaledGradient{} : ScaledGradient{waves({13}, 1.8 * phase)},
      {at::zeros({0})}};
}

struct Case {
  const char* name;
  std::function<std::unique_ptr<Optimizer>(std::vector<TrainedTensor>, Ranks)>
      make;
};

template <class Kind, class Options>
Case make_case(const char* name, Options options) {
  return {name, [options](auto given, Ranks ranks) {
            return std::make_unique<Kind>(
                std::move(given), options, std::move(ranks));
          }};
}

std::vector<Case> cases() {
  AdafactorOptions plain;
  plain.multiply_by_parameter_scale = false;
  plain.clipping_threshold.reset();
  plain.factored = false;
  AdafactorOptions dense;
  dense.dense = true;
  return {
      make_case<AdamW>("AdamW", AdamWOptions{}),
      make_case<AdamW>("AdamWDecay", AdamWOptions{.weight_decay = 0.1}),
      make_case<AdamW>("AdamWDense", AdamWOptions{.dense = true}),
      make_case<Adafactor>("Adafactor", AdafactorOptions{}),
      make_case<Adafactor>("AdafactorDense", dense),
      make_case<Adafactor>("AdafactorPlain", plain)};
}

Ranks ranks_of(Group& group) {
  return {group.rank(), group.size(), [&group](std::string_view bytes) {
            return group.gather(bytes);
          }};
}

// How a run of steps ended: masters by parameter, and all ranks' state.
struct Outcome {
  std::vector<at::Tensor> masters;
  State state;
};

void take_steps(
    Optimizer& optimizer, int begin, int end, std::optional<double> clip) {
  for (int step = begin; step < end; ++step) {
    const auto given = gradients(step);
    const auto norm = clip_by_global_norm(optimizer.parameters(), given, clip);
    optimizer.step(given, 1e-2 * (1 + step % 2), norm.factor);
  }
}

std::vector<at::Tensor> copies(const Optimizer& optimizer) {
  std::vector<at::Tensor> result;
  for (const TrainedTensor& parameter : optimizer.parameters())
    result.push_back(parameter.master.clone());
  return result;
}

// Steps begin to end - 1 on `size` ranks, from `start` if there is one.
Outcome run(
    const Case& kind,
    int size,
    int begin,
    int end,
    std::optional<double> clip,
    const Outcome* start = nullptr) {
  std::vector<Outcome> by_rank(static_cast<std::size_t>(size));
  run_as_ranks(size, [&](ThreadGroup& group) {
    const auto optimizer =
        kind.make(parameters(), size == 1 ? Ranks{} : ranks_of(group));
    if (start != nullptr) {
      optimizer->import_state(start->state);
      for (std::size_t i = 0; i < start->masters.size(); ++i) {
        at::Tensor master = optimizer->parameters()[i].master;
        master.copy_(start->masters[i]);
      }
    }
    take_steps(*optimizer, begin, end, clip);
    Outcome& own = by_rank[static_cast<std::size_t>(group.rank())];
    own.masters = copies(*optimizer);
    for (const auto& [name, tensor] : optimizer->export_state())
      own.state.emplace(name, tensor.clone());
  });
  Outcome all = by_rank.front();
  for (const Outcome& other : by_rank) {
    for (std::size_t i = 0; i < all.masters.size(); ++i)
      EXPECT_TRUE(other.masters[i].equal(all.masters[i]));
    for (const auto& [name, tensor] : other.state) {
      if (&other == &by_rank.front()) continue;
      EXPECT_TRUE(all.state.emplace(name, tensor).second) << name;
    }
  }
  return all;
}

// Bits, so that -0 and 0 differ.
void expect_same_bits(const at::Tensor& a, const at::Tensor& b) {
  ASSERT_EQ(a.sizes(), b.sizes());
  EXPECT_TRUE(
      a.contiguous().view(at::kInt).equal(b.contiguous().view(at::kInt)));
}

// The state as one process would export it.
State assembled(const Case& kind, const State& state) {
  const auto one = kind.make(parameters(), {});
  one->import_state(state);
  State result;
  for (const auto& [name, tensor] : one->export_state())
    result.emplace(name, tensor.clone());
  return result;
}

void expect_same(const Case& kind, const Outcome& a, const Outcome& b) {
  for (std::size_t i = 0; i < a.masters.size(); ++i) {
    SCOPED_TRACE(i);
    expect_same_bits(a.masters[i], b.masters[i]);
  }
  const State left = assembled(kind, a.state);
  const State right = assembled(kind, b.state);
  for (const auto& [name, tensor] : left)
    EXPECT_TRUE(tensor.equal(right.at(name))) << name;
}

class ShardedOptimizer : public testing::TestWithParam<Case> {};

TEST_P(ShardedOptimizer, HasTheBitsOfOneProcess) {
  for (const std::optional<double> clip : {std::optional<double>(), {0.5}}) {
    const Outcome one = run(GetParam(), 1, 0, 5, clip);
    for (const int size : {2, 3, 4}) {
      SCOPED_TRACE(size);
      expect_same(GetParam(), run(GetParam(), size, 0, 5, clip), one);
    }
  }
}

TEST_P(ShardedOptimizer, GoesOnWithAnyNumberOfRanks) {
  const Outcome straight = run(GetParam(), 1, 0, 5, 0.5);
  for (const auto& [before, after] :
       {std::pair(2, 1), {1, 3}, {3, 2}, {4, 4}}) {
    SCOPED_TRACE(testing::Message() << before << " to " << after);
    const Outcome half = run(GetParam(), before, 0, 2, 0.5);
    expect_same(GetParam(), run(GetParam(), after, 2, 5, 0.5, &half), straight);
  }
}

TEST_P(ShardedOptimizer, KeepsEachMomentOnce) {
  const auto numbers = [](const State& state) {
    std::int64_t sum = 0;
    for (const auto& [name, tensor] : state)
      sum += tensor.numel();
    return sum;
  };
  const Outcome one = run(GetParam(), 1, 0, 1, {});
  const Outcome three = run(GetParam(), 3, 0, 1, {});
  EXPECT_EQ(numbers(three.state), numbers(one.state));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, ShardedOptimizer, testing::ValuesIn(cases()), [](const auto& kind) {
      return std::string(kind.param.name);
    });

TEST(Shards, EndAtChunksAndHoldEveryElementOnce) {
  const auto given = parameters();
  for (const int ranks : {1, 2, 3, 4, 7}) {
    SCOPED_TRACE(ranks);
    std::vector<std::int64_t> reached(given.size(), 0);
    std::vector<std::int64_t> load(static_cast<std::size_t>(ranks), 0);
    std::set<std::pair<int, std::size_t>> seen;
    auto shards = divide(given, Division::kChunks, ranks);
    std::int64_t all = 0;
    for (const Shard& shard : shards) {
      const std::int64_t size = given[shard.parameter].master.numel();
      EXPECT_TRUE(seen.emplace(shard.rank, shard.parameter).second);
      EXPECT_EQ(shard.begin % kNormChunk, 0);
      EXPECT_TRUE(shard.end % kNormChunk == 0 || shard.end == size);
      reached[shard.parameter] += shard.count();
      load[static_cast<std::size_t>(shard.rank)] += shard.count();
      all += shard.count();
    }
    for (std::size_t p = 0; p < given.size(); ++p)
      EXPECT_EQ(reached[p], given[p].master.numel());
    const auto odd = given[4].master.numel();
    for (const std::int64_t own : load)
      EXPECT_LE(own, std::max(all / ranks, odd) + kNormChunk + 1);
  }
}

TEST(Shards, WholeTensorsGoToTheRankThatHasLeast) {
  const std::vector<TrainedTensor> given = {
      {"a", at::zeros({3})}, {"b", at::zeros({10})}, {"c", at::zeros({6})}};
  const auto shards = divide(given, Division::kTensors, 2);
  ASSERT_EQ(shards.size(), 3U);
  EXPECT_EQ(shards[0].parameter, 1U);  // b alone
  EXPECT_EQ(shards[0].rank, 0);
  EXPECT_EQ(shards[1].parameter, 0U);  // a with c
  EXPECT_EQ(shards[1].rank, 1);
  EXPECT_EQ(shards[2].parameter, 2U);
}

// More than is sent at once.
TEST(Shards, TravelInRounds) {
  const std::int64_t n = 9'000'000;
  run_as_ranks(2, [&](ThreadGroup& group) {
    const std::vector<TrainedTensor> given = {
        {"a", at::full({n}, static_cast<float>(group.rank()))}};
    const auto shards = divide(given, Division::kChunks, 2);
    ASSERT_EQ(shards.size(), 2U);
    exchange_shards(given, shards, ranks_of(group));
    const std::int64_t first = shards[0].end;
    EXPECT_EQ(given[0].master.sum(at::kDouble).item<double>(), n - first);
    EXPECT_EQ(given[0].master[first - 1].item<float>(), 0.0f);
    EXPECT_EQ(given[0].master[first].item<float>(), 1.0f);
  });
}

TEST(Shards, AnotherNumberOfBytesIsRefused) {
  const std::vector<TrainedTensor> given = {
      {"a", at::zeros({3})}, {"b", at::zeros({3})}};
  const auto shards = divide(given, Division::kTensors, 2);
  const Ranks ranks{
      0, 2, [](std::string_view own) {
        return std::vector<std::string>{std::string(own), std::string(8, 'x')};
      }};
  EXPECT_THROW(exchange_shards(given, shards, ranks), WorldError);
}

// ---- state that does not fit
// -------------------------------------------------

State two_shards() {
  State state;
  state["w.first_moment[0:32768]"] = at::ones({kNormChunk});
  state["w.first_moment[32768:40000]"] = at::ones({40000 - kNormChunk});
  state["w.second_moment"] = at::ones({40000});
  state["w.steps"] = at::scalar_tensor(3, at::TensorOptions(at::kLong));
  return state;
}

// The words of the refusal; empty when there is none.
std::string refusal(const State& state) {
  AdamW adamw({{"w", at::zeros({40000})}}, {});
  try {
    adamw.import_state(state);
  } catch (const CallerError& error) {
    EXPECT_EQ(adamw.states()[0].steps, 0);
    EXPECT_EQ(
        adamw.states()[0].moments.at("first_moment").sum().item<float>(), 0);
    return error.what();
  }
  return "";
}

TEST(StoredMoments, ShardsThatFitAreTaken) {
  EXPECT_EQ(refusal(two_shards()), "");
}

TEST(StoredMoments, HostileShardsAreRefused) {
  const std::string first = "w.first_moment[0:32768]";
  const std::string second = "w.first_moment[32768:40000]";
  const auto with = [&](const std::string& name, const at::Tensor& tensor) {
    State state = two_shards();
    state.erase(second);
    state[name] = tensor;
    return refusal(state);
  };
  const auto says = [](const std::string& text, const std::string& words) {
    EXPECT_NE(text.find(words), std::string::npos) << text;
  };
  says(with("w.first_moment[32000:40000]", at::ones({8000})), "twice");
  says(with("w.first_moment[0:40000]", at::ones({40000})), "twice");
  says(with("w.first_moment", at::ones({40000})), "whole and in shards");
  says(with("w.first_moment[32769:40000]", at::ones({7231})), "lacks");
  says(with("w.first_moment[32768:39999]", at::ones({7231})), "39999");
  says(with("w.first_moment[32768:40001]", at::ones({7233})), "40001");
  says(with("w.first_moment[32768:40000]", at::ones({7231})), "does not say");
  says(with("w.first_moment[40000:32768]", at::ones({7232})), "does not say");
  says(with("w.first_moment[32768:32768]", at::ones({0})), "does not say");
  says(
      with("w.first_moment[32768:40000]", at::ones({2, 3616})), "does not say");
  says(
      with("w.first_moment[32768:9223372036854775807]", at::ones({7232})),
      "does not say");
  says(
      with("w.first_moment[32768:99999999999999999999]", at::ones({7232})),
      "40000");
  says(with("w.first_moment[-1:7231]", at::ones({7232})), "40000");
  says(with(second, at::ones({7232}, at::kLong)), "another shape or type");
  says(with("w.steps[0:1]", at::ones({1})), "40000");
  State strange = two_shards();
  strange["w.third_moment[0:4]"] = at::ones({4});
  says(refusal(strange), "4 tensors");
  strange = two_shards();
  strange.erase("w.steps");
  strange["w.steps[0:1]"] = at::ones({1});
  says(refusal(strange), "another shape or type");
  strange = two_shards();
  strange.erase(first);
  strange.erase(second);
  says(refusal(strange), "is missing");
}

}  // namespace
}  // namespace moft::test
