// Exports as adapters and GGUF files: names, bytes, and the way back.
#include <nlohmann/json.hpp>

#include "moft/checkpoints/gguf.h"
#include "moft/checkpoints/peft_adapter.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/models/gguf_layout.h"
#include "moft/models/model_tensors.h"
#include "moft/tokenizers/hf_tokenizer.h"

#include "tests/generation/support.h"
#include "tests/support/tiny_adapter.h"
#include "tests/support/tiny_t5.h"

namespace moft {
namespace {

using nlohmann::json;
using namespace test;

const Steering kSteering{Weighting({0.3, 0.7}), 0.1};

json read_json_file(const fs::path& path) {
  return parse_json(read_text(path), path.string());
}

at::Tensor matrix_of(const GgufFile& file, const std::string& name) {
  const TensorView view = file.find(name).value();
  return read_tensor(file, name, view.shape).to(at::kDouble);
}

class ExportFormats : public TinyPolicyTest {
 protected:
  void SetUp() override {
    write_tiny_text(
        base() / "chat_template.jinja", "{{ messages[0]['content'] }}");
    policy_ = make_trained(SteeredSet::kLora);
  }

  void write(
      ExportFormat format,
      const std::string& name,
      const std::optional<Steering>& steering = kSteering) const {
    export_policy(
        *policy_, base(), steering, folder_ / name, {.format = format});
  }
  std::string refusal(
      ExportOptions options, const std::string& name = "refused") const {
    try {
      export_policy(*policy_, base(), kSteering, folder_ / name, options);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "accepted";
  }
  at::Tensor own_logits(const Coefficients& c) const {
    return logits(policy_->model(), tiny_batch(), RowSteering::uniform(c));
  }
  static at::Tensor plain_logits(
      const fs::path& path, const LoadOptions& options = {}) {
    const LoadedModel loaded = load_language_model(path, options);
    return logits(
        *loaded.model,
        tiny_batch(),
        RowSteering::uniform(Coefficients::frozen_reference()));
  }
  at::Tensor adapted_logits(const std::string& name) const {
    LoadOptions options;
    options.adapter = folder_ / name;
    return plain_logits(base(), options);
  }
  static void expect_near(const at::Tensor& a, const at::Tensor& b) {
    const double largest = b.abs().max().item<double>();
    EXPECT_LT((a - b).abs().max().item<double>() / largest, 2e-6);
  }

  std::unique_ptr<SteeredPolicy> policy_;
};

TEST_F(ExportFormats, APeftAdapterHasTheKeysThatAllVersionsRead) {
  write(ExportFormat::kPeft, "adapter");
  const json config = read_json_file(folder_ / "adapter/adapter_config.json");
  EXPECT_EQ(
      config,
      (json{
          {"peft_type", "LORA"},
          {"task_type", "CAUSAL_LM"},
          {"base_model_name_or_path", "tiny"},
          {"revision", nullptr},
          {"r", 6},
          {"lora_alpha", 6},
          {"lora_dropout", 0.0},
          {"target_modules",
           {"down_proj",
            "gate_proj",
            "k_proj",
            "o_proj",
            "q_proj",
            "up_proj",
            "v_proj"}},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"inference_mode", true},
          {"init_lora_weights", true},
          {"layers_to_transform", nullptr},
          {"layers_pattern", nullptr},
          {"modules_to_save", nullptr},
          {"rank_pattern", json::object()},
          {"alpha_pattern", json::object()}}));
  EXPECT_EQ(
      read_text(folder_ / "adapter/tokenizer.json"),
      read_text(base() / "tokenizer.json"));
  const SafetensorsFile file(folder_ / "adapter/adapter_model.safetensors");
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.names().size(), 2u * 7u * 2u);
  const std::string name =
      "base_model.model.model.layers.1.self_attn.k_proj.lora_";
  using Shape = std::vector<std::int64_t>;
  EXPECT_EQ(file.find(name + "A.weight")->shape, (Shape{6, 16}));
  EXPECT_EQ(file.find(name + "B.weight")->shape, (Shape{8, 6}));
  EXPECT_EQ(
      read_json_file(folder_ / "adapter/moft_export.json").at("weights"),
      (json{{"kind", 0.7}, {"short", 0.3}}));
}

// [c_1 s B_1 | c_2 s B_2] and [A_1; A_2], number for number.
TEST_F(ExportFormats, AMixedAdapterHoldsTheCopiesSideBySide) {
  write(ExportFormat::kPeft, "adapter");
  const SafetensorsFile file(folder_ / "adapter/adapter_model.safetensors");
  const auto masters = policy_->conditioning()->tensors();
  const Coefficients c = policy_->coefficients_of(kSteering);
  const std::string module = "model.layers.0.mlp.up_proj";
  const std::string name = "base_model.model." + module + ".lora_";
  const at::Tensor down = read_tensor(file, name + "A.weight", {6, 16});
  const at::Tensor up = read_tensor(file, name + "B.weight", {24, 6});
  const char* objectives[] = {"short/", "kind/"};
  for (std::int64_t i = 0; i < 2; ++i) {
    const std::string own = objectives[i] + module;
    EXPECT_TRUE(same_bits(
        down.narrow(0, 3 * i, 3), masters.at(own + ".lora_A.weight")));
    const double factor = c.copy(static_cast<std::size_t>(i)) * 2.0;
    EXPECT_TRUE(same_bits(
        up.narrow(1, 3 * i, 3),
        (masters.at(own + ".lora_B.weight").to(at::kDouble) * factor)
            .to(at::kFloat)));
  }
}

TEST_F(ExportFormats, AnAdapterComesBackAsThePolicy) {
  write(ExportFormat::kPeft, "mixed");
  expect_near(
      adapted_logits("mixed"), own_logits(policy_->coefficients_of(kSteering)));
  for (std::size_t i = 0; i < 2; ++i) {
    const Steering corner{Weighting::corner(2, i), 0.1};
    const std::string name = "corner" + std::to_string(i);
    write(ExportFormat::kPeft, name, corner);
    expect_near(
        adapted_logits(name), own_logits(policy_->coefficients_of(corner)));
    EXPECT_EQ(
        read_json_file(folder_ / name / "adapter_config.json").at("r"), 3);
  }
  // Without weight on any copy: the base, as an adapter of zeros.
  write(ExportFormat::kPeft, "reference", std::nullopt);
  expect_near(
      adapted_logits("reference"),
      own_logits(Coefficients::frozen_reference()));
}

// A range of layers is named module by module.
TEST_F(ExportFormats, OneLayerIsNamedInFull) {
  PolicyDefinition own = definition(SteeredSet::kLora);
  own.conditioning.lora.layers = "1..1";
  own.conditioning.lora.modules = {LinearKind::kQ};
  LoadedModel loaded = load_language_model(base());
  auto tokenizer = load_base_tokenizer(base(), loaded);
  policy_ = std::make_unique<SteeredPolicy>(
      std::move(loaded), std::move(tokenizer), own, 7);
  perturb(*policy_->conditioning());
  write(ExportFormat::kPeft, "adapter");
  EXPECT_EQ(
      read_json_file(folder_ / "adapter/adapter_config.json")
          .at("target_modules"),
      json{"model.layers.1.self_attn.q_proj"});
  expect_near(
      adapted_logits("adapter"),
      own_logits(policy_->coefficients_of(kSteering)));
}

// W llama.cpp's names, alpha / rank times B A, rows of q and k by pairs.
TEST_F(ExportFormats, AGgufAdapterHoldsTheUpdatesInLlamaCppsOrder) {
  write(ExportFormat::kGgufAdapter, "adapter.gguf");
  const GgufFile file(folder_ / "adapter.gguf");
  EXPECT_EQ(file.text("general.type"), "adapter");
  EXPECT_EQ(file.text("general.architecture"), "llama");
  EXPECT_EQ(file.text("adapter.type"), "lora");
  EXPECT_EQ(file.number("adapter.lora.alpha"), 6.0);
  EXPECT_EQ(file.names().size(), 2u * 7u * 2u);
  const auto merged =
      policy_->conditioning()->merged(policy_->coefficients_of(kSteering));
  for (const auto& parameter : policy_->model().steerable().parameters) {
    const auto found = merged.find(parameter->name());
    if (found == merged.end()) continue;
    const std::string ours = found->first;
    const bool query = ours.find("q_proj") != std::string::npos;
    const bool key = ours.find("k_proj") != std::string::npos;
    const std::pair<const char*, const char*> kNames[] = {
        {"self_attn.q_proj", "attn_q"},
        {"self_attn.k_proj", "attn_k"},
        {"self_attn.v_proj", "attn_v"},
        {"self_attn.o_proj", "attn_output"},
        {"mlp.gate_proj", "ffn_gate"},
        {"mlp.up_proj", "ffn_up"},
        {"mlp.down_proj", "ffn_down"}};
    std::string theirs = "blk." + ours.substr(13, 2);  // after model.layers.
    for (const auto& [one, other] : kNames)
      if (ours.find(one) != std::string::npos) theirs += other;
    theirs += ".weight.lora_";
    const at::Tensor update =
        at::mm(matrix_of(file, theirs + "b"), matrix_of(file, theirs + "a"));
    const at::Tensor wanted =
        found->second.to(at::kDouble) - parameter->reference().to(at::kDouble);
    for (std::int64_t row = 0; row < wanted.size(0); ++row) {
      // A head has 8 rows: pairs (i, i + 4) lie side by side.
      const std::int64_t inside = row % 8;
      const std::int64_t place =
          query || key ? row - inside + (inside % 4) * 2 + inside / 4 : row;
      EXPECT_LT((update[place] - wanted[row]).abs().max().item<double>(), 1e-6)
          << ours << " row " << row;
    }
  }
}

TEST_F(ExportFormats, AGgufModelIsTheExportedDirectory) {
  write(ExportFormat::kHf, "directory");
  write(ExportFormat::kGguf, "model.gguf");
  EXPECT_TRUE(same_bits(
      plain_logits(folder_ / "model.gguf"),
      plain_logits(folder_ / "directory")));
  const GgufFile file(folder_ / "model.gguf");
  EXPECT_EQ(file.text("general.type"), "model");
  EXPECT_EQ(file.text("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(file.text("tokenizer.ggml.pre"), "gpt-2");
  EXPECT_EQ(file.texts("tokenizer.ggml.tokens"), tiny_vocabulary());
  EXPECT_EQ(file.integer("tokenizer.ggml.eos_token_id"), tiny_end());
  EXPECT_FALSE(file.boolean("tokenizer.ggml.add_bos_token"));
  EXPECT_EQ(
      file.text("tokenizer.chat_template"), "{{ messages[0]['content'] }}");
  EXPECT_EQ(file.integer("general.sampling.top_k"), 0);
  EXPECT_EQ(file.number("general.sampling.top_p"), 1.0);
  EXPECT_EQ(file.number("general.sampling.min_p"), 0.0);
  EXPECT_FLOAT_EQ(
      static_cast<float>(file.number("general.sampling.temp")), 0.8F);
  const json note = json::parse(file.text("moft.export"));
  EXPECT_EQ(note.at("temperature"), 0.8);
  EXPECT_EQ(note.at("prompt_template"), "say {text}");
  // The same tokens, ends and log-probabilities.
  const auto opened = load_policy(folder_ / "model.gguf");
  const std::string text = "say a b. <end> z";
  EXPECT_EQ(
      opened->tokenizer().encode(text), policy_->tokenizer().encode(text));
  EXPECT_EQ(
      opened->base().model->info().end_tokens,
      policy_->base().model->info().end_tokens);
}

TEST_F(ExportFormats, NarrowNumbersAreTheNearestOnes) {
  const std::pair<TensorType, double> kTypes[] = {
      {TensorType::kF16, 3e-3},
      {TensorType::kBF16, 1e-2},
      {TensorType::kQ8_0, 3e-3}};  // width 16: no whole block, so F16
  const at::Tensor exact = own_logits(policy_->coefficients_of(kSteering));
  const double largest = exact.abs().max().item<double>();
  for (const auto& [type, tolerance] : kTypes) {
    const fs::path file =
        folder_ / (std::string(tensor_type_info(type).name) + ".gguf");
    export_policy(
        *policy_,
        base(),
        kSteering,
        file,
        {.format = ExportFormat::kGguf, .numbers = type});
    const GgufFile written(file);
    EXPECT_EQ(written.find("output_norm.weight")->type, TensorType::kF32);
    EXPECT_EQ(
        written.find("blk.0.attn_q.weight")->type,
        type == TensorType::kQ8_0 ? TensorType::kF16 : type);
    const double gap =
        (plain_logits(file) - exact).abs().max().item<double>() / largest;
    EXPECT_LT(gap, tolerance) << tensor_type_info(type).name;
    EXPECT_GT(gap, 0.0);
  }
}

TEST_F(ExportFormats, WholeBlocksBecomeQ8) {
  write_tiny_model(base(), {.width = 32, .feed_forward = 64});
  policy_ = make_trained(SteeredSet::kLora);
  export_policy(
      *policy_,
      base(),
      kSteering,
      folder_ / "q8.gguf",
      {.format = ExportFormat::kGguf, .numbers = TensorType::kQ8_0});
  const GgufFile file(folder_ / "q8.gguf");
  for (const char* name :
       {"token_embd", "output", "blk.0.attn_q", "blk.1.ffn_down"})
    EXPECT_EQ(
        file.find(std::string(name) + ".weight")->type, TensorType::kQ8_0);
  EXPECT_EQ(file.integer("general.file_type"), 7);
  EXPECT_EQ(file.integer("general.quantization_version"), 2);
  const at::Tensor exact = own_logits(policy_->coefficients_of(kSteering));
  EXPECT_LT(
      (plain_logits(folder_ / "q8.gguf") - exact).abs().max().item<double>() /
          exact.abs().max().item<double>(),
      3e-2);
}

// llama.cpp's own files, through a policy and back.
TEST_F(ExportFormats, AGgufBaseComesBackAsItWas) {
  for (const char* name :
       {"llama_gguf_f32.gguf",
        "llama_variants/yarn.gguf",
        "llama_variants/linear.gguf"}) {
    const fs::path from =
        fs::path(MOFT_SOURCE_DIR) / "tests/reference/models" / name;
    if (!fs::exists(from)) continue;
    const auto plain = load_policy(from);
    const fs::path to = folder_ / "again.gguf";
    fs::remove(to);
    export_policy(
        *plain, from, std::nullopt, to, {.format = ExportFormat::kGguf});
    EXPECT_TRUE(same_bits(plain_logits(to), plain_logits(from))) << name;
    const GgufTokenizerData before = GgufFile(from).tokenizer_data();
    const GgufTokenizerData after = GgufFile(to).tokenizer_data();
    EXPECT_EQ(after.tokens, before.tokens);
    EXPECT_EQ(after.merges, before.merges);
    EXPECT_EQ(after.eos, before.eos);
    EXPECT_EQ(after.add_bos, before.add_bos);
  }
}

TEST_F(ExportFormats, ShardsAreOneModel) {
  export_policy(*policy_, base(), kSteering, folder_ / "whole");
  export_policy(
      *policy_, base(), kSteering, folder_ / "cut", {.shard_bytes = 4000});
  EXPECT_FALSE(fs::exists(folder_ / "cut/model.safetensors"));
  EXPECT_TRUE(fs::exists(folder_ / "cut/model.safetensors.index.json"));
  EXPECT_TRUE(same_bits(
      plain_logits(folder_ / "cut"), plain_logits(folder_ / "whole")));
  // An export that is written again takes the other form's files away.
  const ExportOptions again{.if_exists = IfExists::kReplace};
  export_policy(*policy_, base(), kSteering, folder_ / "cut", again);
  EXPECT_FALSE(fs::exists(folder_ / "cut/model.safetensors.index.json"));
  EXPECT_TRUE(same_bits(
      plain_logits(folder_ / "cut"), plain_logits(folder_ / "whole")));
}

TEST_F(ExportFormats, WhatAFormatCannotHoldIsRefused) {
  write_tiny_text(folder_ / "there", "mine");
  for (const ExportFormat format :
       {ExportFormat::kHf,
        ExportFormat::kPeft,
        ExportFormat::kGguf,
        ExportFormat::kGgufAdapter}) {
    EXPECT_NE(
        refusal({.format = format}, "there").find("exists already"),
        std::string::npos);
    EXPECT_EQ(read_text(folder_ / "there"), "mine");
  }
  policy_ = make(SteeredSet::kFull);
  for (const ExportFormat format :
       {ExportFormat::kPeft, ExportFormat::kGgufAdapter}) {
    const std::string said = refusal({.format = format});
    EXPECT_NE(said.find("steered_set: full"), std::string::npos) << said;
    EXPECT_NE(said.find("--format hf"), std::string::npos) << said;
  }
  EXPECT_FALSE(fs::exists(folder_ / "refused"));
}

// The exported adapter holds both and fits the base without either.
TEST_F(ExportFormats, AnAdapterOfTheBaseIsOneMoreSummand) {
  TinyAdapter shape;
  shape.modules = {"q_proj", "o_proj"};
  write_tiny_adapter(folder_ / "first", shape);
  LoadOptions options;
  options.adapter = folder_ / "first";
  const auto load = [&](LinearKind module) {
    LoadedModel loaded = load_language_model(base(), options);
    auto tokenizer = load_base_tokenizer(base(), loaded);
    PolicyDefinition own = definition(SteeredSet::kLora);
    own.conditioning.lora.modules = {module};
    policy_ = std::make_unique<SteeredPolicy>(
        std::move(loaded), std::move(tokenizer), own, 7);
    perturb(*policy_->conditioning());
  };
  for (const LinearKind module : {LinearKind::kQ, LinearKind::kUp}) {
    load(module);
    const std::string name = enum_name(module);
    write(ExportFormat::kPeft, name);
    expect_near(
        adapted_logits(name), own_logits(policy_->coefficients_of(kSteering)));
    const json config = read_json_file(folder_ / name / "adapter_config.json");
    EXPECT_EQ(config.at("r"), module == LinearKind::kQ ? 8 : 6);
    EXPECT_EQ(
        config.at("target_modules").size(), module == LinearKind::kQ ? 2u : 3u);
  }
  // Magnitudes cannot be summed.
  const fs::path fixtures =
      fs::path(MOFT_SOURCE_DIR) / "tests/reference/adapters";
  options.adapter = fixtures / "dora";
  LoadedModel loaded = load_language_model(fixtures / "base", options);
  auto tokenizer = std::shared_ptr<const Tokenizer>(load_tokenizer(base()));
  policy_ = std::make_unique<SteeredPolicy>(
      std::move(loaded), std::move(tokenizer), definition(SteeredSet::kLora));
  EXPECT_NE(
      refusal({.format = ExportFormat::kPeft}).find("is not plain LoRA"),
      std::string::npos);
}

TEST_F(ExportFormats, T5IsNotWrittenAsGguf) {
  write_tiny_t5(folder_ / "t5");
  const auto t5 = load_policy(folder_ / "t5");
  try {
    export_policy(
        *t5,
        folder_ / "t5",
        std::nullopt,
        folder_ / "t5.gguf",
        {.format = ExportFormat::kGguf});
    FAIL() << "written";
  } catch (const CallerError& error) {
    EXPECT_NE(
        std::string(error.what()).find("the family t5"), std::string::npos);
  }
}

}  // namespace
}  // namespace moft
