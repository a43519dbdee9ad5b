// The files of a report.
#include "moft/evaluation/report.h"

#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/report_files.h"
#include "moft/evaluation/comparison_text.h"
#include "moft/evaluation/csv.h"
#include "moft/evaluation/front_plot.h"
#include "moft/evaluation/page.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using Cells = std::vector<std::string>;

std::string number(double x) {
  return fmt::format("{}", x);
}

Cells csv_header(const Report& report) {
  Cells cells{"policy"};
  for (const std::string& name : report.objectives) {
    cells.push_back(csv_cell("weight " + name));
  }
  cells.insert(cells.end(), {"alpha", "beta"});
  for (const std::string& name : report.objectives) {
    for (const char* what : {"", " low", " high", " raw", " value"}) {
      cells.push_back(csv_cell(name + what));
    }
  }
  for (const char* name :
       {"kl",
        "kl low",
        "kl high",
        "value",
        "value low",
        "value high",
        "reference value",
        "words",
        "distinct",
        "finished",
        "samples"}) {
    cells.push_back(csv_cell(name));
  }
  return cells;
}

void push_interval(Cells& cells, const Interval& x) {
  for (const double v : {x.mean, x.low, x.high})
    cells.push_back(number(v));
}

// `point` is null for a reference, which has no weights and no KL.
Cells csv_row(
    const Report& report,
    const std::string& policy,
    const MeasuredAnswers& answers,
    const FrontPoint* point) {
  Cells cells{csv_cell(policy)};
  for (const std::string& name : report.objectives)
    cells.push_back(point ? number(point->weights.at(name)) : "");
  cells.push_back(point ? number(point->alpha) : "");
  cells.push_back(point ? number(point->beta) : "");
  for (const std::string& name : report.objectives) {
    const Interval& reward = answers.rewards.at(name);
    push_interval(cells, reward);
    const auto raw = answers.raw_rewards.find(name);
    const bool known = raw != answers.raw_rewards.end();
    cells.push_back(known ? number(raw->second) : "");
    const auto value = [&] {
      return (1 - point->alpha) * reward.mean - point->alpha * point->kl.mean;
    };
    cells.push_back(point ? number(value()) : "");
  }
  if (point) {
    push_interval(cells, point->kl);
    push_interval(cells, point->value);
    cells.push_back(number(point->reference_value));
  } else {
    cells.insert(cells.end(), {"0", "0", "0", "", "", "", ""});
  }
  for (const double x : {answers.words, answers.distinct, answers.finished})
    cells.push_back(number(x));
  cells.push_back(fmt::format("{}", answers.samples));
  return cells;
}

}  // namespace

std::string front_csv(const Report& report) {
  std::string out = csv_line(csv_header(report));
  const auto add_points = [&](const std::string& policy,
                              const std::vector<FrontPoint>& points) {
    for (const FrontPoint& point : points)
      out += csv_line(csv_row(report, policy, point, &point));
  };
  const auto add_reference = [&](const std::string& name,
                                 const ReferencePolicy& reference) {
    if (!reference.rewards.empty())
      out += csv_line(csv_row(report, name, reference, nullptr));
  };
  add_points("policy", report.points);
  for (const BaselinePolicy& baseline : report.baselines)
    add_points(baseline.name, baseline.points);
  add_reference("reference", report.reference);
  for (const BaselinePolicy& baseline : report.baselines)
    add_reference("reference of " + baseline.name, baseline.reference);
  return out;
}

namespace {

// To be called under the folder's lock: while another evaluation commits, some
// of its files are there and its report.json is not.
void check_files(const fs::path& directory) {
  if (is_report(directory)) return;
  std::error_code ignored;
  for (const char* name : kReportFiles) {
    if (!fs::exists(directory / name, ignored)) continue;
    throw_caller_error(
        "{}: exists already and is not part of a report of `moft evaluate`; "
        "choose another --output, or move it away",
        (directory / name).string());
  }
}

}  // namespace

void check_report_directory(const fs::path& directory) {
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored)) return;
  const FolderLock lock(directory);
  check_files(directory);
}

void write_report(const fs::path& directory, const Report& report) {
  const std::string json = report_to_json(report);  // refuses first
  ensure_writable_directory(directory);
  check_report_directory(directory);
  std::vector<std::unique_ptr<AtomicFile>> files;
  const auto add = [&](const char* name, const std::string& text) {
    files.push_back(std::make_unique<AtomicFile>(directory / name));
    files.back()->write(text);
  };
  if (report.objectives.size() >= 2)
    add("front.svg", front_svg(report, 0, 1, true));
  add("front.csv", front_csv(report));
  if (report.comparison) {
    add("comparison.csv", comparison_csv(report));
    add("comparison.md", comparison_markdown(report));
  }
  add("index.html", report_page(report));
  add(kReportFile, json);
  // All are on the disk: two evaluations at once take turns, so the files are
  // always those of one of them.
  const FolderLock lock(directory);
  check_files(directory);
  for (const auto& file : files)
    file->commit();
  if (report.comparison) return;
  // Those of an earlier evaluation would tell of other runs.
  for (const char* name : {"comparison.csv", "comparison.md"}) {
    std::error_code ignored;
    fs::remove(directory / name, ignored);
  }
}

}  // namespace moft
