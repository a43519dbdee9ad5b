// PEFT adapters in: merged into a base, and as copies of objectives. Reference
// logits are PEFT's (tests/reference/adapters/make_fixtures.py).
#include "moft/generation/adapter_start.h"

#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors.h"
#include "moft/generation/policy_start.h"
#include "moft/models/model_tensors.h"

#include "tests/generation/support.h"
#include "tests/support/tiny_adapter.h"

namespace moft {
namespace {

using nlohmann::json;
using namespace test;

const fs::path kAdapters =
    fs::path(MOFT_SOURCE_DIR) / "tests/reference/adapters";

// The prompt and completion of make_fixtures.py's ids.
ScoreBatch fixture_batch() {
  ScoreBatch batch;
  batch.prompts = {{3, 9, 0, 14}};
  batch.completions = {{5, 1, 28}};
  batch.prompt_of_row = {0};
  return batch;
}

// PEFT's logits at the places of the completion: [3, 32].
at::Tensor expected_logits(const std::string& name) {
  const SafetensorsFile file(kAdapters / "logits.safetensors");
  return read_tensor(file, name, {7, 32}).narrow(0, 3, 3);
}

void expect_logits(const at::Tensor& found, const at::Tensor& wanted) {
  const double largest = wanted.abs().max().item<double>();
  EXPECT_LT((found - wanted).abs().max().item<double>() / largest, 3e-6);
}

at::Tensor logits_of(LanguageModel& model, const Coefficients& c) {
  at::NoGradGuard no_gradient;
  return model.completion_logits(fixture_batch(), RowSteering::uniform(c));
}

LoadedModel load_with(const std::string& name) {
  LoadOptions options;
  if (name != "base") options.adapter = kAdapters / name;
  return load_language_model(kAdapters / "base", options);
}

std::string refusal(const std::function<void()>& run) {
  try {
    run();
  } catch (const CallerError& error) {
    return error.what();
  }
  return "accepted";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class MergedAdapters : public testing::TestWithParam<const char*> {};

TEST_P(MergedAdapters, LogitsAreThoseOfPeft) {
  const LoadedModel loaded = load_with(GetParam());
  expect_logits(
      logits_of(*loaded.model, Coefficients::frozen_reference()),
      expected_logits(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    MergedAdapters,
    testing::Values(
        "base",
        "plain",
        "old",
        "patterns",
        "dora",
        "layers",
        "regex",
        "excluded",
        "tables",
        "biases"),
    [](const auto& one) { return std::string(one.param); });

class AdaptersTest : public TinyPolicyTest {
 protected:
  // A policy on the fixtures' base, at the start.
  std::unique_ptr<SteeredPolicy> fresh(const LoraOptions& lora) const {
    LoadedModel loaded = load_language_model(kAdapters / "base");
    write_tiny_tokenizer(folder_);
    auto tokenizer = load_base_tokenizer(folder_, loaded);
    PolicyDefinition own = definition(SteeredSet::kLora);
    own.conditioning.lora = lora;
    return std::make_unique<SteeredPolicy>(
        std::move(loaded), std::move(tokenizer), std::move(own), 7);
  }
  static LoraOptions all_modules(std::int64_t rank) {
    LoraOptions lora;
    lora.rank = rank;
    return lora;
  }
  static Adapters two(const char* first, const char* second) {
    Adapters adapters;
    adapters.emplace("short", PeftAdapter(kAdapters / first));
    adapters.emplace("kind", PeftAdapter(kAdapters / second));
    return adapters;
  }
};

// Ranks of 4, 3 and 2 become 5; alphas and roots of ranks become a scale of 2.
TEST_F(AdaptersTest, ACopyIsTheAdapterAtItsCorner) {
  const auto policy = fresh(all_modules(5));
  start_from_adapters(*policy, two("patterns", "layers"));
  expect_logits(
      logits_of(policy->model(), mixed(0.0, {1, 0})),
      expected_logits("patterns"));
  expect_logits(
      logits_of(policy->model(), mixed(0.0, {0, 1})),
      expected_logits("layers"));
  expect_logits(
      logits_of(policy->model(), Coefficients::frozen_reference()),
      expected_logits("base"));
}

// W + .3 D_1 + .7 D_2, with the updates that merging finds.
TEST_F(AdaptersTest, AMixtureAddsTheUpdatesByTheirWeights) {
  const auto policy = fresh(all_modules(4));
  start_from_adapters(*policy, two("plain", "patterns"));
  const auto merged = policy->conditioning()->merged(mixed(0.0, {0.3, 0.7}));
  const LoadedModel base = load_with("base");
  const LoadedModel one = load_with("plain");
  const LoadedModel other = load_with("patterns");
  const auto& parameters = base.model->steerable().parameters;
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const auto found = merged.find(parameters[p]->name());
    if (found == merged.end()) continue;
    const auto update = [&](const LoadedModel& model) {
      const auto& changed = model.model->steerable().parameters[p];
      return changed->reference().to(at::kDouble) -
             parameters[p]->reference().to(at::kDouble);
    };
    const at::Tensor wanted = parameters[p]->reference().to(at::kDouble) +
                              0.3 * update(one) + 0.7 * update(other);
    EXPECT_LT((found->second - wanted).abs().max().item<double>(), 1e-6)
        << found->first;
  }
}

// What is padded can be trained: A has its drawn rows, B zeros.
TEST_F(AdaptersTest, PaddedRowsStartAsDrawn) {
  const auto untouched = fresh(all_modules(5))->conditioning()->tensors();
  const auto policy = fresh(all_modules(5));
  start_from_adapters(*policy, two("plain", "plain"));
  const auto tensors = policy->conditioning()->tensors();
  const std::string name = "short/model.layers.0.self_attn.q_proj";
  const at::Tensor down = tensors.at(name + ".lora_A.weight");
  EXPECT_TRUE(same_bits(
      down.narrow(0, 4, 1),
      untouched.at(name + ".lora_A.weight").narrow(0, 4, 1)));
  EXPECT_FALSE(same_bits(
      down.narrow(0, 0, 1),
      untouched.at(name + ".lora_A.weight").narrow(0, 0, 1)));
  const at::Tensor up = tensors.at(name + ".lora_B.weight");
  EXPECT_EQ(up.narrow(1, 4, 1).abs().max().item<float>(), 0.0F);
  EXPECT_GT(up.narrow(1, 0, 4).abs().min().item<float>(), 0.0F);
}

TEST_F(AdaptersTest, LoraIsTheSmallestThatHoldsThem) {
  const LoadedModel base = load_with("base");
  const auto lora = [&](const char* first, const char* second) {
    return lora_of_adapters(two(first, second), base.model->steerable());
  };
  const LoraOptions one = lora("plain", "plain");
  EXPECT_EQ(one.rank, 4);
  EXPECT_EQ(one.scale, 2.0);
  EXPECT_EQ(one.layers, "all");
  EXPECT_EQ(
      one.modules, (std::vector<LinearKind>{LinearKind::kQ, LinearKind::kV}));
  const LoraOptions other = lora("layers", "layers");
  EXPECT_EQ(other.rank, 2);
  EXPECT_EQ(other.scale, 1.5);
  EXPECT_EQ(other.layers, "1..1");
  EXPECT_EQ(
      other.modules,
      (std::vector<LinearKind>{LinearKind::kK, LinearKind::kUp}));
  EXPECT_EQ(lora("plain", "layers").scale, 1.0);
}

TEST_F(AdaptersTest, WhatACopyCannotHoldIsRefusedByName) {
  const auto said = [&](const char* name, const LoraOptions& lora) {
    const auto policy = fresh(lora);
    return refusal([&] { start_from_adapters(*policy, two(name, "plain")); });
  };
  EXPECT_TRUE(has(said("dora", all_modules(4)), "is DoRA (use_dora)"));
  EXPECT_TRUE(has(said("biases", all_modules(4)), "modules_to_save or bias"));
  EXPECT_TRUE(has(said("tables", all_modules(4)), "modules_to_save"));
  EXPECT_TRUE(
      has(said("plain", all_modules(3)),
          "has rank 4; give conditioning.lora.rank at least that"));
  LoraOptions lora = all_modules(4);
  lora.modules = {LinearKind::kQ};
  EXPECT_TRUE(has(said("plain", lora), "conditioning.lora.modules"));
  lora = all_modules(4);
  lora.layers = "1..1";
  EXPECT_TRUE(has(said("plain", lora), "conditioning.lora.layers"));
  const auto full = make(SteeredSet::kFull);
  EXPECT_TRUE(
      has(refusal([&] { start_from_adapters(*full, two("plain", "plain")); }),
          "conditioning.steered_set is full"));
  Adapters unknown;
  unknown.emplace("other", PeftAdapter(kAdapters / "plain"));
  const auto policy = fresh(all_modules(4));
  EXPECT_TRUE(
      has(refusal([&] { start_from_adapters(*policy, unknown); }),
          "'other', which is not an objective"));
}

TEST_F(AdaptersTest, AnAdapterOfAnotherBaseIsRefused) {
  const fs::path adapter = folder_ / "adapter";
  const auto said = [&](const TinyAdapter& shape, const TinyModel& base_shape) {
    fs::remove_all(adapter);
    write_tiny_adapter(adapter, shape);
    write_tiny_model(folder_ / "other", base_shape);
    LoadOptions options;
    options.adapter = adapter;
    return refusal([&] { load_language_model(folder_ / "other", options); });
  };
  EXPECT_EQ(said({}, {}), "accepted");
  EXPECT_TRUE(
      has(said({}, {.width = 32}),
          "has shape [2, 16], but the base's 'model.layers.0.self_attn.q_proj' "
          "needs [2, 32]"));
  EXPECT_TRUE(has(said({}, {.layers = 1}), "which the base does not have"));
  EXPECT_TRUE(has(said({}, {.layers = 3}), "lacks module"));
}

// Without the embedding's and the head's own matrix, PEFT computes with two.
TEST_F(AdaptersTest, ATiedTableCannotBeChangedForOnePart) {
  write_tiny_model(folder_ / "tied", {.tied = true});
  for (const char* module : {"embed_tokens", "lm_head"}) {
    TinyAdapter shape;
    json config = tiny_adapter_config(shape);
    config["target_modules"].push_back(module);
    auto tensors = tiny_adapter_tensors(shape);
    const bool table = std::string(module) == "embed_tokens";
    const auto vocabulary = static_cast<std::int64_t>(tiny_vocabulary().size());
    static const std::vector<float> zeros(2 * 29);
    const auto add = [&](const std::string& name, std::int64_t a, auto b) {
      tensors.push_back({name, TensorType::kF32, {a, b}, [n = a * b] {
                           return std::as_bytes(std::span(zeros.data(), n));
                         }});
    };
    const std::string name =
        std::string("base_model.model.") + (table ? "model." : "") + module;
    add(name + (table ? ".lora_embedding_A" : ".lora_A.weight"),
        2,
        table ? vocabulary : std::int64_t{16});
    add(name + (table ? ".lora_embedding_B" : ".lora_B.weight"),
        table ? std::int64_t{16} : vocabulary,
        std::int64_t{2});
    fs::remove_all(folder_ / "adapter");
    write_tiny_adapter(folder_ / "adapter", config, std::move(tensors));
    LoadOptions options;
    options.adapter = folder_ / "adapter";
    EXPECT_TRUE(
        has(refusal([&] { load_language_model(folder_ / "tied", options); }),
            "a matrix that several parts of this base share"))
        << module;
    EXPECT_EQ(
        refusal([&] { load_language_model(base(), options); }), "accepted")
        << module;
  }
}

TEST_F(AdaptersTest, NumbersThatAreNotFiniteAreRefused) {
  auto tensors = tiny_adapter_tensors({});
  static const std::vector<float> broken(32, INFINITY);
  tensors[0].bytes = [] { return std::as_bytes(std::span(broken)); };
  write_tiny_adapter(
      folder_ / "adapter", tiny_adapter_config({}), std::move(tensors));
  LoadOptions options;
  options.adapter = folder_ / "adapter";
  EXPECT_TRUE(has(
      refusal([&] { load_language_model(base(), options); }), "not finite"));
}

// The policy keeps a copy of the adapter, and its base is the two together.
TEST_F(AdaptersTest, APolicyOnABaseWithAnAdapterComesBack) {
  write_tiny_adapter(folder_ / "adapter");
  LoadOptions options;
  options.adapter = folder_ / "adapter";
  LoadedModel loaded = load_language_model(base(), options);
  auto tokenizer = load_base_tokenizer(base(), loaded);
  SteeredPolicy policy(
      std::move(loaded),
      std::move(tokenizer),
      definition(SteeredSet::kLora),
      7);
  perturb(*policy.conditioning());
  save_policy(policy, base(), folder_ / "policy", "the card\n");
  fs::remove_all(folder_ / "adapter");
  const auto opened = load_policy(folder_ / "policy");
  const auto plain = load_policy(base());
  const auto reference = RowSteering::uniform(Coefficients::frozen_reference());
  const auto steering = RowSteering::uniform(mixed(0.2, {0.4, 0.6}));
  for (const auto& rows : {reference, steering})
    EXPECT_TRUE(same_bits(
        logits(opened->model(), tiny_batch(), rows),
        logits(policy.model(), tiny_batch(), rows)));
  EXPECT_FALSE(same_bits(
      logits(opened->model(), tiny_batch(), reference),
      logits(plain->model(), tiny_batch(), reference)));
  // Published again, with and without the adapter; others' files stay.
  write_tiny_text(folder_ / "policy/base_adapter/notes.txt", "mine");
  save_policy(*opened, folder_ / "policy", folder_ / "policy", "again\n");
  EXPECT_TRUE(fs::exists(folder_ / "policy/base_adapter/adapter_config.json"));
  const auto other = make(SteeredSet::kLora);
  save_policy(*other, base(), folder_ / "policy", "the card\n");
  EXPECT_FALSE(fs::exists(folder_ / "policy/base_adapter/adapter_config.json"));
  EXPECT_TRUE(fs::exists(folder_ / "policy/base_adapter/notes.txt"));
  EXPECT_TRUE(same_bits(
      logits(load_policy(folder_ / "policy")->model(), tiny_batch(), reference),
      logits(plain->model(), tiny_batch(), reference)));
}

TEST_F(AdaptersTest, AnAdapterThatWasChangedAfterwardsIsRefused) {
  write_tiny_adapter(folder_ / "adapter");
  LoadOptions options;
  options.adapter = folder_ / "adapter";
  LoadedModel loaded = load_language_model(base(), options);
  auto tokenizer = load_base_tokenizer(base(), loaded);
  const SteeredPolicy policy(
      std::move(loaded), std::move(tokenizer), definition(SteeredSet::kLora));
  save_policy(policy, base(), folder_ / "policy", "the card\n");
  TinyAdapter other;
  other.seed = 2;
  write_tiny_adapter(folder_ / "policy/base_adapter", other);
  EXPECT_TRUE(has(
      refusal([&] { load_policy(folder_ / "policy"); }),
      "adapter_model.safetensors: is not the base that this policy was trained "
      "on"));
  EXPECT_TRUE(has(
      refusal([&] { load_policy(folder_ / "policy", options); }), "adapter"));
}

}  // namespace
}  // namespace moft
