// Reports to JSON.
#include "moft/evaluation/report_json.h"

#include <cmath>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/evaluation/report_reader.h"

namespace moft {
namespace {

using Json = nlohmann::ordered_json;

Json interval(const Interval& x) {
  return {{"mean", x.mean}, {"low", x.low}, {"high", x.high}};
}

// Objectives first in their order, then whatever else the map holds.
template <typename Value, typename Convert>
Json by_objective(
    const std::vector<std::string>& names,
    const std::map<std::string, Value>& map,
    Convert convert) {
  Json out = Json::object();
  for (const std::string& name : names) {
    const auto found = map.find(name);
    if (found != map.end()) out[name] = convert(found->second);
  }
  for (const auto& [name, value] : map) {
    if (!out.contains(name)) out[name] = convert(value);
  }
  return out;
}

class Writer {
 public:
  explicit Writer(const Report& report) : report_(report) {}

  Json report() const {
    Json out{{"format_version", report_.format_version}};
    out["title"] = report_.title;
    out["objectives"] = report_.objectives;
    out["reference_point"] = numbers(report_.reference_point);
    out["points"] = points(report_.points);
    out["reference"] = reference(report_.reference);
    out["baselines"] = baselines();
    if (report_.policy) out["policy"] = policy(*report_.policy);
    if (report_.data) out["data"] = data(*report_.data);
    out["summary"] = summary();
    out["cost"] = report_.cost;
    out["provenance"] = report_.provenance;
    out["texts"] = texts();
    out["training"] = training();
    out["notes"] = report_.notes;
    return out;
  }

 private:
  Json numbers(const ByObjective& map) const {
    return by_objective(
        report_.objectives, map, [](double x) { return Json(x); });
  }

  Json intervals(const IntervalByObjective& map) const {
    return by_objective(report_.objectives, map, interval);
  }

  Json per_prompt(const PerPrompt& scores) const {
    const auto copy = [](const std::vector<double>& x) { return Json(x); };
    return {
        {"rewards", by_objective(report_.objectives, scores.rewards, copy)},
        {"kl", scores.kl}};
  }

  Json points(const std::vector<FrontPoint>& list) const {
    Json out = Json::array();
    for (const FrontPoint& p : list) {
      Json row{{"weights", numbers(p.weights)}};
      row["alpha"] = p.alpha;
      row["beta"] = p.beta;
      row["rewards"] = intervals(p.rewards);
      row["raw_rewards"] = numbers(p.raw_rewards);
      row["kl"] = interval(p.kl);
      row["value"] = interval(p.value);
      row["reference_value"] = p.reference_value;
      row["value_gain"] = interval(p.value_gain);
      row["words"] = p.words;
      row["distinct"] = p.distinct;
      row["finished"] = p.finished;
      row["samples"] = p.samples;
      if (p.copied) row["copied"] = *p.copied;
      row["per_prompt"] = per_prompt(p.per_prompt);
      out.push_back(std::move(row));
    }
    return out;
  }

  Json reference(const ReferencePolicy& p) const {
    Json out{{"rewards", intervals(p.rewards)}};
    out["raw_rewards"] = numbers(p.raw_rewards);
    out["words"] = p.words;
    out["distinct"] = p.distinct;
    out["finished"] = p.finished;
    out["samples"] = p.samples;
    if (p.copied) out["copied"] = *p.copied;
    out["per_prompt"] = per_prompt(p.per_prompt);
    return out;
  }

  Json policy(const PolicyFacts& facts) const {
    Json out{{"base", facts.base}};
    out["base_hashes"] = facts.base_hashes;
    out["prompt_template"] = facts.prompt_template;
    out["temperature"] = facts.temperature;
    out["alpha"] = facts.alpha;
    if (facts.steps) out["steps"] = *facts.steps;
    if (facts.answers) out["answers"] = *facts.answers;
    return out;
  }

  Json data(const EvaluationData& facts) const {
    Json out{{"split", facts.split}};
    out["file"] = facts.file;
    out["hash"] = facts.hash;
    out["prompts"] = facts.prompts;
    out["overlap"] = facts.overlap;
    return out;
  }

  Json baselines() const {
    Json out = Json::array();
    for (const BaselinePolicy& baseline : report_.baselines) {
      Json row{{"name", baseline.name}, {"points", points(baseline.points)}};
      if (!baseline.reference.per_prompt.rewards.empty())
        row["reference"] = reference(baseline.reference);
      if (baseline.policy) row["policy"] = policy(*baseline.policy);
      out.push_back(std::move(row));
    }
    return out;
  }

  Json summary() const {
    const Summary& s = report_.summary;
    Json out{{"moft_value", s.moft_value}};
    out["moft_rule"] = s.moft_rule;
    out["mean_utility"] = s.mean_utility;
    out["best_utility"] = s.best_utility;
    out["knob_regret"] = s.knob_regret;
    out["extent"] = numbers(s.extent);
    out["reach"] = numbers(s.reach);
    out["spearman"] = numbers(s.spearman);
    out["hypervolume"] = s.hypervolume;
    if (s.hull_hypervolume) out["hull_hypervolume"] = *s.hull_hypervolume;
    out["evenness"] = s.evenness;
    out["spacing"] = s.spacing;
    out["sparsity"] = s.sparsity;
    out["front_length"] = s.front_length;
    out["diagonal_share"] = s.diagonal_share;
    if (s.intervals) {
      out["intervals"] = {
          {"best_utility", interval(s.intervals->best_utility)},
          {"knob_regret", interval(s.intervals->knob_regret)},
          {"diagonal_share", interval(s.intervals->diagonal_share)}};
    }
    out["step_back_standard_errors"] = s.step_back_standard_errors;
    out["steps_back"] = Json::array();
    for (const StepBack& step : s.steps_back) {
      out["steps_back"].push_back(
          {{"objective", step.objective},
           {"from_weight", step.from_weight},
           {"to_weight", step.to_weight},
           {"difference", step.difference},
           {"standard_error", step.standard_error}});
    }
    return out;
  }

  Json answer(const SampleAnswer& sample) const {
    return {{"text", sample.text}, {"rewards", numbers(sample.rewards)}};
  }

  Json texts() const {
    Json out = Json::array();
    for (const SampleText& text : report_.texts) {
      Json row{{"prompt", text.prompt}};
      if (text.reference) row["reference"] = *text.reference;
      if (text.reference_policy) {
        row["reference_policy"] = answer(*text.reference_policy);
      }
      row["answers"] = Json::array();
      for (const SampleAnswer& sample : text.answers) {
        row["answers"].push_back(answer(sample));
      }
      out.push_back(std::move(row));
    }
    return out;
  }

  Json training() const {
    Json out = Json::array();
    for (const TrainingRow& row : report_.training) {
      Json line{{"step", row.step}, {"rewards", numbers(row.rewards)}};
      if (row.kl) line["kl"] = *row.kl;
      if (row.entropy) line["entropy"] = *row.entropy;
      if (row.mean_length) line["mean_length"] = *row.mean_length;
      out.push_back(std::move(line));
    }
    return out;
  }

  const Report& report_;
};

void refuse_non_finite(const Json& node, const std::string& path) {
  if (node.is_number_float() && !std::isfinite(node.get<double>())) {
    throw_world_error(
        "[report] {} is {}; a report holds finite numbers only, so look for "
        "the step that made it",
        path,
        node.get<double>());
  }
  if (!node.is_structured()) return;
  for (const auto& [key, value] : node.items()) {
    refuse_non_finite(value, path.empty() ? key : path + "." + key);
  }
}

std::string read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in || text.bad()) {
    throw_caller_error(
        "{}: cannot be read; give the path of a readable file", file.string());
  }
  return text.str();
}

std::optional<double> finite(
    const nlohmann::json& row, const std::string& key) {
  const auto found = row.find(key);
  if (found == row.end() || !found->is_number()) return std::nullopt;
  const double x = found->get<double>();
  return std::isfinite(x) ? std::optional<double>(x) : std::nullopt;
}

TrainingRow training_row(
    const nlohmann::json& json, const std::vector<std::string>& objectives) {
  TrainingRow row;
  row.step = finite(json, "step").value_or(-1);
  for (const std::string& name : objectives) {
    const auto mean = finite(json, "rewards/" + name + "/mean");
    if (mean) row.rewards[name] = *mean;
  }
  row.kl = finite(json, "kl");
  row.entropy = finite(json, "entropy");
  row.mean_length = finite(json, "completions/mean_length");
  return row;
}

}  // namespace

std::string report_to_json(const Report& report) {
  const Json json = Writer(report).report();
  refuse_non_finite(json, "");
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Report report_from_json(const std::string& text, const std::string& place) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    throw_caller_error(
        "{}: not valid JSON; give a report.json written by moft", place);
  }
  return ReportReader(place).report(json);
}

Report read_report(const std::filesystem::path& file) {
  return report_from_json(read_file(file), file.string());
}

std::vector<TrainingRow> read_training_rows(
    const std::filesystem::path& file,
    const std::vector<std::string>& objectives) {
  if (!std::filesystem::exists(file)) return {};
  std::istringstream in(read_file(file));
  std::vector<TrainingRow> rows;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (in.eof() || line.empty()) continue;  // cut short, or blank
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) {
      throw_caller_error(
          "{}:{}: not a JSON object; every line of a metrics file is one",
          file.string(),
          number);
    }
    TrainingRow row = training_row(json, objectives);
    const bool empty =
        row.rewards.empty() && !row.kl && !row.entropy && !row.mean_length;
    if (row.step >= 0 && !empty) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace moft
