// Reports: what they say, and how they are written and read back.
#include "moft/evaluation/report.h"

#include <cmath>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/evaluation/front_plot.h"
#include "moft/evaluation/hypervolume.h"
#include "moft/evaluation/notes.h"
#include "moft/evaluation/page.h"
#include "moft/evaluation/summarise.h"

#include "tests/evaluation/support.h"

namespace moft {
namespace {

using testing::complete_pair;
using testing::fresh_folder;
using testing::kFive;
using testing::made_up_report;
using testing::read_text;

TEST(Summarise, ValuesAreTheWeightedAxesOnEveryPoint) {
  // V = sum_i w_i V_i with V_i = (1 - alpha) R_i - alpha KL (section 2).
  const Report report = complete_pair();
  for (const FrontPoint& p : report.points) {
    double sum = 0;
    for (const auto& [name, w] : p.weights) {
      sum +=
          w * ((1 - p.alpha) * p.rewards.at(name).mean - p.alpha * p.kl.mean);
    }
    EXPECT_NEAR(p.value.mean, sum, 1e-12);
    EXPECT_NEAR(p.reference_value, 0.99 * 0.3, 1e-12);
    EXPECT_NEAR(p.value_gain.mean, sum - 0.99 * 0.3, 1e-12);
    EXPECT_LE(p.value.low, p.value.mean);
    EXPECT_GE(p.value.high, p.value.mean);
  }
}

TEST(Summarise, FiguresComeFromTheMeanRewards) {
  // Scores share their noise, so reach and extent are exact: .65 (1 - 0).
  const Report report = complete_pair();
  EXPECT_NEAR(report.summary.reach.at("zeal"), 0.65, 1e-12);
  EXPECT_NEAR(report.summary.extent.at("brevity"), 0.65, 1e-12);
  EXPECT_EQ(report.summary.spearman.at("zeal"), 1);
  EXPECT_TRUE(report.summary.steps_back.empty());
  const Rows rows = reward_rows(report);
  EXPECT_NEAR(report.summary.hypervolume, hypervolume(rows, {0, 0}), 1e-15);
  EXPECT_EQ(report.summary.moft_rule, "trapezoid rule for a uniform weighting");
  double trapezoid = 0;
  for (int k = 0; k < 5; ++k) {
    trapezoid += report.points[k].value.mean * (k == 0 || k == 4 ? .125 : .25);
  }
  EXPECT_NEAR(report.summary.moft_value, trapezoid, 1e-12);
  EXPECT_NEAR(report.summary.knob_regret, 0, 1e-12);
}

TEST(Summarise, RefusesWhatDoesNotFit) {
  Report off = made_up_report({"a", "b"}, {{.5, .6}}, 4);
  EXPECT_THROW(complete_report(off), CallerError);
  Report missing = made_up_report({"a", "b"}, kFive, 4);
  missing.points[2].per_prompt.rewards.erase("b");
  EXPECT_THROW(complete_report(missing), CallerError);
  Report uneven = made_up_report({"a", "b"}, kFive, 4);
  uneven.points[1].per_prompt.kl.pop_back();
  EXPECT_THROW(complete_report(uneven), CallerError);
  Report empty;
  EXPECT_THROW(complete_report(empty), CallerError);
}

TEST(ReportJson, ReadsBackToTheSameText) {
  Report report = complete_pair();
  report.points[1].echoed = 0.25;
  const std::string text = report_to_json(report);
  const Report again = report_from_json(text, "report.json");
  EXPECT_EQ(report_to_json(again), text);
  EXPECT_EQ(again.points[0].echoed, std::nullopt);
  EXPECT_EQ(again.points[1].echoed, 0.25);
  EXPECT_EQ(
      again.points[3].per_prompt.rewards, report.points[3].per_prompt.rewards);
  EXPECT_EQ(again.summary.hypervolume, report.summary.hypervolume);
  EXPECT_EQ(again.training[0].mean_length, 12.0);
  EXPECT_FALSE(again.training[0].entropy.has_value());
}

TEST(ReportJson, KeepsPolicyDataBaselinesAndIntervals) {
  Report report = complete_pair();
  BaselinePolicy other{"other", report.points, report.reference};
  for (auto& [name, scores] : other.reference.per_prompt.rewards)
    scores.assign(40, 0.1);
  other.policy = report.policy;
  other.policy->steps.reset();
  report.baselines = {other};
  complete_report(report);
  const std::string text = report_to_json(report);
  const Report again = report_from_json(text, "report.json");
  EXPECT_EQ(report_to_json(again), text);
  EXPECT_EQ(again.policy->steps, 54);
  EXPECT_EQ(again.policy->answers, 1296);
  EXPECT_EQ(again.data->split, "final");
  EXPECT_EQ(again.data->hash, "0c2d");
  EXPECT_FALSE(again.baselines[0].policy->steps.has_value());
  EXPECT_NEAR(again.baselines[0].points[2].reference_value, 0.99 * 0.1, 1e-12);
  EXPECT_EQ(
      again.summary.intervals->knob_regret.high,
      report.summary.intervals->knob_regret.high);
}

TEST(ReportJson, ReadsReportsFromBeforeThese) {
  auto old = nlohmann::json::parse(report_to_json(complete_pair()));
  old.erase("policy");
  old.erase("data");
  old["summary"].erase("intervals");
  old["baselines"] = {{{"name", "x"}, {"points", old["points"]}}};
  const Report report = report_from_json(old.dump(), "old.json");
  EXPECT_FALSE(report.policy || report.data || report.summary.intervals);
  EXPECT_TRUE(report.baselines[0].reference.per_prompt.rewards.empty());
  EXPECT_NE(report_page(report).find("Knob regret"), std::string::npos);
}

TEST(ReportJson, HasTheFieldsOthersReadInTheObjectivesOrder) {
  const auto json =
      nlohmann::ordered_json::parse(report_to_json(complete_pair()));
  for (const char* key :
       {"objectives",
        "reference_point",
        "points",
        "reference",
        "summary",
        "cost",
        "provenance",
        "format_version"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  for (const char* key :
       {"weights",
        "alpha",
        "beta",
        "rewards",
        "raw_rewards",
        "kl",
        "value",
        "reference_value",
        "words",
        "distinct",
        "finished",
        "samples"}) {
    EXPECT_TRUE(json["points"][0].contains(key)) << key;
  }
  // zeal before brevity, although maps sort the other way.
  EXPECT_EQ(json["points"][0]["rewards"].begin().key(), "zeal");
  EXPECT_EQ(json["points"][0]["rewards"]["zeal"].size(), 3u);
}

TEST(ReportJson, RefusesDamagedFiles) {
  const auto good = nlohmann::json::parse(report_to_json(complete_pair()));
  const auto refused = [&](const char* pointer, const nlohmann::json& value) {
    auto bad = good;
    bad[nlohmann::json::json_pointer(pointer)] = value;
    try {
      report_from_json(bad.dump(), "r.json");
    } catch (const CallerError& error) {
      return std::string(error.what()).starts_with("r.json: ");
    }
    return false;
  };
  EXPECT_TRUE(refused("/format_version", 2));
  EXPECT_TRUE(refused("/points/0/weights/zeal", "much"));
  EXPECT_TRUE(refused("/points/0/weights/other", 0.5));
  EXPECT_TRUE(refused("/points/0/rewards/zeal/mean", nullptr));
  EXPECT_TRUE(refused("/points/0/samples", -3));
  EXPECT_TRUE(refused("/points", 7));
  EXPECT_TRUE(refused("/surprise", 7));
  EXPECT_TRUE(refused("/objectives", {"zeal", "zeal"}));
  EXPECT_TRUE(refused("/texts/0/answers", nlohmann::json::array()));
  EXPECT_TRUE(refused("/summary/steps_back", {1}));
  auto missing = good;
  missing["points"][1].erase("kl");
  EXPECT_THROW(report_from_json(missing.dump(), "r"), CallerError);
  EXPECT_THROW(report_from_json("{\"format_version\"", "r"), CallerError);
  EXPECT_THROW(report_from_json("[]", "r"), CallerError);
  EXPECT_THROW(read_report("/nowhere/report.json"), CallerError);
}

TEST(ReportJson, NeverWritesNonFiniteNumbers) {
  Report report = complete_pair();
  report.points[1].raw_rewards["zeal"] = std::nan("");
  try {
    report_to_json(report);
    FAIL();
  } catch (const WorldError& error) {
    EXPECT_NE(
        std::string(error.what()).find("points.1.raw_rewards.zeal"),
        std::string::npos);
  }
}

TEST(TrainingRows, ReadsTheKeysOfMetricsJsonl) {
  const auto file = fresh_folder("rows") / "metrics.jsonl";
  std::ofstream(file)
      << "{\"step\": 1, \"rewards/a/mean\": 0.5, \"kl\": 0.25, \"x\": \"y\"}\n"
      << "\n{\"step\": 2, \"entropy\": 1.5, \"completions/mean_length\": 9}\n"
      << "{\"note\": 1}\n{\"step\": 3, \"kl\": 1";
  const auto rows = read_training_rows(file, {"a", "b"});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].rewards, (ByObjective{{"a", 0.5}}));
  EXPECT_EQ(rows[0].kl, 0.25);
  EXPECT_EQ(rows[1].mean_length, 9);
  EXPECT_TRUE(read_training_rows(file.parent_path() / "none", {"a"}).empty());
  std::ofstream(file) << "{\"step\": 1}\nnonsense\n";
  try {
    read_training_rows(file, {"a"});
    FAIL();
  } catch (const CallerError& error) {
    EXPECT_NE(
        std::string(error.what()).find("metrics.jsonl:2:"), std::string::npos);
  }
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, at);)
    parts.push_back(part);
  return parts;
}

TEST(FrontCsv, EveryLineHoldsTheIdentityOfTheAxes) {
  const Report report = complete_pair();
  const auto lines = split(front_csv(report), '\n');
  ASSERT_EQ(lines.size(), 7u);  // header, five points, reference
  const auto names = split(lines[0], ',');
  std::map<std::string, std::size_t> column;
  for (std::size_t c = 0; c < names.size(); ++c)
    column[names[c]] = c;
  for (std::size_t k = 1; k <= 5; ++k) {
    const auto cells = split(lines[k], ',');
    ASSERT_EQ(cells.size(), names.size());
    const auto get = [&](const std::string& name) {
      return std::stod(cells.at(column.at(name)));
    };
    EXPECT_NEAR(
        get("value"),
        get("\"weight zeal\"") * get("\"zeal value\"") +
            get("\"weight brevity\"") * get("\"brevity value\""),
        1e-12);
    EXPECT_EQ(get("zeal"), report.points[k - 1].rewards.at("zeal").mean);
  }
}

TEST(WriteReport, WritesWholeFilesAndNoOthers) {
  const auto folder = fresh_folder("write") / "report";
  const Report report = complete_pair();
  write_report(folder, report);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(
      names,
      (std::vector<std::string>{
          "front.csv", "front.svg", "index.html", "report.json"}));
  EXPECT_EQ(
      report_to_json(read_report(folder / "report.json")),
      report_to_json(report));
  // A file where the directory should be.
  const auto blocked = folder.parent_path() / "blocked";
  std::ofstream(blocked) << "x";
  EXPECT_THROW(write_report(blocked / "report", report), CallerError);
}

TEST(WriteReport, LeavesFilesThatAreNotAReports) {
  const auto folder = fresh_folder("theirs");
  std::ofstream(folder / "index.html") << "my page";
  EXPECT_THROW(write_report(folder, complete_pair()), CallerError);
  EXPECT_EQ(read_text(folder / "index.html"), "my page");
  EXPECT_FALSE(std::filesystem::exists(folder / "report.json"));
  std::filesystem::remove(folder / "index.html");
  std::ofstream(folder / "thesis.txt") << "mine";
  write_report(folder, complete_pair());
  write_report(folder, complete_pair());  // over its own report
  EXPECT_EQ(read_text(folder / "thesis.txt"), "mine");
}

// Two evaluations of one run at once: the files are those of one of them.
TEST(WriteReport, TwoWritersDoNotMix) {
  const auto folder = fresh_folder("two");
  Report reports[2] = {complete_pair(), complete_pair()};
  reports[0].title = "first writer";
  reports[1].title = "second writer";
  for (int round = 0; round < 20; ++round) {
    std::thread other([&] { write_report(folder, reports[0]); });
    write_report(folder, reports[1]);
    other.join();
    const bool first =
        read_report(folder / "report.json").title == reports[0].title;
    const std::string page = read_text(folder / "index.html");
    EXPECT_NE(page.find(reports[first ? 0 : 1].title), std::string::npos);
    EXPECT_EQ(page.find(reports[first ? 1 : 0].title), std::string::npos);
  }
  const auto count = std::distance(
      std::filesystem::directory_iterator(folder),
      std::filesystem::directory_iterator());
  EXPECT_EQ(count, 4);
}

// Two evaluations of one run at the same time, and one that cannot write.
TEST(WriteReport, WritersDoNotMeetAndAFailureKeepsTheOldReport) {
  const auto folder = fresh_folder("writers") / "report";
  const Report report = complete_pair();
  Report other = report;
  other.title = "Another";
  std::vector<std::thread> writers;
  for (const Report* one : std::vector<const Report*>{&report, &other}) {
    writers.emplace_back([&folder, one] {
      for (int k = 0; k < 20; ++k)
        write_report(folder, *one);
    });
  }
  for (std::thread& writer : writers)
    writer.join();
  const std::string title = read_report(folder / "report.json").title;
  EXPECT_TRUE(title == "A test" || title == "Another") << title;
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    EXPECT_TRUE(entry.is_regular_file());
    ++count;
  }
  EXPECT_EQ(count, 4u);

  // What cannot be written leaves the old report.
  Report broken = report;
  broken.points[0].kl.mean = std::nan("");
  const std::string before = read_text(folder / "report.json");
  EXPECT_THROW(write_report(folder, broken), WorldError);
  EXPECT_EQ(read_text(folder / "report.json"), before);
}

}  // namespace
}  // namespace moft
