// Copies that ranks share: the bits of one process, and 1/N of the memory.
#include <mutex>
#include <stdexcept>

#include <gtest/gtest.h>

#include "moft/algorithms/adamw.h"
#include "moft/algorithms/clip.h"
#include "moft/algorithms/stored_moments.h"
#include "moft/conditioning/parameter_copies.h"

#include "tests/support/tensors.h"
#include "tests/support/thread_group.h"

namespace moft {
namespace {

using test::normal_tensor;
using test::same_bits;

const std::vector<std::string> kObjectives{"short", "kind"};
// Longer than a chunk, shorter, and a vector.
const std::vector<std::vector<std::int64_t>> kShapes{
    {300, 400}, {20, 30}, {13}, {701, 100}};
constexpr std::int64_t kElements = 120'000 + 600 + 13 + 70'100;

struct Parameters {
  Parameters() {
    for (std::size_t p = 0; p < kShapes.size(); ++p) {
      steerable.parameters.push_back(std::make_shared<SteeredParameter>(
          std::to_string(p),
          normal_tensor(kShapes[p], static_cast<std::uint32_t>(p), 0.5)));
    }
    steerable.layers = 1;
  }

  const SteeredParameter& operator[](std::size_t p) const {
    return *steerable.parameters[p];
  }

  Steerable steerable;
};

ConditioningOptions full() {
  ConditioningOptions options;
  options.steered_set = SteeredSet::kFull;
  return options;
}

Coefficients mixed(double beta, std::vector<double> w) {
  return Coefficients(beta, Weighting(std::move(w)));
}

// The reference among them, a copy alone, and one that is the reference.
const std::vector<Coefficients> kSteerings{
    mixed(0.1, {.3, .7}),
    mixed(0.0, {.6, .4}),
    mixed(0.0, {1, 0}),
    mixed(1.0, {.5, .5})};

Ranks ranks_of(Group& group) {
  return {group.rank(), group.size(), [&group](std::string_view bytes) {
            return group.gather(bytes);
          }};
}

// What is trained, by one process or a rank.
struct Trained {
  explicit Trained(const Ranks& ranks = {})
      : copies(parameters.steerable, full(), kObjectives, ranks),
        optimizer(copies.trained(), {.weight_decay = 0.1}, ranks) {}

  void step(std::size_t index) {
    const Coefficients& c = kSteerings[index % kSteerings.size()];
    copies.gather(c);
    copies.zero_gradient();
    copies.note_steerings({c});
    copies.begin_gradient(c);
    for (std::size_t p = 0; p < kShapes.size(); ++p) {
      at::Tensor leaf = parameters[p].leaf();
      leaf.mutable_grad() = (leaf.detach() * 3.0 + 0.1).sin();
    }
    copies.end_gradient(c);
    copies.end_slice();
    const auto gradients = copies.gradients();
    const auto norm = clip_by_global_norm(copies.trained(), gradients, 1.0);
    norms.push_back(norm.norm);
    optimizer.step(gradients, 0.01, norm.factor);
    copies.masters_changed();
  }

  Parameters parameters;
  ParameterCopies copies;
  AdamW optimizer;
  std::vector<double> norms;
};

// Under each of kSteerings, by parameter.
std::vector<std::vector<at::Tensor>> values_of(const Trained& trained) {
  std::vector<std::vector<at::Tensor>> values(kSteerings.size());
  for (std::size_t k = 0; k < kSteerings.size(); ++k)
    for (std::size_t p = 0; p < kShapes.size(); ++p)
      values[k].push_back(trained.parameters[p].value(kSteerings[k]));
  return values;
}

std::int64_t bytes_of(const ParameterCopies& copies) {
  std::int64_t bytes = 0;
  for (const TrainedTensor& entry : copies.trained())
    bytes += static_cast<std::int64_t>(entry.master.nbytes());
  return bytes;
}

TEST(SharedCopies, HaveTheBitsOfOneProcess) {
  Trained one;
  for (std::size_t step = 0; step < 5; ++step)
    one.step(step);
  const auto values = values_of(one);
  for (const int size : {2, 3, 4}) {
    SCOPED_TRACE(size);
    test::run_as_ranks(size, [&](test::ThreadGroup& group) {
      Trained rank(ranks_of(group));
      for (std::size_t step = 0; step < 5; ++step)
        rank.step(step);
      EXPECT_EQ(rank.norms, one.norms);
      for (std::size_t i = 0; i < one.copies.trained().size(); ++i) {
        EXPECT_TRUE(same_bits(rank.copies.whole(i), one.copies.whole(i)));
      }
      for (std::size_t k = 0; k < kSteerings.size(); ++k) {
        const Coefficients& c = kSteerings[k];
        rank.copies.gather(c);
        for (std::size_t p = 0; p < kShapes.size(); ++p)
          EXPECT_TRUE(same_bits(rank.parameters[p].value(c), values[k][p]));
      }
    });
  }
}

// The same elements of each copy, so that they are mixed where they are.
TEST(SharedCopies, EachRankHoldsItsShare) {
  for (const int size : {2, 3, 4}) {
    SCOPED_TRACE(size);
    std::vector<std::int64_t> held(static_cast<std::size_t>(size));
    test::run_as_ranks(size, [&](test::ThreadGroup& group) {
      const Trained rank(ranks_of(group));
      held[static_cast<std::size_t>(group.rank())] = bytes_of(rank.copies);
      for (std::size_t p = 0; p < kShapes.size(); ++p) {
        EXPECT_TRUE(rank.parameters[p].copies().empty());
        EXPECT_EQ(
            rank.parameters[p].masters()[0].numel(),
            rank.parameters[p].masters()[1].numel());
      }
      std::int64_t moments = 0;
      for (const OptimizerState& state : rank.optimizer.states())
        for (const auto& [kind, moment] : state.moments)
          moments += static_cast<std::int64_t>(moment.nbytes());
      EXPECT_EQ(moments, 2 * bytes_of(rank.copies));
    });
    std::int64_t all = 0;
    for (const std::int64_t bytes : held) {
      all += bytes;
      EXPECT_LE(bytes, 2 * 4 * (kElements / size + 1 + kNormChunk));
    }
    EXPECT_EQ(all, 2 * 4 * kElements);
  }
}

TEST(SharedCopies, AreWholeWhileTheyAreHeld) {
  Trained one;
  one.step(0);
  const auto values = values_of(one);
  test::run_as_ranks(3, [&](test::ThreadGroup& group) {
    Trained rank(ranks_of(group));
    rank.step(0);
    const Coefficients& c = kSteerings[1];
    EXPECT_THROW(rank.parameters[0].value(c), c10::Error);
    EXPECT_THROW(rank.parameters[0].sources(), c10::Error);
    {
      const WholeCopies whole(rank.copies);
      for (std::size_t p = 0; p < kShapes.size(); ++p) {
        EXPECT_TRUE(same_bits(rank.parameters[p].value(c), values[1][p]));
        EXPECT_TRUE(same_bits(
            rank.parameters[p].copies()[1], one.parameters[p].copies()[1]));
      }
    }
    EXPECT_TRUE(rank.parameters[0].copies().empty());
    EXPECT_THROW(rank.parameters[0].value(c), c10::Error);
  });
}

// Rank 0 alone works; the others give their parts when it asks.
TEST(SharedCopies, AreServedToTheFirstRank) {
  Trained one;
  one.step(0);
  const auto values = values_of(one);
  test::run_as_ranks(3, [&](test::ThreadGroup& group) {
    Trained rank(ranks_of(group));
    rank.step(0);
    const auto work = [&] {
      for (std::size_t i = 0; i < one.copies.trained().size(); ++i)
        EXPECT_TRUE(same_bits(rank.copies.whole(i), one.copies.whole(i)));
      const Coefficients& c = kSteerings[0];
      rank.copies.gather(c);
      EXPECT_TRUE(same_bits(rank.parameters[3].value(c), values[0][3]));
    };
    if (group.rank() == 0) {
      rank.copies.serve(work);
      EXPECT_THROW(
          rank.copies.serve([] { throw std::runtime_error("no room"); }),
          std::runtime_error);
    } else {
      rank.copies.serve(nullptr);
      rank.copies.serve(nullptr);
    }
    rank.step(1);  // they go on together
  });
}

TEST(SharedCopies, AreSavedInShardsAndLoadedByAnyNumber) {
  Trained one;
  one.step(0);
  std::map<std::string, at::Tensor> stored;
  std::mutex mutex;
  test::run_as_ranks(3, [&](test::ThreadGroup& group) {
    Trained rank(ranks_of(group));
    rank.step(0);
    const std::scoped_lock lock(mutex);
    for (const auto& [name, tensor] : rank.copies.tensors())
      EXPECT_TRUE(stored.emplace(name, tensor.clone()).second) << name;
  });
  const StoredMoments shards(stored, "master");
  EXPECT_EQ(shards.size(), one.copies.trained().size());
  const auto read = [&](const std::string& name, const auto& shape) {
    shards.check(name, shape);
    at::Tensor whole = at::empty(shape, at::kFloat);
    shards.copy(name, 0, whole);
    return whole;
  };
  Trained alone;
  alone.copies.load(read);
  for (const auto& [name, tensor] : one.copies.tensors())
    EXPECT_TRUE(same_bits(alone.copies.tensors().at(name), tensor)) << name;
  test::run_as_ranks(2, [&](test::ThreadGroup& group) {
    Trained rank(ranks_of(group));
    rank.copies.load(read);
    for (std::size_t i = 0; i < one.copies.trained().size(); ++i)
      EXPECT_TRUE(same_bits(rank.copies.whole(i), one.copies.whole(i)));
  });
}

}  // namespace
}  // namespace moft
