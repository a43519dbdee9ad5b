#include "moft/training/metrics_writer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"

#include "tests/training/support.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

StepResult result_of(std::int64_t step, const Example& example) {
  StepResult result;
  result.step = step;
  result.metrics = {{"reward", 0.1 * static_cast<double>(step)}, {"kl", 1.5}};
  for (int i = 0; i < 3; ++i) {
    TrainingSample sample;
    sample.example = &example;
    sample.prompt = "say \"it\"\n";
    sample.completion = i == 0 ? "ill-formed \xff text" : "fine";
    sample.steering = {Weighting({0.25, 0.75}), 0.01};
    sample.raw_rewards = {10.0, 20.0};
    sample.rewards = {0.1, 0.2};
    sample.kl = 0.5;
    sample.reward = 0.17;
    sample.advantage = -0.3;
    sample.tokens = 7;
    sample.finished = true;
    if (i == 2) sample.texts = {{"remark", "good"}};
    result.samples.push_back(sample);
  }
  return result;
}

std::vector<nlohmann::json> lines_of(const fs::path& path) {
  std::istringstream text(read_all(path));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(text, line);)
    lines.push_back(nlohmann::json::parse(line));
  return lines;
}

const std::vector<std::string> kNames = {"brevity", "relevance"};

TEST(MetricsWriter, LinesHoldWhatTheStepSaid) {
  const Scratch scratch;
  Example example;
  example.id = "p7";
  MetricsWriter writer(scratch.path(), {}, kNames, {});
  writer.write(result_of(1, example));
  writer.write(result_of(2, example));
  const auto metrics = lines_of(scratch.path() / kMetricsFile);
  ASSERT_EQ(metrics.size(), 2U);
  EXPECT_EQ(
      metrics[1],
      (nlohmann::json{
          {"format_version", 1}, {"step", 2}, {"reward", 0.2}, {"kl", 1.5}}));
  const auto samples = lines_of(scratch.path() / kSamplesFile);
  ASSERT_EQ(samples.size(), 6U);
  EXPECT_EQ(
      samples[1],
      (nlohmann::json{
          {"format_version", 1},
          {"step", 1},
          {"example", "p7"},
          {"prompt", "say \"it\"\n"},
          {"completion", "fine"},
          {"steering",
           {{"weights", {{"brevity", 0.25}, {"relevance", 0.75}}},
            {"alpha", 0.01}}},
          {"rewards", {{"brevity", 0.1}, {"relevance", 0.2}}},
          {"raw_rewards", {{"brevity", 10.0}, {"relevance", 20.0}}},
          {"kl", 0.5},
          {"reward", 0.17},
          {"advantage", -0.3},
          {"tokens", 7},
          {"finished", true}}));
  EXPECT_EQ(samples[2].at("texts"), (nlohmann::json{{"remark", "good"}}));
  EXPECT_EQ(samples[0].at("completion"), "ill-formed \xef\xbf\xbd text");
}

TEST(MetricsWriter, LogSamplesBoundsTheSamplesOfAStep) {
  const Scratch scratch;
  const Example example;
  MetricsWriter writer(scratch.path(), {}, kNames, 2);
  writer.write(result_of(1, example));
  EXPECT_EQ(lines_of(scratch.path() / kSamplesFile).size(), 2U);
}

TEST(MetricsWriter, GoesOnFromSavedLengthsAndDropsWhatCameLater) {
  const Scratch scratch;
  const Example example;
  LogLengths lengths;
  {
    MetricsWriter writer(scratch.path(), {}, kNames, {});
    writer.write(result_of(1, example));
    lengths = writer.flush();
    writer.write(result_of(2, example));
  }
  std::string events = read_all(scratch.path() / kEventFile);
  EXPECT_GT(static_cast<std::int64_t>(events.size()), lengths.events);
  MetricsWriter writer(scratch.path(), lengths, kNames, {});
  EXPECT_EQ(
      read_all(scratch.path() / kEventFile),
      events.substr(0, static_cast<std::size_t>(lengths.events)));
  writer.write(result_of(5, example));
  const auto metrics = lines_of(scratch.path() / kMetricsFile);
  ASSERT_EQ(metrics.size(), 2U);
  EXPECT_EQ(metrics[1].at("step"), 5);
  EXPECT_EQ(lines_of(scratch.path() / kSamplesFile).size(), 6U);
}

TEST(MetricsWriter, ALogThatLostBytesIsNamed) {
  const Scratch scratch;
  try {
    MetricsWriter writer(scratch.path(), LogLengths{.metrics = 10}, kNames, {});
    ADD_FAILURE() << "an empty log passed for one of 10 bytes";
  } catch (const CallerError& error) {
    EXPECT_NE(std::string(error.what()).find(kMetricsFile), std::string::npos);
  }
}

}  // namespace
}  // namespace moft::test
