// PEFT adapters: what is read, and what is refused by name.
#include "moft/checkpoints/peft_adapter.h"

#include <cmath>
#include <functional>

#include "tests/checkpoints/support.h"
#include "tests/support/tiny_adapter.h"

namespace moft {
namespace {

using nlohmann::json;
using test::TemporaryFolder;
using test::TinyAdapter;

class PeftAdapterTest : public testing::Test {
 protected:
  // The adapter with other settings.
  PeftAdapter open(const json& more) const {
    json config = test::tiny_adapter_config({});
    config.update(more);
    return open(config, test::tiny_adapter_tensors({}));
  }
  PeftAdapter open(
      const json& config, std::vector<SafetensorsEntry> tensors) const {
    test::write_tiny_adapter(folder_.path(), config, std::move(tensors));
    return PeftAdapter(folder_.path());
  }

  // What opening it says.
  static std::string refusal(const std::function<void()>& open) {
    try {
      open();
    } catch (const CallerError& error) {
      return error.what();
    }
    return "accepted";
  }
  std::string refusal(const json& more) const {
    return refusal([&] { open(more); });
  }
  // With the tensors changed.
  std::string refusal_of(
      const std::function<void(std::vector<SafetensorsEntry>&)>& change) const {
    auto tensors = test::tiny_adapter_tensors({});
    change(tensors);
    return refusal(
        [&] { open(test::tiny_adapter_config({}), std::move(tensors)); });
  }

  const TemporaryFolder folder_;
};

constexpr const char* kQuery = "model.layers.0.self_attn.q_proj";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(PeftAdapterTest, ModulesRanksAndScalesAreRead) {
  const PeftAdapter adapter = open(json::object());
  EXPECT_EQ(adapter.updates().size(), 4u);
  const AdapterUpdate& update = adapter.updates().at(kQuery);
  EXPECT_EQ(update.rank(), 2);
  EXPECT_EQ(update.scale, 2.0);
  EXPECT_FALSE(update.embedding);
  EXPECT_EQ(adapter.config().base(), "tiny");
  EXPECT_TRUE(adapter.whole().empty());
  EXPECT_EQ(
      open({{"use_rslora", true}}).updates().at(kQuery).scale,
      4.0 / std::sqrt(2.0));
}

// re.match("(.*\\.)?(KEY)$", name): the first key that matches counts.
TEST_F(PeftAdapterTest, PatternsGiveAlphas) {
  const PeftAdapter adapter = open(
      {{"alpha_pattern",
        {{"proj", 100}, {"v_proj", 6}, {"layers\\.0\\..*q_proj", 10}}}});
  EXPECT_EQ(adapter.updates().at(kQuery).scale, 5.0);
  EXPECT_EQ(adapter.updates().at("model.layers.1.self_attn.q_proj").scale, 2.0);
  EXPECT_EQ(adapter.updates().at("model.layers.1.self_attn.v_proj").scale, 3.0);
}

// In the order of the file, as Python's dictionaries have it.
TEST_F(PeftAdapterTest, TheFirstPatternOfTheFileCounts) {
  open(json::object());
  for (const auto& [patterns, scale] :
       {std::pair(R"({"q_proj": 6, "layers.0.self_attn.q_proj": 10})", 3.0),
        std::pair(R"({"layers.0.self_attn.q_proj": 10, "q_proj": 6})", 5.0)}) {
    json config = test::tiny_adapter_config({});
    config["alpha_pattern"] = "here";
    std::string text = config.dump();
    text.replace(text.find("\"here\""), 6, patterns);
    test::write_tiny_text(folder_.path() / "adapter_config.json", text);
    EXPECT_EQ(PeftAdapter(folder_.path()).updates().at(kQuery).scale, scale);
  }
}

TEST_F(PeftAdapterTest, NamesOfOldAndNewVersionsAreOne) {
  for (const auto& [from, to] :
       {std::pair("base_model.model.", ""),
        std::pair(".weight", ".default.weight"),
        std::pair(".weight", "")}) {
    auto tensors = test::tiny_adapter_tensors({});
    for (auto& tensor : tensors) {
      const std::size_t at = tensor.name.rfind(from);
      tensor.name.replace(at, std::string(from).size(), to);
    }
    const PeftAdapter adapter =
        open(test::tiny_adapter_config({}), std::move(tensors));
    EXPECT_EQ(adapter.updates().size(), 4u) << to;
    EXPECT_TRUE(adapter.updates().contains(kQuery)) << to;
  }
}

TEST_F(PeftAdapterTest, TargetsAreThoseOfPeft) {
  const auto targets = [&](const json& more, const std::string& module) {
    return open(more).config().targets(module, true, module == "lm_head");
  };
  const json list = {{"target_modules", {"q_proj", "lm_head"}}};
  EXPECT_EQ(targets(list, kQuery), true);
  EXPECT_EQ(targets(list, "lm_head"), true);
  EXPECT_EQ(targets(list, "model.layers.0.self_attn.xq_proj"), false);
  const json all = {{"target_modules", "all-linear"}};
  EXPECT_EQ(targets(all, kQuery), true);
  EXPECT_EQ(targets(all, "lm_head"), false);
  const json pattern = {{"target_modules", ".*\\.0\\..*"}};
  EXPECT_EQ(targets(pattern, kQuery), true);
  EXPECT_EQ(targets(pattern, "model.layers.1.self_attn.q_proj"), false);
  json layers = list;
  layers["layers_to_transform"] = {1, 2};
  EXPECT_EQ(targets(layers, kQuery), false);
  EXPECT_EQ(targets(layers, "model.layers.2.self_attn.q_proj"), true);
  EXPECT_EQ(targets(layers, "lm_head"), false);
  layers["layers_pattern"] = "blocks";
  EXPECT_EQ(targets(layers, "model.layers.2.self_attn.q_proj"), false);
  EXPECT_EQ(targets(layers, "blocks.2.self_attn.q_proj"), true);
  json but = list;
  but["exclude_modules"] = {"layers.0.self_attn.q_proj"};
  EXPECT_EQ(targets(but, kQuery), false);
  EXPECT_EQ(targets({{"target_modules", nullptr}}, kQuery), std::nullopt);
}

// What would be another computation.
TEST_F(PeftAdapterTest, OtherComputationsAreRefusedByName) {
  const std::pair<const char*, json> kSettings[] = {
      {"peft_type", "IA3"},
      {"task_type", "SEQ_CLS"},
      {"init_lora_weights", "pissa_niter_4"},
      {"init_lora_weights", "olora"},
      {"init_lora_weights", "loftq"},
      {"trainable_token_indices", {1, 2}},
      {"layer_replication", {{0, 2}}},
      {"lora_bias", true},
      {"use_qalora", true},
      {"alora_invocation_tokens", {5}},
      {"target_parameters", {"mlp.experts"}},
      {"megatron_config", {{"tp", 2}}},
      {"a_key_of_2027", 3}};
  for (const auto& [key, value] : kSettings) {
    const std::string said = refusal({{key, value}});
    EXPECT_TRUE(has(said, "adapter_config.json")) << said;
    EXPECT_TRUE(has(said, key)) << said;
  }
  // The same keys as PEFT writes them when they are not used.
  EXPECT_EQ(
      refusal(
          {{"trainable_token_indices", nullptr},
           {"use_qalora", false},
           {"qalora_group_size", 16},
           {"loftq_config", json::object()},
           {"megatron_core", "megatron.core"},
           {"init_lora_weights", "gaussian"},
           {"peft_version", "0.21.2"},
           {"a_key_of_2027", nullptr}}),
      "accepted");
}

TEST_F(PeftAdapterTest, DamagedSettingsAreRefusedByName) {
  const std::pair<const char*, json> kSettings[] = {
      {"r", 0},
      {"r", 2.5},
      {"r", "2"},
      {"lora_alpha", -1},
      {"use_rslora", 1},
      {"use_dora", "yes"},
      {"target_modules", {1, 2}},
      {"target_modules", json{{"a", 1}}},
      {"layers_to_transform", {-1}},
      {"rank_pattern", {1}},
      {"rank_pattern", {{"q_proj", 0}}}};
  for (const auto& [key, value] : kSettings)
    EXPECT_TRUE(has(refusal({{key, value}}), key)) << key << value;
  EXPECT_TRUE(has(refusal({{"rank_pattern", {{"q_proj(", 2}}}}), "'q_proj('"));
}

TEST_F(PeftAdapterTest, TensorsThatDoNotBelongTogetherAreRefused) {
  using Tensors = std::vector<SafetensorsEntry>;
  // A half is missing.
  EXPECT_TRUE(
      has(refusal_of([](Tensors& tensors) { tensors.pop_back(); }),
          "has lora_A, where lora_A and lora_B are needed"));
  // Ranks.
  EXPECT_TRUE(has(refusal({{"r", 3}}), "rank 3"));
  EXPECT_TRUE(
      has(refusal({{"rank_pattern", {{"1.self_attn.v_proj", 1}}}}), "rank 1"));
  // Types.
  EXPECT_TRUE(has(
      refusal_of([](Tensors& tensors) { tensors[0].type = TensorType::kI32; }),
      "holds I32"));
  // Two adapters, two tensors of one name.
  EXPECT_TRUE(has(
      refusal_of([](Tensors& tensors) {
        for (std::size_t i = 0; i < tensors.size(); ++i)
          tensors[i].name.replace(
              tensors[i].name.size() - 6, 6, i < 2 ? "a.weight" : "b.weight");
      }),
      "holds the adapters a and b"));
  EXPECT_TRUE(
      has(refusal_of([](Tensors& tensors) {
            tensors.push_back(tensors[0]);
            tensors.back().name = std::string(kQuery) + ".lora_A.weight";
          }),
          "two tensors are lora_A"));
  // DoRA without magnitudes, and magnitudes without DoRA.
  EXPECT_TRUE(has(refusal({{"use_dora", true}}), "has no magnitudes"));
  EXPECT_TRUE(
      has(refusal_of([](Tensors& tensors) {
            tensors.push_back(tensors[0]);
            tensors.back().name = std::string("base_model.model.") + kQuery +
                                  ".lora_magnitude_vector";
          }),
          "has magnitudes"));
  // Trained rows of a table.
  EXPECT_TRUE(
      has(refusal_of([](Tensors& tensors) {
            tensors.push_back(tensors[0]);
            tensors.back().name =
                "base_model.model.model.embed_tokens.token_adapter."
                "trainable_tokens_delta";
          }),
          "merge_and_unload"));
  EXPECT_TRUE(
      has(refusal_of([](Tensors& tensors) { tensors.clear(); }), "no tensors"));
}

TEST_F(PeftAdapterTest, ModulesAreComparedWithTheBase) {
  const PeftAdapter adapter = open(json::object());
  std::vector<AdaptableModule> base;
  for (const char* layer : {"0", "1"}) {
    for (const char* name : {"q_proj", "k_proj", "v_proj"})
      base.push_back(
          {std::string("model.layers.") + layer + ".self_attn." + name});
  }
  const auto said = [&](const PeftAdapter& one) {
    return refusal([&] { one.check_modules(base); });
  };
  EXPECT_EQ(said(adapter), "accepted");
  EXPECT_TRUE(has(
      said(open({{"target_modules", {"q_proj"}}})),
      "changes module 'model.layers.0.self_attn.v_proj', which target_modules "
      "of adapter_config.json leaves out"));
  EXPECT_TRUE(
      has(said(open({{"target_modules", {"q_proj", "k_proj", "v_proj"}}})),
          "lacks module 'model.layers.0.self_attn.k_proj'"));
  base.pop_back();
  EXPECT_TRUE(has(
      said(adapter),
      "changes module 'model.layers.1.self_attn.v_proj', which the base does "
      "not have"));
}

TEST_F(PeftAdapterTest, FilesThatAreMissingAreNamed) {
  test::write_tiny_adapter(folder_.path());
  std::filesystem::rename(
      folder_ / kAdapterWeightsFile, folder_ / "adapter_model.bin");
  const auto said = [&] {
    return refusal([&] { PeftAdapter adapter(folder_.path()); });
  };
  EXPECT_TRUE(has(said(), "adapter_model.bin: is read by Python alone"));
  EXPECT_TRUE(has(said(), "save_pretrained"));
  std::filesystem::remove(folder_ / "adapter_model.bin");
  EXPECT_TRUE(has(said(), kAdapterWeightsFile));
  std::filesystem::remove(folder_ / kAdapterConfigFile);
  EXPECT_TRUE(has(said(), "is not a PEFT adapter"));
  test::write_tiny_adapter(folder_ / "checkpoint-9");
  EXPECT_TRUE(
      has(said(), "no adapter_config.json, but 'checkpoint-9' in it has"));
  const auto nowhere = [&] { PeftAdapter adapter(folder_ / "nowhere"); };
  EXPECT_TRUE(has(refusal(nowhere), "it is not a directory"));
}

}  // namespace
}  // namespace moft
