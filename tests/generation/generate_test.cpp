// The traps of sampling and scoring, on a tiny model.
#include "moft/generation/generate.h"

#include <functional>
#include <limits>

#include <ATen/Parallel.h>

#include "moft/generation/policy_directory.h"
#include "moft/kernels/token_log_probs.h"

#include "tests/generation/support.h"

namespace moft {
namespace {

using test::distance;
using test::mixed;
using test::same_bits;
using test::tiny_batch;

constexpr std::int64_t kNewTokens = 12;

std::vector<RowKey> keys(std::size_t rows, std::uint64_t seed = 5) {
  std::vector<RowKey> result;
  for (std::size_t r = 0; r < rows; ++r) {
    result.push_back({seed, Purpose::kTest, 1, static_cast<std::uint32_t>(r)});
  }
  return result;
}

// Three prompts of different lengths, three steerings, thirteen rows.
GenerateBatch mixed_batch() {
  GenerateBatch batch;
  batch.prompts = {{3, 9, 0, 14}, {7, 7}, {1, 2, 3, 4, 5, 6}};
  batch.steerings = {
      mixed(0.0, {0.3, 0.7}), mixed(0.4, {0.6, 0.4}), mixed(0.0, {1.0, 0.0})};
  for (std::int64_t r = 0; r < 13; ++r)
    batch.rows.push_back({(r * 2) % 3, r % 3});
  batch.keys = keys(13);
  return batch;
}

GenerateOptions options(double temperature = 0.8) {
  GenerateOptions options;
  options.max_new_tokens = kNewTokens;
  options.sampling.temperature = temperature;
  options.end_tokens = {test::tiny_end()};
  return options;
}

void expect_same(const Generation& a, const Generation& b, std::size_t row) {
  EXPECT_EQ(a.tokens, b.tokens) << row;
  EXPECT_EQ(a.log_probs, b.log_probs) << row;
  EXPECT_EQ(a.finished, b.finished) << row;
}

class GenerateTest : public test::TinyPolicyTest,
                     public testing::WithParamInterface<SteeredSet> {
 protected:
  Generations sample(
      const GenerateBatch& batch, const GenerateOptions& chosen = options()) {
    return generate(policy().model(), batch, chosen, &policy().tokenizer());
  }
  SteeredPolicy& policy() {
    if (!policy_) policy_ = make_trained(GetParam());
    return *policy_;
  }
  std::unique_ptr<SteeredPolicy> policy_;
};

TEST_P(GenerateTest, SomeRowsFinishAndSomeAreCut) {
  std::size_t finished = 0;
  const auto rows = sample(mixed_batch()).rows;
  for (const Generation& row : rows) {
    const bool ended = row.tokens.back() == test::tiny_end();
    EXPECT_EQ(row.finished, ended);
    finished += ended ? 1 : 0;
    EXPECT_EQ(row.log_probs.size(), row.tokens.size());
    if (!ended) {
      EXPECT_EQ(row.tokens.size(), kNewTokens);
    }
  }
  EXPECT_GT(finished, 0U);
  EXPECT_LT(finished, rows.size());
}

TEST_P(GenerateTest, ScoredLogProbsAreTheSampledOnes) {
  for (const double temperature : {0.8, 1.0, 1.7}) {
    const GenerateBatch batch = mixed_batch();
    const auto rows = sample(batch, options(temperature)).rows;
    // One prompt per row, each with its own steering.
    ScoreBatch score;
    std::vector<std::int64_t> steerings;
    std::vector<std::int64_t> targets;
    std::vector<float> sampled;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const auto prompt = static_cast<std::size_t>(batch.rows[r].prompt);
      score.prompts.push_back(batch.prompts[prompt]);
      score.completions.push_back(rows[r].tokens);
      score.prompt_of_row.push_back(static_cast<std::int64_t>(r));
      steerings.push_back(batch.rows[r].steering);
      targets.insert(
          targets.end(), rows[r].tokens.begin(), rows[r].tokens.end());
      sampled.insert(
          sampled.end(), rows[r].log_probs.begin(), rows[r].log_probs.end());
    }
    const auto steering =
        RowSteering::per_row(batch.steerings, steerings, at::kCPU);
    const at::Tensor log_probs = kernels::selected_log_probs(
        logits(policy().model(), score, steering),
        at::tensor(targets, at::kLong),
        {.inverse_temperature = 1 / temperature});
    const at::Tensor expected = at::tensor(sampled, at::kFloat);
    EXPECT_LT(test::largest(log_probs - expected), 2e-5) << temperature;
  }
}

TEST_P(GenerateTest, PoliciesScoreWhatTheySampled) {
  std::vector<CompletionRequest> requests;
  for (std::uint32_t r = 0; r < 9; ++r) {
    CompletionRequest request;
    request.prompt = r % 2 == 0 ? TokenIds{3, 9, 0} : TokenIds{4, 4, 4, 8};
    if (r % 3 != 0) {
      request.steering =
          Steering{Weighting({0.5, 0.5}), r % 3 == 1 ? 0.1 : 0.5};
    }
    request.key = {3, Purpose::kTest, 0, r};
    requests.push_back(request);
  }
  GenerateOptions chosen = options(1.0);
  chosen.end_tokens.clear();  // the model's own end token is enough
  const auto completions = policy().complete_with_kl(requests, chosen);
  std::vector<ScoreRequest> scoring;
  for (std::size_t r = 0; r < requests.size(); ++r) {
    scoring.push_back(
        {requests[r].prompt, completions[r].tokens, requests[r].steering});
  }
  const auto scores = policy().score(scoring, {true, true});
  for (std::size_t r = 0; r < requests.size(); ++r) {
    const Completion& sampled = completions[r];
    ASSERT_EQ(scores[r].log_probs.size(), sampled.tokens.size());
    for (std::size_t t = 0; t < sampled.tokens.size(); ++t) {
      EXPECT_NEAR(scores[r].log_probs[t], sampled.log_probs[t], 2e-5);
      EXPECT_NEAR(scores[r].exact_kl[t], sampled.exact_kl[t], 2e-5);
      if (!requests[r].steering) {
        EXPECT_EQ(scores[r].log_probs[t], scores[r].reference_log_probs[t]);
        EXPECT_EQ(sampled.exact_kl[t], 0.0F);
      } else {
        EXPECT_GT(sampled.exact_kl[t], 0.0F);
      }
    }
  }
}

TEST_P(GenerateTest, ACompletionDoesNotDependOnItsNeighbours) {
  const GenerateBatch batch = mixed_batch();
  const auto together = sample(batch).rows;
  for (const std::int64_t at_once : {1, 3}) {
    GenerateOptions split = options();
    split.rows_at_once = at_once;
    const auto parts = sample(batch, split).rows;
    for (std::size_t r = 0; r < together.size(); ++r)
      expect_same(parts[r], together[r], r);
  }
  GenerateBatch reversed = batch;
  std::reverse(reversed.rows.begin(), reversed.rows.end());
  std::reverse(reversed.keys.begin(), reversed.keys.end());
  const auto backwards = sample(reversed).rows;
  for (std::size_t r = 0; r < together.size(); ++r)
    expect_same(backwards[together.size() - 1 - r], together[r], r);
}

TEST_P(GenerateTest, ACompletionDoesNotDependOnTheThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = sample(mixed_batch()).rows;
  at::set_num_threads(2);
  const auto two = sample(mixed_batch()).rows;
  at::set_num_threads(before);
  for (std::size_t r = 0; r < one.size(); ++r)
    expect_same(one[r], two[r], r);
}

TEST_P(GenerateTest, RowsThatLeaveDoNotChangeTheOthers) {
  const GenerateBatch from = mixed_batch();
  const auto group =
      test::decode_group(from.prompts, from.steerings, from.rows, 4);
  const auto all = policy().model().open_decoder({});
  const auto few = policy().model().open_decoder({});
  const auto slots = all->admit(group).slots;
  few->admit(group);
  all->prefill();
  few->prefill();
  const at::Tensor every = all->step(slots, std::vector<std::int32_t>(13, 6));
  const std::vector<Slot> staying{slots[1], slots[4], slots[12]};
  for (const Slot slot : slots) {
    if (std::find(staying.begin(), staying.end(), slot) == staying.end())
      few->evict(slot);
  }
  const at::Tensor rest = few->step(staying, std::vector<std::int32_t>(3, 6));
  const at::Tensor kept = at::tensor({1, 4, 12}, at::kLong);
  EXPECT_TRUE(same_bits(rest, every.index_select(0, kept)));
}

// Rows with options of their own complete as in calls of their own.
TEST_P(GenerateTest, RowsMayHaveTheirOwnOptions) {
  GenerateBatch batch = mixed_batch();
  batch.reference = Coefficients::frozen_reference();
  for (std::size_t r = 0; r < batch.rows.size(); ++r) {
    batch.rows[r].steering = batch.rows[r].steering % 2;
    RowOptions own = options(r % 3 == 0 ? 0.7 : 1.3);
    own.max_new_tokens = 3 + static_cast<std::int64_t>(r);
    own.sampling.greedy = r % 4 == 1;
    if (r % 4 == 2) own.sampling.top_p = 0.5;
    if (r % 5 == 0) own.end_tokens.clear();
    if (r % 3 == 1) own.stop_strings = {"e", "a"};
    batch.options.push_back(own);
  }
  const auto together = sample(batch).rows;
  std::size_t stopped = 0;
  for (std::size_t r = 0; r < batch.rows.size(); ++r) {
    GenerateBatch one = batch;
    one.rows = {batch.rows[r]};
    one.keys = {batch.keys[r]};
    one.options.clear();
    GenerateOptions own = options();
    static_cast<RowOptions&>(own) = batch.options[r];
    const auto alone = sample(one, own).rows;
    expect_same(together[r], alone[0], r);
    EXPECT_EQ(together[r].exact_kl, alone[0].exact_kl) << r;
    EXPECT_EQ(together[r].stop_at, alone[0].stop_at) << r;
    EXPECT_LE(together[r].tokens.size(), 3 + r);
    stopped += together[r].stop_at ? 1 : 0;
  }
  EXPECT_GT(stopped, 0U);
}

TEST_P(GenerateTest, KeysNameTheDraws) {
  GenerateBatch batch = mixed_batch();
  const auto first = sample(batch).rows;
  const auto again = sample(batch).rows;
  batch.keys = keys(13, 6);
  const auto other = sample(batch).rows;
  std::size_t different = 0;
  for (std::size_t r = 0; r < first.size(); ++r) {
    expect_same(first[r], again[r], r);
    different += first[r].tokens != other[r].tokens ? 1 : 0;
  }
  EXPECT_GT(different, 10U);
}

TEST_P(GenerateTest, GreedyTakesTheLargestLogitAndTopOneIsGreedy) {
  GenerateOptions greedy = options();
  greedy.sampling.greedy = true;
  GenerateOptions top = options();
  top.sampling.top_k = 1;
  const GenerateBatch batch = mixed_batch();
  const auto rows = sample(batch, greedy).rows;
  const auto top_rows = sample(batch, top).rows;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    EXPECT_EQ(rows[r].tokens, top_rows[r].tokens);
    ScoreBatch score;
    score.prompts = {
        batch.prompts[static_cast<std::size_t>(batch.rows[r].prompt)]};
    score.completions = {rows[r].tokens};
    score.prompt_of_row = {0};
    const auto& c =
        batch.steerings[static_cast<std::size_t>(batch.rows[r].steering)];
    const at::Tensor best =
        logits(policy().model(), score, RowSteering::uniform(c)).argmax(1);
    for (std::size_t t = 0; t < rows[r].tokens.size(); ++t) {
      const auto place = static_cast<std::int64_t>(t);
      EXPECT_EQ(rows[r].tokens[t], best[place].item<std::int64_t>());
    }
  }
}

TEST_P(GenerateTest, TwinsMeasureTheKlAndChangeNothing) {
  GenerateBatch batch = mixed_batch();
  const auto alone = sample(batch).rows;
  batch.reference = Coefficients::frozen_reference();
  batch.steerings.pop_back();
  for (DecodeRow& row : batch.rows)
    row.steering = row.steering % 2;
  const auto fresh = make(GetParam());
  for (const Generation& row :
       generate(fresh->model(), batch, options()).rows) {
    ASSERT_EQ(row.exact_kl.size(), row.tokens.size());
    for (const float kl : row.exact_kl)
      EXPECT_EQ(kl, 0.0F);
  }
  const auto twins = sample(batch).rows;
  for (std::size_t r = 0; r < twins.size(); ++r) {
    for (const float kl : twins[r].exact_kl)
      EXPECT_GT(kl, 0.0F);
    if (mixed_batch().rows[r].steering < 2) expect_same(twins[r], alone[r], r);
  }
}

TEST_P(GenerateTest, CompletionsOfAPromptScoreAsEachAlone) {
  const ScoreBatch batch = tiny_batch();
  const auto c = RowSteering::uniform(mixed(0.1, {0.3, 0.7}));
  const at::Tensor tree = logits(policy().model(), batch, c);
  std::int64_t begin = 0;
  for (std::size_t r = 0; r < batch.completions.size(); ++r) {
    ScoreBatch one;
    one.prompts = {
        batch.prompts[static_cast<std::size_t>(batch.prompt_of_row[r])]};
    one.completions = {batch.completions[r]};
    one.prompt_of_row = {0};
    const at::Tensor alone = logits(policy().model(), one, c);
    const at::Tensor part = tree.narrow(0, begin, alone.size(0));
    EXPECT_LT(distance(part, alone), 1e-5) << r;
    begin += alone.size(0);
  }
  EXPECT_EQ(begin, tree.size(0));
}

class FeaturesTest : public test::TinyPolicyTest {};

// The first row's prompt is the batch's last: features go by the batch.
TEST_F(FeaturesTest, FeaturesOfARolloutScoreLikeNone) {
  PolicyDefinition upper = definition(SteeredSet::kLora);
  upper.conditioning.lora.layers = "1..1";
  LoadedModel loaded = load_language_model(base());
  auto tokenizer = load_base_tokenizer(base(), loaded);
  SteeredPolicy policy(std::move(loaded), tokenizer, upper, 7);
  test::perturb(*policy.conditioning());
  GenerateBatch batch;
  batch.prompts = {{3, 9, 0, 14}, {7, 7}, {1, 2, 3, 4, 5, 6}};
  batch.steerings = {mixed(0.0, {0.3, 0.7}), mixed(0.4, {0.6, 0.4})};
  batch.rows = {{2, 0}, {0, 1}, {1, 0}, {2, 0}, {0, 1}};
  batch.keys = keys(5);
  batch.record_features = true;
  const Generations rollout = generate(policy.model(), batch, options());
  ASSERT_NE(rollout.features, nullptr);
  EXPECT_EQ(rollout.features->first_layer, 1);
  ScoreBatch score;
  score.prompts = batch.prompts;
  for (std::size_t r = 0; r < batch.rows.size(); ++r) {
    score.completions.push_back(rollout.rows[r].tokens);
    score.prompt_of_row.push_back(batch.rows[r].prompt);
  }
  const auto steering =
      RowSteering::per_row(batch.steerings, {1, 0, 0}, at::kCPU);
  const at::Tensor plain = logits(policy.model(), score, steering);
  score.features = rollout.features;
  EXPECT_LT(distance(logits(policy.model(), score, steering), plain), 1e-5);
  // Parts that divide the rows of a prompt record the same.
  GenerateOptions two = options();
  two.rows_at_once = 2;
  const Generations parts = generate(policy.model(), batch, two);
  for (std::size_t r = 0; r < batch.rows.size(); ++r) {
    expect_same(parts.rows[r], rollout.rows[r], r);
    EXPECT_TRUE(same_bits(
        parts.features->completions[r], rollout.features->completions[r]));
  }
  for (std::size_t p = 0; p < batch.prompts.size(); ++p) {
    EXPECT_TRUE(
        same_bits(parts.features->prompts[p], rollout.features->prompts[p]));
  }
}

TEST_P(GenerateTest, RefusesBatchesThatDoNotFitTogether) {
  const auto refused = [&](const std::function<void(GenerateBatch&)>& change) {
    GenerateBatch batch = mixed_batch();
    change(batch);
    EXPECT_THROW(sample(batch), CallerError);
  };
  for (const std::int64_t index : {-1, 3, 1 << 30}) {
    refused([&](GenerateBatch& b) { b.rows[12].prompt = index; });
    refused([&](GenerateBatch& b) { b.rows[12].steering = index; });
    refused([&](GenerateBatch& b) {
      b.reference = Coefficients::frozen_reference();
      b.reference_prompts.assign(13, 0);
      b.reference_prompts[12] = index;
    });
  }
  refused([](GenerateBatch& b) { b.keys.pop_back(); });
  refused([](GenerateBatch& b) { b.options.resize(2); });
  refused([](GenerateBatch& b) { b.reference_prompts = {0}; });
  refused([](GenerateBatch& b) { b.keep_graph = true; });
  refused([](GenerateBatch& b) {
    b.record_features = true;
    b.rows[3].steering = 1;  // its prompt has rows under 0 too
  });
  GenerateOptions hostile = options();
  hostile.max_new_tokens = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(sample(mixed_batch(), hostile), CallerError);
  hostile = options();
  hostile.rows_at_once = 0;
  EXPECT_THROW(sample(mixed_batch(), hostile), CallerError);
  hostile = options();
  hostile.stop_strings = {"e"};
  EXPECT_THROW(generate(policy().model(), mixed_batch(), hostile), CallerError);
}

// Each letter is a token, so a stop string of three crosses borders.
TEST_P(GenerateTest, StopStringsCutTheTextAcrossTokens) {
  CompletionRequest request;
  request.prompt = TokenIds{3, 9, 0};
  request.key = {11, Purpose::kTest, 0, 0};
  GenerateOptions chosen = options(1.0);
  chosen.max_new_tokens = 40;
  chosen.end_tokens.clear();
  Completion whole;
  // A draw that is long enough to be cut.
  for (; whole.text.size() < 8 && request.key.row < 50; ++request.key.row) {
    whole = policy().complete({request}, chosen)[0];
  }
  --request.key.row;
  ASSERT_GE(whole.text.size(), 8U);
  const std::string stop = whole.text.substr(3, 3);
  const std::size_t where = whole.text.find(stop);
  chosen.stop_strings = {"not in it", stop};
  const Completion cut = policy().complete({request}, chosen)[0];
  EXPECT_EQ(cut.text, whole.text.substr(0, where));
  EXPECT_TRUE(cut.finished);
  ASSERT_EQ(cut.tokens.size(), where + 3);
  EXPECT_TRUE(
      std::equal(cut.tokens.begin(), cut.tokens.end(), whole.tokens.begin()));
}

TEST_P(GenerateTest, TheListenerHearsEveryTokenAndMayEndARow) {
  const GenerateBatch batch = mixed_batch();
  std::vector<TokenIds> heard(batch.rows.size());
  GenerateOptions split = options();
  split.rows_at_once = 4;
  const auto rows = generate(
                        policy().model(),
                        batch,
                        split,
                        nullptr,
                        [&](std::size_t row, std::int32_t token, float) {
                          heard[row].push_back(token);
                          return row != 5 || heard[row].size() < 2;
                        })
                        .rows;
  for (std::size_t r = 0; r < rows.size(); ++r)
    EXPECT_EQ(rows[r].tokens, heard[r]) << r;
  EXPECT_LE(rows[5].tokens.size(), 2U);
}

INSTANTIATE_TEST_SUITE_P(
    Sets,
    GenerateTest,
    testing::Values(SteeredSet::kFull, SteeredSet::kLora),
    [](const auto& set) { return std::string(enum_name(set.param)); });

}  // namespace
}  // namespace moft
