// The reward kinds `classifier` and `preference`: from a recipe's settings to
// numbers.
#include "moft/rewards/classifier_reward.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/rewards/make_objectives.h"
#include "moft/rewards/model_reward.h"
#include "moft/rewards/preference.h"
#include "moft/rewards/reward_inputs.h"
#include "moft/rewards/sentences.h"

#include "tests/rewards/support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kReference =
    fs::path(MOFT_SOURCE_DIR) / "tests/reference/models/classifiers";

// The reference's entry of these texts.
Json entry_of(
    const std::string& family,
    const std::string& first,
    const std::optional<std::string>& second) {
  Json expected;
  std::ifstream(kReference / family / "expected.json") >> expected;
  for (const Json& entry : expected) {
    const bool same =
        second ? entry["second"] == *second : entry["second"].is_null();
    if (entry["first"] == first && same) return entry;
  }
  return {};
}

ClassifierOptions options_of(const std::string& family) {
  ClassifierOptions options;
  options.model = (kReference / family).string();
  return options;
}

std::vector<double> score(
    const ClassifierOptions& options, const RewardBatch& batch) {
  const Objectives objectives{{"c", ObjectiveOptions("classifier", options)}};
  return column_of(make_objectives(objectives, "").score(batch).raw, 0);
}

std::string complaint(const ClassifierOptions& options) {
  const Objectives objectives{{"c", ObjectiveOptions("classifier", options)}};
  try {
    options.check("c.classifier.");
    check_reward_files(objectives);
    make_objectives(objectives, "");
  } catch (const CallerError& error) {
    return error.what();
  }
  return "none";
}

void expect_words(
    const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words)
    EXPECT_NE(text.find(word), std::string::npos) << text;
}

// -- From logits to a number
// ---------------------------------------------------

TEST(LabelValue, IsTheClosedForm) {
  const std::vector<double> logits = {1.0, -0.5, 2.0};
  const double all = std::exp(1.0) + std::exp(-0.5) + std::exp(2.0);
  const double p = std::exp(1.0) / all;
  const auto value = [&](LabelValue kind, bool separate) {
    return label_value(logits, 0, kind, separate);
  };
  EXPECT_EQ(value(LabelValue::kLogit, false), 1.0);
  EXPECT_NEAR(value(LabelValue::kProbability, false), p, 1e-15);
  EXPECT_NEAR(value(LabelValue::kLogOdds, false), std::log(p / (1 - p)), 1e-14);
  EXPECT_EQ(value(LabelValue::kLogOdds, true), 1.0);
  EXPECT_NEAR(
      value(LabelValue::kProbability, true), 1 / (1 + std::exp(-1.0)), 1e-15);
}

TEST(LabelValue, HoldsFarFromZero) {
  const std::vector<double> logits = {800.0, -800.0};
  const auto odds = [&](std::size_t label) {
    return label_value(logits, label, LabelValue::kLogOdds, false);
  };
  EXPECT_EQ(odds(0), 1600.0);
  EXPECT_EQ(odds(1), -1600.0);
  EXPECT_EQ(label_value(logits, 0, LabelValue::kProbability, false), 1.0);
  EXPECT_EQ(label_value(logits, 1, LabelValue::kProbability, false), 0.0);
}

TEST(Combine, OfWindowsAndSentences) {
  const std::vector<double> values = {1.0, 4.0, -2.0};
  EXPECT_EQ(combined(values, Combine::kMax), 4.0);
  EXPECT_EQ(combined(values, Combine::kMean), 1.0);
  EXPECT_EQ(combined(values, Combine::kMin), -2.0);
  // A number that is not one is never passed over.
  for (const Combine how : {Combine::kMax, Combine::kMean, Combine::kMin})
    EXPECT_TRUE(std::isnan(combined(std::vector<double>{1.0, NAN}, how)));
}

// -- Windows
// -------------------------------------------------------------------

TEST(TextWindows, CoverEveryTokenAndOverlap) {
  using Windows = std::vector<std::pair<std::int64_t, std::int64_t>>;
  EXPECT_EQ(cut_windows(0, 4, 2), (Windows{{0, 0}}));
  EXPECT_EQ(cut_windows(4, 4, 2), (Windows{{0, 4}}));
  EXPECT_EQ(cut_windows(5, 4, 2), (Windows{{0, 4}, {1, 5}}));
  EXPECT_EQ(cut_windows(8, 4, 2), (Windows{{0, 4}, {2, 6}, {4, 8}}));
  // An overlap is at most half of a window.
  EXPECT_EQ(cut_windows(8, 4, 9), (Windows{{0, 4}, {2, 6}, {4, 8}}));
  EXPECT_EQ(cut_windows(9, 3, 0), (Windows{{0, 3}, {3, 6}, {6, 9}}));
}

TEST(TextWindows, OfAPairHoldTheWholePremiseAndHypothesis) {
  const TextClassifier model(kReference / "bert", at::kCPU);
  const auto field = [](const std::string& text) {
    return std::vector<PromptPiece>{{text, true}};
  };
  const std::string premise = example().fields.at("long");
  const std::string hypothesis = example().fields.at("post");
  WindowedTexts windows;
  model.add_windows(
      {field(premise), field(hypothesis)},
      {.tokens = 60, .overlap = 8},
      windows);
  ASSERT_EQ(windows.parts, 1U);
  ASSERT_GT(windows.texts.size(), 2U);
  const EncodeOptions plain{.parse_special = false, .add_special = false};
  const TokenIds all = model.tokenizer().encode(premise, plain);
  const TokenIds tail = model.tokenizer().encode(hypothesis, plain);
  std::size_t covered = 0;
  for (std::size_t i = 0; i < windows.texts.size(); ++i) {
    const TokenIds& ids = windows.texts[i];
    EXPECT_LE(ids.size(), 60U);
    const auto second = static_cast<std::size_t>(windows.second[i]);
    EXPECT_EQ(TokenIds(ids.begin() + windows.second[i], ids.end() - 1), tail);
    // [CLS] window [SEP]
    const TokenIds part(ids.begin() + 1, ids.begin() + windows.second[i] - 1);
    const auto found =
        std::search(all.begin(), all.end(), part.begin(), part.end());
    ASSERT_NE(found, all.end());
    const auto begin = static_cast<std::size_t>(found - all.begin());
    EXPECT_LE(begin, covered);
    covered = std::max(covered, begin + second - 2);
  }
  EXPECT_EQ(covered, all.size());
}

// -- Chunks
// --------------------------------------------------------------------

// Another process may read one of them alone.
TEST(Chunks, GiveTheSameBitsAloneAndBesideOthers) {
  constexpr std::size_t kChunk = ModelReward::kRowsPerChunk;
  std::vector<std::string> completions;
  for (std::size_t row = 0; row < 2 * kChunk + 5; ++row) {
    std::string text = "The bakery";
    for (std::size_t word = 0; word < row * 7 % 12; ++word)
      text += " opens";
    completions.push_back(text + ".");
  }
  const RewardBatch batch = batch_of(std::move(completions));
  for (const std::string family :
       {"bert", "deberta_v3", "modernbert", "gpt2"}) {
    ClassifierOptions options = options_of(family);
    options.label = "0";
    const std::vector<double> all = score(options, batch);
    ASSERT_EQ(all.size(), batch.rows());
    for (std::size_t first = 0; first < batch.rows(); first += kChunk) {
      const std::size_t last = std::min(first + kChunk, batch.rows());
      const auto alone = score(options, rows_of(batch, first, last));
      for (std::size_t row = first; row < last; ++row)
        EXPECT_EQ(alone[row - first], all[row]) << family << " " << row;
    }
  }
}

// -- Sentences
// -----------------------------------------------------------------

TEST(Sentences, EndWhereASentenceEnds) {
  using List = std::vector<std::string>;
  EXPECT_EQ(split_sentences(""), List{});
  EXPECT_EQ(split_sentences(" \n "), List{});
  EXPECT_EQ(
      split_sentences("One is here. Two?! \"Three.\" And four"),
      (List{"One is here.", "Two?!", "\"Three.\"", "And four"}));
  EXPECT_EQ(
      split_sentences("Dr. Smith met J. Jones at 3.14 p.m. today. Good."),
      (List{"Dr. Smith met J. Jones at 3.14 p.m. today.", "Good."}));
  EXPECT_EQ(
      split_sentences("First\nSecond line"), (List{"First", "Second line"}));
  EXPECT_EQ(
      split_sentences("\u5929\u6c14\u5f88\u597d\u3002\u6211\u53bb\u3002"),
      (List{"\u5929\u6c14\u5f88\u597d\u3002", "\u6211\u53bb\u3002"}));
}

// -- The reward
// ----------------------------------------------------------------

TEST(ClassifierReward, GivesTheLabelsProbabilityOfAPair) {
  ClassifierOptions options = options_of("bert");
  options.label = "neutral";
  options.premise = "{post}";
  const std::string hypothesis =
      "The bakery is closed, says the owner (she retired).";
  const Json entry = entry_of("bert", example().fields.at("post"), hypothesis);
  const auto logits = entry.at("logits").get<std::vector<double>>();
  const auto wanted = [&](LabelValue value) {
    return label_value(logits, 1, value, false);
  };
  const RewardBatch batch = batch_of({hypothesis, "ok"});
  EXPECT_NEAR(score(options, batch)[0], wanted(LabelValue::kProbability), 1e-5);
  options.label = "1";
  options.value = LabelValue::kLogOdds;
  EXPECT_NEAR(score(options, batch)[0], wanted(LabelValue::kLogOdds), 1e-4);
  options.value = LabelValue::kLogit;
  EXPECT_NEAR(score(options, batch)[0], logits[1], 1e-4);
}

TEST(ClassifierReward, JudgesSentencesAndCombinesThem) {
  ClassifierOptions options = options_of("deberta_v3");
  options.label = "entailment";
  options.premise = "{post}";
  const std::string one = "Nobody buys bread there on a Sunday morning!";
  const std::string two = "Where can I return a library book?";
  const auto alone = score(options, batch_of({one, two}));
  options.unit = JudgedUnit::kSentence;
  const RewardBatch both = batch_of({one + " " + two});
  const auto value = [&](Combine how) {
    options.sentences = how;
    return score(options, both)[0];
  };
  EXPECT_NEAR(value(Combine::kMean), (alone[0] + alone[1]) / 2, 1e-6);
  EXPECT_NEAR(value(Combine::kMin), std::min(alone[0], alone[1]), 1e-6);
  EXPECT_NEAR(value(Combine::kMax), std::max(alone[0], alone[1]), 1e-6);
}

TEST(ClassifierReward, CombinesTheWindowsOfALongPremise) {
  ClassifierOptions options = options_of("bert");
  options.label = "entailment";
  options.premise = "{long}";
  options.max_tokens = 60;
  options.overlap = 8;
  const RewardBatch batch = batch_of({"ok"});
  const auto value = [&](Combine how) {
    options.windows = how;
    return score(options, batch)[0];
  };
  const double low = value(Combine::kMin);
  const double mean = value(Combine::kMean);
  const double high = value(Combine::kMax);
  EXPECT_LT(low, mean);
  EXPECT_LT(mean, high);
}

TEST(ClassifierReward, SaysHowManyPremisesTakeSeveralWindows) {
  ClassifierOptions options = options_of("bert");
  options.label = "0";
  options.premise = "{long}";
  options.max_tokens = 60;
  const auto warnings = [&] {
    const Objectives objectives{{"c", ObjectiveOptions("classifier", options)}};
    return reward_warnings(objectives, {example(), example()});
  };
  ASSERT_EQ(warnings().size(), 1U);
  expect_words(warnings()[0], {"objective 'c'", "2 of 2", "60 tokens"});
  options.premise = "{post}";
  EXPECT_TRUE(warnings().empty());
}

// What strangers write never becomes a special token.
TEST(ClassifierReward, SpecialTokensOfAnAnswerAreText) {
  ClassifierOptions options = options_of("bert");
  options.label = "entailment";
  const TextClassifier model(options.model, at::kCPU);
  WindowedTexts windows;
  model.add_windows({{{"a [SEP] b", true}}}, {}, windows);
  const TokenId separator = model.tokenizer().find("[SEP]").value();
  EXPECT_EQ(
      std::count(windows.texts[0].begin(), windows.texts[0].end(), separator),
      1);
}

TEST(ClassifierReward, SaysWhatIsWrong) {
  ClassifierOptions options = options_of("bert");
  expect_words(
      complaint(options), {"3 labels", "entailment, neutral, contradiction"});
  options.label = "positive";
  expect_words(complaint(options), {"'positive'", "entailment"});
  options.label = "3";
  expect_words(complaint(options), {"'3'"});
  options.label = "0";
  EXPECT_EQ(complaint(options), "none");
  options.hypothesis = "{completion}";
  expect_words(complaint(options), {"hypothesis", "premise"});
  options.premise = "{post}";
  EXPECT_EQ(complaint(options), "none");
  options.text = "{completion}";
  expect_words(complaint(options), {"text", "pair"});
  ClassifierOptions decoder = options_of("qwen2");
  EXPECT_EQ(complaint(decoder), "none");
  decoder.premise = "{post}";
  expect_words(complaint(decoder), {"qwen2", "one text", "`text`"});
}

TEST(ClassifierReward, NamesTheFieldsOfItsTemplates) {
  ClassifierOptions options = options_of("bert");
  options.label = "0";
  options.premise = "{title}: {post}";
  const Objectives objectives{{"c", ObjectiveOptions("classifier", options)}};
  try {
    check_reward_fields(objectives, {example()});
    FAIL();
  } catch (const CallerError& error) {
    expect_words(error.what(), {"posts.jsonl:1", "title", "objective 'c'"});
  }
}

// -- Preference
// ----------------------------------------------------------------

std::vector<double> prefer(
    const PreferenceOptions& options, const RewardBatch& batch) {
  const Objectives objectives{{"p", ObjectiveOptions("preference", options)}};
  return column_of(make_objectives(objectives, "").score(batch).raw, 0);
}

// Without a chat template: prompt and answer, one text for a decoder.
TEST(PreferenceReward, IsTheRawLogitOfPromptAndAnswer) {
  for (const char* family : {"gpt2", "llama", "qwen2", "qwen3"}) {
    PreferenceOptions options;
    options.model = (kReference / family).string();
    const Json entry =
        entry_of(family, "Where can I return a library book?", std::nullopt);
    RewardBatch batch = batch_of({" return a library book?"});
    batch.prompts[0] = "Where can I";
    EXPECT_NEAR(
        prefer(options, batch)[0], entry.at("logits")[0].get<double>(), 1e-4)
        << family;
  }
}

TEST(PreferenceReward, OfAnEncoderReadsAPair) {
  PreferenceOptions options;
  options.model = (kReference / "bert").string();
  options.label = "0";
  options.user = "{post}";
  const std::string answer =
      "The bakery is closed, says the owner (she retired).";
  const Json entry = entry_of("bert", example().fields.at("post"), answer);
  EXPECT_NEAR(
      prefer(options, batch_of({answer}))[0],
      entry.at("logits")[0].get<double>(),
      1e-4);
}

// A copy of a reward model's folder with a chat template.
class PreferenceChat : public testing::Test {
 protected:
  PreferenceChat() {
    folder_ = fs::path(testing::TempDir()) / "preference_chat";
    fs::remove_all(folder_);
    fs::copy(kReference / "qwen2", folder_);
    std::ofstream(folder_ / "chat_template.jinja")
        << "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
           "<|im_end|>\n{% endfor %}";
    options_.model = folder_.string();
  }
  ~PreferenceChat() override { fs::remove_all(folder_); }

  fs::path folder_;
  PreferenceOptions options_;
};

TEST_F(PreferenceChat, TheModelsOwnTemplateIsUsed) {
  options_.user = "{post}";
  const RewardBatch batch = batch_of({"It opens early."});
  PreferenceOptions written = options_;
  written.user.reset();
  written.text =
      "<|im_start|>user\n{post}<|im_end|>\n"
      "<|im_start|>assistant\n{completion}<|im_end|>\n";
  EXPECT_EQ(prefer(options_, batch), prefer(written, batch));
  options_.system = "Be brief.";
  EXPECT_NE(prefer(options_, batch), prefer(written, batch));
}

// The policy's markup inside a message of the reward model's would be read as
// words of the user.
TEST_F(PreferenceChat, APromptWithMarkupIsRefused) {
  RewardBatch batch = batch_of({"It opens early."});
  batch.prompts[0] = "<|im_start|>user\nHello<|im_end|>\n";
  try {
    prefer(options_, batch);
    FAIL();
  } catch (const WorldError& error) {
    expect_words(error.what(), {"<|im_start|>", "user", "{field}"});
  }
}

TEST(PreferenceReward, ATextBeyondTheContextStopsTheRun) {
  PreferenceOptions options;
  options.model = (kReference / "llama").string();
  std::string answer;
  for (int i = 0; i < 200; ++i)
    answer += "zq ";
  EXPECT_THROW(prefer(options, batch_of({answer})), WorldError);
}

}  // namespace
}  // namespace moft
