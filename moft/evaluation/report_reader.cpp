// Reports from JSON, checked.
#include "moft/evaluation/report_reader.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

std::string at(const std::string& path, std::size_t k) {
  return fmt::format("{}[{}]", path, k);
}

using Keys = std::vector<const char*>;

// Of everything that answers: the points of a front and the reference policy.
const Keys kAnswerKeys = {
    "rewards",
    "raw_rewards",
    "words",
    "distinct",
    "finished",
    "samples",
    "per_prompt"};
const Keys kOptionalAnswerKeys = {"copied"};

// Those and what only a point has.
const Keys& point_keys() {
  static const Keys keys = [] {
    Keys all = {
        "weights",
        "alpha",
        "beta",
        "kl",
        "value",
        "reference_value",
        "value_gain"};
    all.insert(all.end(), kAnswerKeys.begin(), kAnswerKeys.end());
    return all;
  }();
  return keys;
}

}  // namespace

void ReportReader::fail(const std::string& path, const char* cure) const {
  throw_caller_error("{}: {} {}", place_, path, cure);
}

void ReportReader::keys(
    const Json& json,
    const std::string& path,
    const std::vector<const char*>& needed,
    const std::vector<const char*>& allowed) const {
  if (!json.is_object()) fail(path, "is not an object; write one");
  for (const char* key : needed) {
    if (!json.contains(key)) {
      fail(path + "." + key, "is missing; write the report again");
    }
  }
  for (const auto& [key, value] : json.items()) {
    const auto same = [&](const char* known) { return key == known; };
    if (std::none_of(needed.begin(), needed.end(), same) &&
        std::none_of(allowed.begin(), allowed.end(), same)) {
      fail(path + "." + key, "is unknown; remove it or use a newer moft");
    }
  }
}

double ReportReader::number(const Json& json, const std::string& path) const {
  if (!json.is_number() || !std::isfinite(json.get<double>())) {
    fail(path, "is not a finite number; write one");
  }
  return json.get<double>();
}

std::size_t ReportReader::count(
    const Json& json, const std::string& path) const {
  if (!json.is_number_unsigned()) {
    fail(path, "is not a whole number of at least 0; write one");
  }
  return json.get<std::size_t>();
}

std::string ReportReader::text(
    const Json& json, const std::string& path) const {
  if (!json.is_string()) fail(path, "is not a string; write one");
  return json.get<std::string>();
}

const nlohmann::json& ReportReader::array(
    const Json& json, const std::string& path) const {
  if (!json.is_array()) fail(path, "is not a list; write one");
  return json;
}

std::vector<double> ReportReader::numbers(
    const Json& json, const std::string& path) const {
  std::vector<double> out;
  for (const Json& x : array(json, path)) {
    out.push_back(number(x, at(path, out.size())));
  }
  return out;
}

std::vector<std::string> ReportReader::strings(
    const Json& json, const std::string& path) const {
  std::vector<std::string> out;
  for (const Json& x : array(json, path)) {
    out.push_back(text(x, at(path, out.size())));
  }
  return out;
}

Interval ReportReader::interval(
    const Json& json, const std::string& path) const {
  keys(json, path, {"mean", "low", "high"});
  return {
      number(json["mean"], path + ".mean"),
      number(json["low"], path + ".low"),
      number(json["high"], path + ".high")};
}

ByObjective ReportReader::named(
    const Json& json, const std::string& path) const {
  if (!json.is_object()) fail(path, "is not an object; write one");
  ByObjective out;
  for (const auto& [name, x] : json.items()) {
    if (std::find(objectives_.begin(), objectives_.end(), name) ==
        objectives_.end()) {
      fail(path + "." + name, "is not an objective of this report; remove it");
    }
    out[name] = number(x, path + "." + name);
  }
  return out;
}

ByObjective ReportReader::complete(
    const Json& json, const std::string& path) const {
  ByObjective out = named(json, path);
  for (const std::string& name : objectives_) {
    if (!out.contains(name)) {
      fail(path + "." + name, "is missing; write one number per objective");
    }
  }
  return out;
}

IntervalByObjective ReportReader::intervals(
    const Json& json, const std::string& path) const {
  std::vector<const char*> names;
  for (const std::string& name : objectives_)
    names.push_back(name.c_str());
  keys(json, path, names);
  IntervalByObjective out;
  for (const std::string& name : objectives_) {
    out[name] = interval(json[name], path + "." + name);
  }
  return out;
}

PerPrompt ReportReader::per_prompt(
    const Json& json, const std::string& path) const {
  keys(json, path, {"rewards", "kl"});
  PerPrompt out;
  out.kl = numbers(json["kl"], path + ".kl");
  if (!json["rewards"].is_object()) {
    fail(path + ".rewards", "is not an object; write one");
  }
  for (const auto& [name, x] : json["rewards"].items()) {
    out.rewards[name] = numbers(x, path + ".rewards." + name);
  }
  return out;
}

template <class Policy>
void ReportReader::read_answers(
    const Json& json, const std::string& path, Policy& policy) const {
  policy.raw_rewards = named(json["raw_rewards"], path + ".raw_rewards");
  policy.words = number(json["words"], path + ".words");
  policy.distinct = number(json["distinct"], path + ".distinct");
  policy.finished = number(json["finished"], path + ".finished");
  policy.samples = count(json["samples"], path + ".samples");
  if (json.contains("copied"))
    policy.copied = number(json["copied"], path + ".copied");
  policy.per_prompt = per_prompt(json["per_prompt"], path + ".per_prompt");
}

std::vector<FrontPoint> ReportReader::points(
    const Json& json, const std::string& path) const {
  std::vector<FrontPoint> out;
  for (const Json& row : array(json, path)) {
    const std::string here = at(path, out.size());
    keys(row, here, point_keys(), kOptionalAnswerKeys);
    FrontPoint& p = out.emplace_back();
    p.weights = complete(row["weights"], here + ".weights");
    p.alpha = number(row["alpha"], here + ".alpha");
    p.beta = number(row["beta"], here + ".beta");
    p.rewards = intervals(row["rewards"], here + ".rewards");
    p.kl = interval(row["kl"], here + ".kl");
    p.value = interval(row["value"], here + ".value");
    p.reference_value =
        number(row["reference_value"], here + ".reference_value");
    p.value_gain = interval(row["value_gain"], here + ".value_gain");
    read_answers(row, here, p);
  }
  return out;
}

ReferencePolicy ReportReader::reference(
    const Json& json, const std::string& path) const {
  keys(json, path, kAnswerKeys, kOptionalAnswerKeys);
  ReferencePolicy p;
  if (!json["rewards"].empty()) {
    p.rewards = intervals(json["rewards"], path + ".rewards");
  }
  read_answers(json, path, p);
  return p;
}

PolicyFacts ReportReader::policy(
    const Json& json, const std::string& path) const {
  keys(
      json,
      path,
      {"base", "base_hashes", "prompt_template", "temperature", "alpha"},
      {"steps", "answers"});
  const auto optional = [&](const char* key) {
    return json.contains(key)
               ? std::optional<std::int64_t>(count(json[key], path + "." + key))
               : std::nullopt;
  };
  PolicyFacts facts;
  facts.base = text(json["base"], path + ".base");
  facts.base_hashes = text(json["base_hashes"], path + ".base_hashes");
  facts.prompt_template =
      text(json["prompt_template"], path + ".prompt_template");
  facts.temperature = number(json["temperature"], path + ".temperature");
  facts.alpha = number(json["alpha"], path + ".alpha");
  facts.steps = optional("steps");
  facts.answers = optional("answers");
  return facts;
}

EvaluationData ReportReader::data(const Json& json) const {
  keys(json, "data", {"split", "file", "hash", "prompts", "overlap"});
  return {
      text(json["split"], "data.split"),
      text(json["file"], "data.file"),
      text(json["hash"], "data.hash"),
      count(json["prompts"], "data.prompts"),
      count(json["overlap"], "data.overlap")};
}

std::vector<BaselinePolicy> ReportReader::baselines(const Json& json) const {
  std::vector<BaselinePolicy> out;
  for (const Json& row : array(json, "baselines")) {
    const std::string here = at("baselines", out.size());
    keys(row, here, {"name", "points"}, {"reference", "policy"});
    BaselinePolicy& baseline = out.emplace_back();
    baseline.name = text(row["name"], here + ".name");
    baseline.points = points(row["points"], here + ".points");
    if (row.contains("reference"))
      baseline.reference = reference(row["reference"], here + ".reference");
    if (row.contains("policy"))
      baseline.policy = policy(row["policy"], here + ".policy");
  }
  return out;
}

std::vector<StepBack> ReportReader::steps_back(const Json& json) const {
  std::vector<StepBack> out;
  for (const Json& row : array(json, "summary.steps_back")) {
    const std::string here = at("summary.steps_back", out.size());
    keys(
        row,
        here,
        {"objective",
         "from_weight",
         "to_weight",
         "difference",
         "standard_error"});
    StepBack& step = out.emplace_back();
    step.objective = text(row["objective"], here + ".objective");
    step.from_weight = number(row["from_weight"], here + ".from_weight");
    step.to_weight = number(row["to_weight"], here + ".to_weight");
    step.difference = number(row["difference"], here + ".difference");
    step.standard_error =
        number(row["standard_error"], here + ".standard_error");
  }
  return out;
}

Summary ReportReader::summary(const Json& json) const {
  const std::string path = "summary";
  keys(
      json,
      path,
      {"moft_value",
       "moft_rule",
       "mean_utility",
       "best_utility",
       "knob_regret",
       "extent",
       "reach",
       "spearman",
       "hypervolume",
       "evenness",
       "spacing",
       "sparsity",
       "front_length",
       "steps_back",
       "step_back_standard_errors",
       "diagonal_share"},
      {"hull_hypervolume", "intervals"});
  const auto get = [&](const char* key) {
    return number(json[key], path + "." + key);
  };
  Summary s;
  s.moft_value = get("moft_value");
  s.moft_rule = text(json["moft_rule"], "summary.moft_rule");
  s.mean_utility = get("mean_utility");
  s.best_utility = get("best_utility");
  s.knob_regret = get("knob_regret");
  s.extent = complete(json["extent"], "summary.extent");
  s.reach = complete(json["reach"], "summary.reach");
  s.spearman = complete(json["spearman"], "summary.spearman");
  s.hypervolume = get("hypervolume");
  if (json.contains("hull_hypervolume")) {
    s.hull_hypervolume = get("hull_hypervolume");
  }
  s.evenness = get("evenness");
  s.spacing = get("spacing");
  s.sparsity = get("sparsity");
  s.front_length = get("front_length");
  s.diagonal_share = get("diagonal_share");
  s.step_back_standard_errors = get("step_back_standard_errors");
  s.steps_back = steps_back(json["steps_back"]);
  if (json.contains("intervals")) {
    const Json& all = json["intervals"];
    const std::string here = "summary.intervals";
    keys(all, here, {"best_utility", "knob_regret", "diagonal_share"});
    s.intervals = CrossFit{
        interval(all["best_utility"], here + ".best_utility"),
        interval(all["knob_regret"], here + ".knob_regret"),
        interval(all["diagonal_share"], here + ".diagonal_share")};
  }
  return s;
}

SampleAnswer ReportReader::answer(
    const Json& json, const std::string& path) const {
  keys(json, path, {"text", "rewards"});
  return {
      text(json["text"], path + ".text"),
      named(json["rewards"], path + ".rewards")};
}

std::vector<SampleText> ReportReader::texts(
    const Json& json, std::size_t points) const {
  std::vector<SampleText> out;
  for (const Json& row : array(json, "texts")) {
    const std::string here = at("texts", out.size());
    keys(row, here, {"prompt", "answers"}, {"reference", "reference_policy"});
    SampleText& sample = out.emplace_back();
    sample.prompt = text(row["prompt"], here + ".prompt");
    if (row.contains("reference")) {
      sample.reference = text(row["reference"], here + ".reference");
    }
    if (row.contains("reference_policy")) {
      sample.reference_policy =
          answer(row["reference_policy"], here + ".reference_policy");
    }
    for (const Json& x : array(row["answers"], here + ".answers")) {
      sample.answers.push_back(
          answer(x, at(here + ".answers", sample.answers.size())));
    }
    if (sample.answers.size() != points) {
      fail(here + ".answers", "does not hold one answer per point; add them");
    }
  }
  return out;
}

std::vector<TrainingRow> ReportReader::training(const Json& json) const {
  std::vector<TrainingRow> out;
  for (const Json& row : array(json, "training")) {
    const std::string here = at("training", out.size());
    keys(row, here, {"step", "rewards"}, {"kl", "entropy", "mean_length"});
    const auto optional = [&](const char* key) {
      return row.contains(key)
                 ? std::optional<double>(number(row[key], here + "." + key))
                 : std::nullopt;
    };
    TrainingRow& line = out.emplace_back();
    line.step = number(row["step"], here + ".step");
    line.rewards = named(row["rewards"], here + ".rewards");
    line.kl = optional("kl");
    line.entropy = optional("entropy");
    line.mean_length = optional("mean_length");
  }
  return out;
}

Report ReportReader::report(const Json& json) {
  if (!json.is_object() || !json.contains("format_version") ||
      json["format_version"] != kReportFormatVersion) {
    fail("format_version", "is not 1; this moft reads reports of version 1");
  }
  keys(
      json,
      "report",
      {"format_version",
       "title",
       "objectives",
       "reference_point",
       "points",
       "reference",
       "baselines",
       "summary",
       "cost",
       "provenance",
       "texts",
       "training",
       "notes"},
      {"policy", "data"});
  Report out;
  out.title = text(json["title"], "title");
  out.objectives = strings(json["objectives"], "objectives");
  const std::set<std::string> unique(
      out.objectives.begin(), out.objectives.end());
  if (unique.empty() || unique.size() != out.objectives.size()) {
    fail("objectives", "is empty or names one twice; name each once");
  }
  objectives_ = out.objectives;
  out.reference_point = complete(json["reference_point"], "reference_point");
  out.points = points(json["points"], "points");
  out.reference = reference(json["reference"], "reference");
  out.baselines = baselines(json["baselines"]);
  if (json.contains("policy")) out.policy = policy(json["policy"], "policy");
  if (json.contains("data")) out.data = data(json["data"]);
  out.summary = summary(json["summary"]);
  for (const char* key : {"cost", "provenance"}) {
    if (!json[key].is_object()) fail(key, "is not an object; write one");
  }
  for (const auto& [name, x] : json["cost"].items()) {
    out.cost[name] = number(x, "cost." + name);
  }
  for (const auto& [name, x] : json["provenance"].items()) {
    out.provenance[name] = text(x, "provenance." + name);
  }
  out.texts = texts(json["texts"], out.points.size());
  out.training = training(json["training"]);
  out.notes = strings(json["notes"], "notes");
  return out;
}

}  // namespace moft
