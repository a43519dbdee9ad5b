// Every family of classifiers against transformers, from text to logits.
// Reference values: tests/reference/models/classifiers.py.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/models/bert/sentence_encoder.h"
#include "moft/rewards/text_classifier.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kReference =
    fs::path(MOFT_SOURCE_DIR) / "tests/reference/models/classifiers";

std::vector<PromptPiece> field(const std::string& text) {
  return {{text, true}};
}

class ClassifierFamilies : public testing::TestWithParam<const char*> {
 protected:
  ClassifierFamilies() : classifier_(kReference / GetParam(), at::kCPU) {
    std::ifstream(kReference / GetParam() / "expected.json") >> expected_;
    for (const Json& entry : expected_) {
      JudgedText text{field(entry["first"])};
      if (!entry["second"].is_null()) text.second = field(entry["second"]);
      classifier_.add_windows(text, {}, texts_);
    }
  }

  TextClassifier classifier_;
  Json expected_;
  WindowedTexts texts_;
};

TEST_P(ClassifierFamilies, IdsAndSegmentsEqualTransformers) {
  ASSERT_EQ(texts_.texts.size(), expected_.size());
  std::size_t pair = 0;
  for (std::size_t i = 0; i < expected_.size(); ++i) {
    EXPECT_EQ(texts_.texts[i], expected_[i]["ids"].get<TokenIds>())
        << expected_[i]["first"] << expected_[i]["second"];
    if (expected_[i]["second"].is_null() || texts_.second.empty()) continue;
    EXPECT_EQ(texts_.second.at(pair++), expected_[i]["segment"]);
  }
}

// Below 1e-5 times max(1, |logit|), where every logit spreads by at least 1.
TEST_P(ClassifierFamilies, LogitsEqualTransformers) {
  std::vector<TokenIds> ids;
  std::vector<std::int64_t> second;
  for (const Json& entry : expected_) {
    ids.push_back(entry["ids"].get<TokenIds>());
    second.push_back(entry["segment"]);
  }
  const at::Tensor logits =
      Classifier(kReference / GetParam()).logits(ids, second);
  const auto labels = static_cast<std::size_t>(logits.size(1));
  ASSERT_EQ(labels, classifier_.info().labels.size());
  double largest = 0;
  std::vector<double> low(labels, INFINITY);
  std::vector<double> high(labels, -INFINITY);
  for (std::size_t i = 0; i < expected_.size(); ++i) {
    for (std::size_t label = 0; label < labels; ++label) {
      const double wanted = expected_[i]["logits"][label];
      const double given = logits.const_data_ptr<double>()[i * labels + label];
      largest = std::max(
          largest, std::abs(given - wanted) / std::max(1.0, std::abs(wanted)));
      low[label] = std::min(low[label], wanted);
      high[label] = std::max(high[label], wanted);
    }
  }
  EXPECT_LT(largest, 1e-5);
  RecordProperty("error", std::to_string(largest));
  std::printf("%s: %.2e\n", GetParam(), largest);
  for (std::size_t label = 0; label < labels; ++label)
    EXPECT_GE(high[label] - low[label], 1.0);
}

// A text's logits are the same alone and beside others.
TEST_P(ClassifierFamilies, ATextDoesNotDependOnItsNeighbours) {
  const Classifier model(kReference / GetParam());
  std::vector<TokenIds> ids;
  for (const Json& entry : expected_)
    ids.push_back(entry["ids"].get<TokenIds>());
  const at::Tensor together = model.logits(ids);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const at::Tensor alone = model.logits({ids[i]});
    const at::Tensor difference =
        (alone[0] - together[static_cast<std::int64_t>(i)]).abs().max();
    EXPECT_LT(difference.item<double>(), 1e-5);
  }
}

// The same encoders without their heads, as `similarity` reads them.
TEST_P(ClassifierFamilies, EmbeddingsEqualTransformers) {
  if (!classifier_.info().encoder) GTEST_SKIP() << "a decoder";
  const auto encoder = bert::load_sentence_encoder(kReference / GetParam());
  for (const Json& entry : expected_) {
    if (!entry.contains("embedding")) continue;
    const at::Tensor given =
        encoder.embed(std::vector<TokenIds>{entry["ids"].get<TokenIds>()})[0];
    const at::Tensor wanted =
        at::tensor(entry["embedding"].get<std::vector<double>>(), at::kDouble);
    EXPECT_LT((given - wanted).abs().max().item<double>(), 1e-5)
        << entry["first"];
  }
}

INSTANTIATE_TEST_SUITE_P(
    Tiny,
    ClassifierFamilies,
    testing::Values(
        "bert",
        "roberta",
        "xlm_roberta",
        "mpnet",
        "deberta_v2",
        "deberta_v3",
        "modernbert",
        "gpt2",
        "llama",
        "qwen2",
        "qwen3"),
    [](const auto& family) { return std::string(family.param); });

}  // namespace
}  // namespace moft
