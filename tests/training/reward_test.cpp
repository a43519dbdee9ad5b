// Training classifiers and reward models against transformers, and what it
// promises. Reference values: tests/reference/training/make_reward.py.
#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors.h"
#include "moft/core/errors.h"
#include "moft/training/reward/publisher.h"
#include "moft/training/run.h"

#include "tests/support/tensors.h"
#include "tests/training/support.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kReference = fs::path(MOFT_SOURCE_DIR) / "tests/reference";

fs::path classifier_of(const std::string& family) {
  return kReference / "models/classifiers" / family;
}

Json read_json(const fs::path& path) {
  Json json;
  std::ifstream(path) >> json;
  return json;
}

std::vector<ReadText> texts_of(const std::string& family) {
  std::vector<ReadText> texts;
  const ClassifierInfo info = read_classifier_info(classifier_of(family));
  for (const Json& entry : read_json(classifier_of(family) / "expected.json")) {
    texts.push_back({without_padding(entry["ids"].get<TokenIds>(), info)});
    if (entry.contains("segment")) texts.back().second = entry["segment"];
  }
  return texts;
}

RewardTask kind_of(const std::string& name) {
  for (const auto& [kind, own] : enum_names(RewardTask{}))
    if (own == name) return kind;
  throw std::invalid_argument(name);
}

// As make_reward.py has them.
double number_of(std::size_t row) {
  return static_cast<double>(row % 5) / 4.0 - 0.25;
}

std::vector<RewardRow> rows_of(
    const std::string& family, RewardTask kind, std::size_t labels) {
  const std::vector<ReadText> texts = texts_of(family);
  std::vector<RewardRow> rows;
  if (kind == RewardTask::kPreference) {
    for (std::size_t i = 0; i + 1 < texts.size(); i += 2)
      rows.push_back({{texts[i], texts[i + 1]}, 0, number_of(i / 2)});
    return rows;
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    rows.push_back(
        {{texts[i]}, static_cast<std::int64_t>(i % labels), number_of(i)});
  }
  return rows;
}

RewardTrainingOptions options_of(RewardTask kind, std::size_t rows) {
  RewardTrainingOptions options;
  options.kind = kind;
  options.steps = 3;
  options.rows_per_step = static_cast<std::int64_t>(rows);
  options.gradient_clip = std::nullopt;
  options.optimizer.learning_rate = 3e-3;
  options.optimizer.epsilon = 1e-3;
  options.optimizer.weight_decay = 0.1;
  if (kind == RewardTask::kPreference) options.centring = 0.05;
  return options;
}

// A model, rows for it, and the trainer.
struct Training {
  Training(
      const std::string& family,
      const RewardTrainingOptions& options,
      std::vector<RewardRow> rows_,
      const std::optional<NewHead>& head = std::nullopt)
      : rows(std::move(rows_)),
        model(classifier_of(family), head, LoadOptions{}),
        conditioning(condition_classifier(model, options)),
        trainer({&model, conditioning.get(), &rows, &rows, true}, options) {}

  std::vector<const RewardRow*> all() const {
    std::vector<const RewardRow*> batch;
    for (const RewardRow& row : rows)
      batch.push_back(&row);
    return batch;
  }

  std::vector<RewardRow> rows;
  Classifier model;
  std::unique_ptr<Conditioning> conditioning;
  RewardTrainer trainer;
};

struct Fingerprint {
  double cosines = 0.0;
  double sines = 0.0;
  double size = 0.0;
};

Fingerprint fingerprint(const at::Tensor& tensor) {
  const at::Tensor numbers = tensor.to(at::kDouble).flatten();
  const at::Tensor places = at::arange(numbers.numel(), at::kDouble);
  return {
      (numbers * places.cos()).sum().item<double>(),
      (numbers * places.sin()).sum().item<double>(),
      numbers.abs().sum().item<double>()};
}

class RewardFamilies : public testing::TestWithParam<const char*> {
 protected:
  Json expected_ = read_json(
      kReference / "training/reward" / (std::string(GetParam()) + ".json"));
};

TEST_P(RewardFamilies, ThreeStepsAreThoseOfTransformers) {
  for (const auto& [name, expected] : expected_.items()) {
    const RewardTask kind = kind_of(name);
    const auto labels =
        read_classifier_info(classifier_of(GetParam())).labels.size();
    auto rows = rows_of(GetParam(), kind, labels);
    const RewardTrainingOptions options = options_of(kind, rows.size());
    Training tiny(GetParam(), options, std::move(rows));
    for (int step = 0; step < 3; ++step) {
      const double wanted = expected["losses"][step];
      EXPECT_NEAR(
          tiny.trainer.step().metrics.at("loss"),
          wanted,
          1e-5 * std::max(1.0, std::abs(wanted)))
          << name << " " << step;
    }
    const auto tensors = tiny.model.file_tensors(tiny.trainer.product());
    ASSERT_FALSE(expected["parameters"].empty());
    for (const auto& [parameter, sums] : expected["parameters"].items()) {
      ASSERT_TRUE(tensors.contains(parameter)) << parameter;
      const Fingerprint found = fingerprint(tensors.at(parameter));
      const double tolerance = 1e-5 * std::max(1.0, found.size);
      EXPECT_NEAR(found.cosines, sums[0].get<double>(), tolerance) << parameter;
      EXPECT_NEAR(found.sines, sums[1].get<double>(), tolerance) << parameter;
    }
  }
}

// What is written has the names and shapes that were read.
TEST_P(RewardFamilies, FilesHaveTheNamesOfTransformers) {
  Classifier model(classifier_of(GetParam()));
  const SafetensorsFile file(classifier_of(GetParam()) / "model.safetensors");
  const auto written = model.file_tensors({});
  for (const std::string& name : file.names()) {
    ASSERT_TRUE(written.contains(name)) << name;
    EXPECT_EQ(written.at(name).sizes().vec(), file.find(name)->shape) << name;
  }
  EXPECT_EQ(written.size(), file.names().size());
}

TEST_P(RewardFamilies, AdaptersAndHeadAreTrainedAndMerged) {
  const RewardTask kind = kind_of(expected_.begin().key());
  const auto labels =
      read_classifier_info(classifier_of(GetParam())).labels.size();
  auto rows = rows_of(GetParam(), kind, labels);
  RewardTrainingOptions options = options_of(kind, rows.size());
  options.lora = LoraOptions{};
  options.lora->rank = 2;
  options.optimizer.learning_rate = 0.02;
  Training tiny(GetParam(), options, std::move(rows));
  const double before = tiny.trainer.held_out().loss;
  for (int step = 0; step < 3; ++step)
    tiny.trainer.step();
  const double after = tiny.trainer.held_out().loss;
  EXPECT_LT(after, before);
  // The merged model says the same as the adapters.
  const auto merged = tiny.trainer.product();
  Classifier plain(classifier_of(GetParam()));
  const auto copy = condition_classifier(plain, options_of(kind, 1));
  std::size_t changed = 0;
  copy->load([&](const std::string& name, const auto&) {
    const std::string own = name.substr(std::string("shared/").size());
    const auto found = merged.find(own);
    if (found != merged.end()) ++changed;
    return found != merged.end() ? found->second
                                 : copy->tensors().at(name).clone();
  });
  EXPECT_EQ(changed, merged.size());
  RewardTrainer reader(
      {&plain, copy.get(), &tiny.rows, &tiny.rows, true},
      options_of(kind, tiny.rows.size()));
  EXPECT_NEAR(
      reader.held_out().loss, after, 1e-5 * std::max(1.0, std::abs(after)));
}

INSTANTIATE_TEST_SUITE_P(
    Tiny,
    RewardFamilies,
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

// --- the loop, on one of them

std::vector<RewardRow> bert_rows() {
  return rows_of("bert", RewardTask::kClassification, 3);
}

RewardTrainingOptions quick(std::int64_t steps) {
  RewardTrainingOptions options =
      options_of(RewardTask::kClassification, /*rows=*/5);
  options.steps = steps;
  options.checkpoint.every = 2;
  options.evaluation.every = 2;
  return options;
}

TEST(RewardTrainer, PartsGiveTheGradientOfOne) {
  Training whole("bert", quick(1), bert_rows());
  RewardTrainingOptions four = quick(1);
  four.gradient_accumulation = 4;
  Training parts("bert", four, bert_rows());
  EXPECT_NEAR(
      parts.trainer.differentiate(parts.all()),
      whole.trainer.differentiate(whole.all()),
      1e-6);
  const auto expected = whole.conditioning->gradients();
  const auto found = parts.conditioning->gradients();
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(found[i].tensor.defined(), expected[i].tensor.defined());
    if (!found[i].tensor.defined()) continue;
    const double size = expected[i].tensor.abs().max().item<double>();
    EXPECT_LT(
        (found[i].tensor - expected[i].tensor).abs().max().item<double>(),
        1e-5 * std::max(1.0, size));
  }
}

// Central differences of the loss in a number of each trained parameter.
TEST(RewardTrainer, GradientsAreThoseOfFiniteDifferences) {
  Training tiny(
      "gpt2",
      options_of(RewardTask::kPreference, 4),
      rows_of("gpt2", RewardTask::kPreference, 1));
  tiny.trainer.differentiate(tiny.all());
  std::vector<at::Tensor> gradients;
  for (const ScaledGradient& gradient : tiny.conditioning->gradients())
    gradients.push_back(
        gradient.tensor.defined() ? gradient.tensor.clone() : at::Tensor());
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) continue;
    const at::Tensor flat = gradients[i].flatten();
    const std::int64_t place = flat.abs().argmax().item<std::int64_t>();
    const double slope = flat[place].item<double>();
    at::Tensor master = tiny.conditioning->trained()[i].master.view({-1});
    const auto at_shift = [&](double shift) {
      master[place].add_(shift);
      tiny.conditioning->masters_changed();
      const double loss = tiny.trainer.held_out().loss;
      master[place].sub_(shift);
      tiny.conditioning->masters_changed();
      return loss;
    };
    constexpr double kShift = 2e-3;
    EXPECT_NEAR(
        (at_shift(kShift) - at_shift(-kShift)) / (2 * kShift),
        slope,
        2e-2 * std::abs(slope) + 2e-3)
        << tiny.conditioning->trained()[i].name;
  }
}

RewardProduct product_of(Training& tiny, RewardTask kind) {
  RewardProduct product;
  product.model = &tiny.model;
  product.trainer = &tiny.trainer;
  product.kind = kind;
  product.base_path = classifier_of("bert");
  return product;
}

RunOutcome run_in(
    const fs::path& directory,
    Training& tiny,
    const std::optional<Checkpoint>& resume = std::nullopt,
    std::int64_t stop_after = 1000) {
  fs::create_directories(directory);
  RunSetup setup;
  setup.directory = directory;
  setup.recipe = "name: test\n";
  setup.kind = RunKind::kReward;
  setup.on_evaluate = [&tiny](std::int64_t) { return tiny.trainer.evaluate(); };
  setup.stop_requested = [&] {
    return tiny.trainer.finished_steps() >= stop_after;
  };
  RewardPublisher publisher(product_of(tiny, RewardTask::kClassification));
  return Run(std::move(setup), tiny.trainer, publisher, resume).run();
}

const NewHead kHead{{"a", "b", "c"}, 7};

// Stopped after `stop` steps and resumed by a trainer with other weights.
std::string resumed_weights(
    const fs::path& directory,
    const RewardTrainingOptions& options,
    std::int64_t stop) {
  Training first("bert", options, bert_rows(), kHead);
  const RunOutcome stopped = run_in(directory, first, std::nullopt, stop);
  EXPECT_FALSE(stopped.finished);
  Training second("bert", options, bert_rows(), NewHead{{"a", "b", "c"}, 9});
  const Checkpoint checkpoint = read_checkpoint(stopped.checkpoint.value());
  EXPECT_TRUE(run_in(directory, second, checkpoint).finished);
  return read_all(directory / "model/model.safetensors");
}

std::string straight_weights(
    const fs::path& directory, const RewardTrainingOptions& options) {
  Training tiny("bert", options, bert_rows(), kHead);
  EXPECT_TRUE(run_in(directory, tiny).finished);
  return read_all(directory / "model/model.safetensors");
}

TEST(RewardTrainer, AStoppedRunGoesOnToTheSameBits) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  RewardTrainingOptions options = quick(7);
  EXPECT_EQ(
      resumed_weights(folder / "parts", options, 3),
      straight_weights(folder / "whole", options));
  options.lora = LoraOptions{};
  options.lora->rank = 2;
  EXPECT_EQ(
      resumed_weights(folder / "lora parts", options, 3),
      straight_weights(folder / "lora whole", options));
}

// With a rate that makes the loss rise again, training ends before its last
// step, and the model of the lowest loss is written, resumed or not.
TEST(RewardTrainer, StopsEarlyAndWritesTheModelOfTheLowestLoss) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  RewardTrainingOptions options = quick(200);
  options.early_stopping = 2;
  options.evaluation.every = 1;
  options.optimizer.learning_rate = 0.3;
  Training tiny("bert", options, bert_rows(), kHead);
  const RunOutcome outcome = run_in(folder / "whole", tiny);
  ASSERT_TRUE(outcome.finished);
  EXPECT_LT(outcome.step, 200);
  std::ifstream lines(folder / "whole/metrics.jsonl");
  double lowest = INFINITY;
  std::vector<double> losses;
  for (std::string line; std::getline(lines, line);) {
    losses.push_back(Json::parse(line).at("held_out/loss"));
    lowest = std::min(lowest, losses.back());
  }
  ASSERT_GE(losses.size(), 3U);
  EXPECT_EQ(losses[losses.size() - 3], lowest);
  EXPECT_EQ(tiny.trainer.held_out().loss, lowest);
  EXPECT_EQ(
      resumed_weights(folder / "parts", options, outcome.step - 1),
      read_all(folder / "whole/model/model.safetensors"));
}

TEST(RewardTrainer, TheModelReadBackGivesTheSameLogits) {
  const Scratch scratch;
  Training tiny("bert", quick(3), bert_rows(), kHead);
  const RunOutcome outcome = run_in(scratch.path() / "run", tiny);
  const Classifier read_back(outcome.product);
  EXPECT_EQ(read_back.info().labels, kHead.labels);
  std::vector<TokenIds> ids;
  std::vector<std::int64_t> second;
  for (const ReadText& text : texts_of("bert")) {
    ids.push_back(text.ids);
    second.push_back(text.second);
  }
  const at::Tensor found = read_back.logits(ids, second);
  const at::Tensor trained = tiny.model.forward(
      ids,
      second,
      RowSteering::uniform(Coefficients(0.0, Weighting::uniform(1))));
  EXPECT_LT(
      (found - trained.detach().to(at::kDouble)).abs().max().item<double>(),
      1e-5);
  const Json config = read_json(outcome.product / "config.json");
  EXPECT_EQ(config["architectures"], Json{"BertForSequenceClassification"});
  EXPECT_EQ(config["id2label"]["2"], "c");
  EXPECT_EQ(config["label2id"]["b"], 1);
  EXPECT_EQ(config["problem_type"], "single_label_classification");
}

// A checkpoint without what early stopping keeps is refused with its file.
TEST(RewardTrainer, ACheckpointWithoutTheNumbersOfEarlyStoppingIsRefused) {
  RewardTrainingOptions options = quick(4);
  options.early_stopping = 2;
  Training tiny("bert", options, bert_rows(), kHead);
  tiny.trainer.step();
  tiny.trainer.evaluate();
  const TrainerState good = tiny.trainer.state();
  tiny.trainer.restore(good);
  const auto refusal = [&](const auto& spoil) -> std::string {
    TrainerState state = good;
    spoil(state.best);
    try {
      tiny.trainer.restore(state);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "";
  };
  constexpr const char* kLowest = "early_stopping.lowest_loss";
  EXPECT_EQ(
      refusal([&](NamedTensors& best) { best.erase(kLowest); }),
      "best.safetensors: 'early_stopping.lowest_loss' is not there as one "
      "number; resume from another checkpoint, or start the run again");
  EXPECT_NE(
      refusal([&](NamedTensors& best) { best[kLowest] = at::ones({1}); }), "");
  EXPECT_TRUE(refusal([&](NamedTensors& best) {
                best.erase(std::prev(best.end()));
              }).starts_with("best.safetensors: "));
}

// DeBERTa's terms of positions: kept for 2 span rows and every two tokens.
TEST(RewardTrainer, MemoryCountsTheScoresOfDeberta) {
  const auto of = [](const char* family) {
    Classifier model(classifier_of(family));
    return shape_of(model.network());
  };
  EXPECT_EQ(of("bert").scores_per_pair, 0);
  const ModelShape shape = of("deberta_v3");
  const Json config = read_json(classifier_of("deberta_v3") / "config.json");
  const std::int64_t heads = config["num_attention_heads"];
  const std::int64_t layers = config["num_hidden_layers"];
  const std::int64_t span = config["position_buckets"];
  EXPECT_EQ(shape.scores_per_token, layers * heads * 2 * 2 * span);
  EXPECT_EQ(shape.scores_per_pair, (layers + 4) * heads);
  RewardTrainingOptions options = quick(1);
  const auto bytes = [&](std::int64_t tokens) {
    return reward_memory(shape, {tokens}, options).scoring_bytes({0});
  };
  EXPECT_EQ(bytes(20) - 2 * bytes(10), 4 * shape.scores_per_pair * (400 - 200));
}

TEST(RewardTrainer, ANewHeadHasTheSpreadOfTransformers) {
  const auto head_of = [](std::uint64_t seed) {
    NewHead head{{}, seed};
    for (int i = 0; i < 200; ++i)
      head.labels.push_back(std::to_string(i));
    Classifier model(classifier_of("bert"), head, LoadOptions{});
    return model.file_tensors({});
  };
  const auto first = head_of(1);
  const at::Tensor weight = first.at("classifier.weight");
  EXPECT_NEAR(weight.std().item<double>(), 0.02, 0.001);
  EXPECT_NEAR(weight.mean().item<double>(), 0.0, 0.001);
  EXPECT_EQ(first.at("classifier.bias").abs().max().item<double>(), 0.0);
  EXPECT_TRUE(same_bits(weight, head_of(1).at("classifier.weight")));
  EXPECT_FALSE(same_bits(weight, head_of(2).at("classifier.weight")));
  // The pooler is the file's.
  EXPECT_TRUE(same_bits(
      first.at("bert.pooler.dense.weight"),
      Classifier(classifier_of("bert"))
          .file_tensors({})
          .at("bert.pooler.dense.weight")));
}

}  // namespace
}  // namespace moft::test
