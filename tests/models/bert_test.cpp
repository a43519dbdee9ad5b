// Reference values: tests/reference/models/bert.py (transformers 4.57.6).
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/hf_directory.h"
#include "moft/core/errors.h"
#include "moft/models/bert/model.h"
#include "moft/models/bert/sentence_encoder.h"
#include "moft/tokenizers/hf_tokenizer.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft::bert {
namespace {

namespace fs = std::filesystem;
using Text = std::vector<std::int32_t>;

const fs::path kReference =
    fs::path(MOFT_SOURCE_DIR) / "tests/reference/models";
const fs::path kMiniLm = fs::path(MOFT_SOURCE_DIR) / "models/all-minilm-l6-v2";

at::Tensor floats(const TensorSource& source, const std::string& name) {
  const TensorView view = source.find(name).value();
  const at::Tensor tensor = at::empty(view.shape, at::kFloat);
  to_float(
      view,
      {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())});
  return tensor;
}

std::vector<std::int32_t> integers(
    const TensorSource& source, const std::string& name) {
  const TensorView view = source.find(name).value();
  std::vector<std::int32_t> values(view.bytes.size() / sizeof(std::int32_t));
  std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
  return values;
}

double largest(const at::Tensor& x) {
  return x.abs().max().item<double>();
}

std::shared_ptr<BertModel> load(const fs::path& directory) {
  const auto files = std::make_shared<const HfDirectory>(directory);
  return load_model(files, parse_config(files->config(), "config.json"));
}

at::Tensor states(BertModel& model, const std::vector<Text>& texts) {
  const at::NoGradGuard no_gradient;
  return model.token_states(
      texts, RowSteering::uniform(Coefficients::frozen_reference()));
}

class TinyBert : public testing::TestWithParam<const char*> {
 protected:
  TinyBert()
      : directory_(kReference / GetParam()),
        expected_(directory_ / "expected.safetensors") {
    const std::vector<std::int32_t> ids = integers(expected_, "ids");
    auto at = ids.begin();
    for (const std::int32_t length : integers(expected_, "lengths")) {
      texts_.emplace_back(at, at + length);
      at += length;
    }
  }

  fs::path directory_;
  SafetensorsFile expected_;
  std::vector<Text> texts_;
};

TEST_P(TinyBert, HiddenStatesEqualTransformers) {
  const at::Tensor expected = floats(expected_, "hidden");
  const at::Tensor hidden = states(*load(directory_), texts_);
  ASSERT_EQ(hidden.sizes(), expected.sizes());
  EXPECT_LT(largest(hidden - expected), 1e-5 * largest(expected));
}

// A text alone, and among others that the encoder sorts and groups.
TEST_P(TinyBert, AnEmbeddingDoesNotDependOnItsNeighbours) {
  SentenceOptions options;
  options.max_tokens = 13;
  options.tokens_per_pass = 9;
  const SentenceEncoder encoder(load(directory_), options);
  const at::Tensor together = encoder.embed(texts_);
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    const at::Tensor alone = encoder.embed(std::vector<Text>{texts_[i]});
    const auto row = static_cast<std::int64_t>(i);
    EXPECT_LT(largest(together[row] - alone[0]), 1e-6);
    EXPECT_NEAR(together[row].norm().item<double>(), 1, 1e-6);
  }
}

TEST_P(TinyBert, PoolsOverTheTokensOfATextAlone) {
  const auto model = load(directory_);
  SentenceOptions options;
  options.max_tokens = model->config().max_positions;
  const at::Tensor mean = SentenceEncoder(model, options).embed(texts_);
  options.pooling = ReadAt::kFirstToken;
  const at::Tensor first = SentenceEncoder(model, options).embed(texts_);
  const at::Tensor hidden = floats(expected_, "hidden").to(at::kDouble);
  std::int64_t row = 0;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    const auto length = static_cast<std::int64_t>(texts_[i].size());
    const auto index = static_cast<std::int64_t>(i);
    const at::Tensor pooled = hidden.narrow(0, row, length).mean(0);
    EXPECT_LT(largest(mean[index] - pooled / pooled.norm()), 1e-5);
    EXPECT_LT(largest(first[index] - hidden[row] / hidden[row].norm()), 1e-5);
    row += length;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes,
    TinyBert,
    testing::Values("bert_tiny_gelu", "bert_tiny_prefixed", "bert_tiny_relu"),
    [](const auto& shape) { return std::string(shape.param); });

// -- The files beside the weights --------------------------------------------

class EncoderFiles : public testing::Test {
 protected:
  EncoderFiles() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::path(testing::TempDir()) / ("encoder_" + std::string(info->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "1_Pooling");
    fs::copy(kReference / "bert_tiny_gelu/config.json", folder_);
    fs::copy(kReference / "bert_tiny_gelu/model.safetensors", folder_);
  }
  ~EncoderFiles() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  void write_modules(const std::string& transformer, const std::string& pool) {
    write(
        "modules.json",
        R"([{"idx": 0, "name": "0", "path": "", "type": ")" + transformer +
            R"("}, {"idx": 1, "name": "1", "path": "1_Pooling", "type": ")" +
            pool + R"("}])");
  }
  void write_new_layout(const std::string& pooling) {
    write_modules(
        "sentence_transformers.base.modules.transformer.Transformer",
        "sentence_transformers.sentence_transformer.modules.pooling.Pooling");
    write(
        "1_Pooling/config.json",
        R"({"embedding_dimension": 32, "pooling_mode": )" + pooling +
            R"(, "include_prompt": true})");
  }
  std::string complaint() const {
    try {
      read_encoder_shape(folder_);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "none";
  }
  void expect_words(const std::vector<std::string>& words) const {
    const std::string message = complaint();
    for (const std::string& word : words)
      EXPECT_NE(message.find(word), std::string::npos) << message;
  }

  fs::path folder_;
};

TEST_F(EncoderFiles, BothLayoutsOfSentenceTransformers) {
  EXPECT_EQ(read_encoder_shape(folder_).pooling, ReadAt::kMean);
  write_new_layout(R"("mean")");
  EXPECT_EQ(read_encoder_shape(folder_).pooling, ReadAt::kMean);
  write_new_layout(R"("cls")");
  EXPECT_EQ(read_encoder_shape(folder_).pooling, ReadAt::kFirstToken);
  write_new_layout(R"(["cls"])");
  EXPECT_EQ(read_encoder_shape(folder_).pooling, ReadAt::kFirstToken);
  EXPECT_EQ(
      load_sentence_encoder(folder_).options().pooling, ReadAt::kFirstToken);
  write_modules(
      "sentence_transformers.models.Transformer",
      "sentence_transformers.models.Pooling");
  write(
      "1_Pooling/config.json",
      R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})");
  EXPECT_EQ(read_encoder_shape(folder_).pooling, ReadAt::kFirstToken);
  write("1_Pooling/config.json", R"({"word_embedding_dimension": 32})");
  EXPECT_EQ(read_encoder_shape(folder_).pooling, ReadAt::kMean);
}

TEST_F(EncoderFiles, OtherPoolingsAndChainsAreNamed) {
  write_new_layout(R"("lasttoken")");
  expect_words({"1_Pooling/config.json", "[lasttoken]", "mean and cls"});
  write_new_layout(R"(["mean", "max"])");
  expect_words({"[mean, max]"});
  write_modules("sentence_transformers.models.Transformer", "x.models.Dense");
  expect_words({"modules.json", "[Transformer, Dense]", "all-MiniLM-L6-v2"});
  write(
      "modules.json",
      R"([{"path": "0_Transformer", "type": "a.Transformer"},
          {"path": "1_Pooling", "type": "a.Pooling"}])");
  expect_words({"modules.json", "'0_Transformer'", "save it again"});
}

// The limit of a text: the old file's, else the tokenizer's.
TEST_F(EncoderFiles, TheLimitIsReadFromBothLayouts) {
  const auto limit = [&] { return read_encoder_shape(folder_).max_tokens; };
  const std::int64_t positions = limit();
  ASSERT_GT(positions, 9);
  write("tokenizer_config.json", R"({"model_max_length": 7})");
  EXPECT_EQ(limit(), 7);
  write(
      "sentence_bert_config.json",
      R"({"transformer_task": "feature-extraction"})");
  EXPECT_EQ(limit(), 7);
  write("sentence_bert_config.json", R"({"max_seq_length": 9})");
  EXPECT_EQ(limit(), 9);
  write("sentence_bert_config.json", R"({"max_seq_length": null})");
  write(
      "tokenizer_config.json",
      R"({"model_max_length": 1000000000000000019884624838656})");
  EXPECT_EQ(limit(), positions);
}

TEST_F(EncoderFiles, OtherArchitecturesAreNamedWithWhatWorks) {
  for (const char* type : {"distilbert", "nomic_bert", "albert", "t5"}) {
    write("config.json", R"({"model_type": ")" + std::string(type) + R"("})");
    expect_words({"config.json", type, "all-MiniLM-L6-v2", "bge-small"});
  }
}

TEST_F(EncoderFiles, ADefaultPromptIsNotLeftOutSilently) {
  write(
      "config_sentence_transformers.json",
      R"({"prompts": {"query": "query: "}, "default_prompt_name": null})");
  EXPECT_EQ(complaint(), "none");
  write(
      "config_sentence_transformers.json",
      R"({"prompts": {"query": "q: "}, "default_prompt_name": "query"})");
  expect_words({"default_prompt_name", "\"query\""});
}

TEST(SentenceEncoder, TruncationKeepsTheLastToken) {
  const auto model = load(kReference / "bert_tiny_gelu");
  SentenceOptions options;
  options.max_tokens = 4;
  const SentenceEncoder encoder(model, options);
  const at::Tensor both =
      encoder.embed(std::vector<Text>{{1, 2, 3, 4, 5, 6, 7}, {1, 2, 3, 7}});
  EXPECT_LT(largest(both[0] - both[1]), 1e-6);
}

TEST(BertModel, RefusesIdsAndLengthsItHasNoWeightsFor) {
  const auto model = load(kReference / "bert_tiny_gelu");
  using Texts = std::vector<Text>;
  EXPECT_THROW(states(*model, Texts{{40}}), CallerError);
  EXPECT_THROW(states(*model, Texts{{-1}}), CallerError);
  EXPECT_THROW(states(*model, Texts{{}}), CallerError);
  EXPECT_THROW(states(*model, Texts{Text(21, 1)}), CallerError);
}

// Another source with one tensor left out, renamed or cut.
class Tampered : public TensorSource {
 public:
  explicit Tampered(const TensorSource& source)
      : source_(source), names_(source.names()) {}

  void remove(const std::string& name) { std::erase(names_, name); }
  void add(const std::string& name) {
    names_.push_back(name);
    views_[name] = {.name = name, .shape = {0}, .bytes = {}};
  }
  void reshape(const std::string& name, std::vector<std::int64_t> shape) {
    views_[name] = source_.find(name).value();
    views_[name].shape = std::move(shape);
  }

  const std::vector<std::string>& names() const override { return names_; }
  std::optional<TensorView> find(std::string_view name) const override {
    const std::string key(name);
    if (std::find(names_.begin(), names_.end(), key) == names_.end()) {
      return std::nullopt;
    }
    const auto changed = views_.find(key);
    return changed != views_.end() ? changed->second : source_.find(name);
  }
  std::string describe() const override { return "M"; }

 private:
  const TensorSource& source_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, TensorView> views_;
};

class BertWeightsFile : public testing::Test {
 protected:
  std::string refusal() {
    try {
      const auto source = std::shared_ptr<const TensorSource>(
          std::shared_ptr<const TensorSource>(), &tampered_);
      load_model(source, parse_config(files_.config(), "config.json"));
    } catch (const CallerError& error) {
      return error.what();
    }
    return "loaded";
  }

  HfDirectory files_{kReference / "bert_tiny_gelu"};
  Tampered tampered_{files_};
};

TEST_F(BertWeightsFile, AMissingTensorIsNamed) {
  tampered_.remove("encoder.layer.1.attention.self.key.bias");
  EXPECT_EQ(
      refusal(),
      "M: tensor 'encoder.layer.1.attention.self.key.bias' is missing; the "
      "file does not hold the model that its configuration describes");
}

TEST_F(BertWeightsFile, AWrongShapeIsNamedWithBothShapes) {
  tampered_.reshape("encoder.layer.0.intermediate.dense.weight", {16, 24});
  EXPECT_EQ(
      refusal(),
      "M: tensor 'encoder.layer.0.intermediate.dense.weight' has shape "
      "[16, 24], but its configuration asks for [24, 16]");
}

TEST_F(BertWeightsFile, AnUnknownTensorIsNamedAndThePoolerIsNot) {
  tampered_.add("encoder.layer.2.output.dense.bias");
  EXPECT_EQ(
      refusal(),
      "M: tensor 'encoder.layer.2.output.dense.bias' is in the file, but the "
      "model that its configuration describes does not read it; check the "
      "configuration (number of layers, biases, architecture)");
}

std::string config_refusal(const std::string& field, nlohmann::json value) {
  nlohmann::json json = {
      {"model_type", "bert"},
      {"vocab_size", 10},
      {"hidden_size", 8},
      {"num_hidden_layers", 1},
      {"num_attention_heads", 2},
      {"intermediate_size", 4},
      {"max_position_embeddings", 4},
      {"type_vocab_size", 2},
  };
  if (value.is_null()) {
    json.erase(field);
  } else {
    json[field] = std::move(value);
  }
  try {
    parse_config(json, "C");
  } catch (const CallerError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(BertConfig, RefusesWhatItDoesNotRun) {
  EXPECT_EQ(config_refusal("hidden_act", "gelu"), "accepted");
  EXPECT_EQ(
      config_refusal("hidden_size", 9),
      "C: hidden_size 9 is not a multiple of num_attention_heads 2");
  EXPECT_EQ(
      config_refusal("vocab_size", -1),
      "C: key 'vocab_size' is -1; give a value from 1 to 2^31");
  EXPECT_EQ(
      config_refusal("vocab_size", nullptr),
      "C: key 'vocab_size' must be a whole number; is this the config.json of "
      "a BERT encoder?");
  EXPECT_NE(config_refusal("vocab_size", 1e30), "accepted");
  EXPECT_NE(config_refusal("vocab_size", "10"), "accepted");
  EXPECT_EQ(
      config_refusal("model_type", "roberta"),
      "C: model_type = \"roberta\" is not supported; moft computes bert");
  EXPECT_NE(
      config_refusal("position_embedding_type", "relative_key"), "accepted");
  EXPECT_NE(config_refusal("hidden_act", "silu"), "accepted");
  EXPECT_NE(config_refusal("is_decoder", true), "accepted");
}

class MiniLm : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kMiniLm / "model.safetensors")) {
      GTEST_SKIP() << "models/all-minilm-l6-v2 is absent: run scripts/setup";
    }
    std::ifstream file(kReference / "bert_minilm.json");
    fixture_ = nlohmann::json::parse(file);
  }

  nlohmann::json fixture_;
};

TEST_F(MiniLm, EmbeddingsEqualTransformers) {
  const at::Tensor expected = floats(
      SafetensorsFile(kReference / "bert_minilm.safetensors"), "embeddings");
  const SentenceEncoder encoder = load_sentence_encoder(kMiniLm);
  EXPECT_EQ(encoder.options().max_tokens, 256);
  const at::Tensor embeddings =
      encoder.embed(fixture_["ids"].get<std::vector<Text>>());
  EXPECT_LT(largest(embeddings - expected), 1e-5 * largest(expected));
}

TEST_F(MiniLm, TokenizerGivesTheIdsOfTheFixture) {
  const auto tokenizer = load_tokenizer(kMiniLm);
  const auto ids = fixture_["ids"].get<std::vector<Text>>();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto text = fixture_["sentences"][i].get<std::string>();
    EXPECT_EQ(tokenizer->encode(text, {.parse_special = true}), ids[i]) << text;
  }
}

}  // namespace
}  // namespace moft::bert
