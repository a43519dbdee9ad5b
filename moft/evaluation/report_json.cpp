// Reports to JSON and back: every struct's fields are listed once.
#include "moft/evaluation/report_json.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <sstream>
#include <type_traits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/field_attributes.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/evaluation/comparison_fields.h"

namespace moft {
namespace {

using fields_detail::IsMap;
using fields_detail::IsOptional;
using fields_detail::IsVector;
using Json = nlohmann::ordered_json;

// ---- The fields, in the order of the file. An optional one is left out where
// it is absent. V is the Writer or the Reader.

template <class V>
void fields(V& v, Interval& x) {
  v("mean", x.mean);
  v("low", x.low);
  v("high", x.high);
}

template <class V>
void fields(V& v, PerPrompt& x) {
  v("rewards", x.rewards, Names::kAny);
  v("kl", x.kl);
}

// What points and the reference policy end with.
template <class V>
void answer_fields(V& v, MeasuredAnswers& p) {
  v("words", p.words);
  v("distinct", p.distinct);
  v("finished", p.finished);
  v("samples", p.samples);
  v("copied", p.copied);
  v("echoed", p.echoed);
  v("per_prompt", p.per_prompt);
}

template <class V>
void fields(V& v, FrontPoint& p) {
  v("weights", p.weights, Names::kAll);
  v("alpha", p.alpha);
  v("beta", p.beta);
  v("rewards", p.rewards, Names::kAll);
  v("raw_rewards", p.raw_rewards, Names::kSome);
  v("kl", p.kl);
  v("value", p.value);
  v("reference_value", p.reference_value);
  v("value_gain", p.value_gain);
  answer_fields(v, p);
}

template <class V>
void fields(V& v, ReferencePolicy& p) {
  v("rewards", p.rewards, Names::kAllOrNone);
  v("raw_rewards", p.raw_rewards, Names::kSome);
  answer_fields(v, p);
}

template <class V>
void fields(V& v, PolicyFacts& facts) {
  v("base", facts.base);
  v("base_hashes", facts.base_hashes);
  v("prompt_template", facts.prompt_template);
  v("temperature", facts.temperature);
  v("alpha", facts.alpha);
  v("steps", facts.steps);
  v("answers", facts.answers);
}

template <class V>
void fields(V& v, BaselinePolicy& baseline) {
  v("name", baseline.name);
  v("points", baseline.points);
  v.unless(
      baseline.reference.per_prompt.rewards.empty(),
      "reference",
      baseline.reference);
  v("policy", baseline.policy);
  v("run_cost", baseline.run_cost);
}

template <class V>
void fields(V& v, EvaluationData& data) {
  v("split", data.split);
  v("file", data.file);
  v("hash", data.hash);
  v("prompts", data.prompts);
  v("overlap", data.overlap);
}

template <class V>
void fields(V& v, CrossFit& fit) {
  v("best_utility", fit.best_utility);
  v("knob_regret", fit.knob_regret);
  v("diagonal_share", fit.diagonal_share);
}

template <class V>
void fields(V& v, StepBack& step) {
  v("objective", step.objective);
  v("from_weight", step.from_weight);
  v("to_weight", step.to_weight);
  v("difference", step.difference);
  v("standard_error", step.standard_error);
}

template <class V>
void fields(V& v, Summary& s) {
  v("moft_value", s.moft_value);
  v("moft_rule", s.moft_rule);
  v("mean_utility", s.mean_utility);
  v("best_utility", s.best_utility);
  v("knob_regret", s.knob_regret);
  v("extent", s.extent, Names::kAll);
  v("reach", s.reach, Names::kAll);
  v("spearman", s.spearman, Names::kAll);
  v("hypervolume", s.hypervolume);
  v("hull_hypervolume", s.hull_hypervolume);
  v("evenness", s.evenness);
  v("spacing", s.spacing);
  v("sparsity", s.sparsity);
  v("front_length", s.front_length);
  v("diagonal_share", s.diagonal_share);
  v("intervals", s.intervals);
  v("figures", s.figures);
  v("step_back_standard_errors", s.step_back_standard_errors);
  v("steps_back", s.steps_back);
}

template <class V>
void fields(V& v, SampleAnswer& answer) {
  v("text", answer.text);
  v("rewards", answer.rewards, Names::kSome);
}

template <class V>
void fields(V& v, SampleText& text) {
  v("prompt", text.prompt);
  v("reference", text.reference);
  v("reference_policy", text.reference_policy);
  v("answers", text.answers);
}

template <class V>
void fields(V& v, TrainingRow& row) {
  v("step", row.step);
  v("rewards", row.rewards, Names::kSome);
  v("kl", row.kl);
  v("entropy", row.entropy);
  v("mean_length", row.mean_length);
}

template <class V>
void fields(V& v, Report& report) {
  v("format_version", report.format_version);
  v("title", report.title);
  v("objectives", report.objectives);
  v.objectives(report.objectives);
  v("reference_point", report.reference_point, Names::kAll);
  v("points", report.points);
  v("reference", report.reference);
  v("baselines", report.baselines);
  v("policy", report.policy);
  v("run_cost", report.run_cost);
  v("data", report.data);
  v("summary", report.summary);
  v("comparison", report.comparison);
  v("cost", report.cost, Names::kFree);
  v("provenance", report.provenance, Names::kFree);
  v("texts", report.texts);
  v("training", report.training);
  v("notes", report.notes);
}

// ---- Writing.

class Writer {
 public:
  template <class T>
  void operator()(const char* name, T& value, Names names = Names::kFree) {
    if constexpr (IsOptional<T>::value) {
      if (value) (*this)(name, *value, names);
    } else {
      out_[name] = json(value, names);
    }
  }
  template <class T>
  void unless(bool absent, const char* name, T& value) {
    if (!absent) (*this)(name, value);
  }
  void objectives(const std::vector<std::string>& names) {
    objectives_ = &names;
  }

  template <class T>
  Json json(T& value, Names names = Names::kFree) const {
    if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      return value;
    } else if constexpr (IsVector<T>::value) {
      Json list = Json::array();
      for (auto& item : value)
        list.push_back(json(item));
      return list;
    } else if constexpr (IsMap<T>::value) {
      Json object = Json::object();
      if (names != Names::kFree) {
        for (const std::string& name : *objectives_) {
          const auto found = value.find(name);
          if (found != value.end()) object[name] = json(found->second);
        }
      }
      for (auto& [name, item] : value) {
        if (!object.contains(name)) object[name] = json(item);
      }
      return object;
    } else {
      Writer inner(*this);
      inner.out_ = Json::object();
      fields(inner, value);
      return std::move(inner.out_);
    }
  }

 private:
  Json out_;
  const std::vector<std::string>* objectives_ = nullptr;
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

// ---- Reading: nothing is assumed.

// What a whole file shares.
struct ReadFile {
  const std::string& place;  // named in errors
  std::vector<std::string> objectives = {};

  [[noreturn]] void fail(const std::string& path, const char* cure) const {
    throw_caller_error("{}: {} {}", place, path, cure);
  }
  bool is_objective(const std::string& name) const {
    return std::find(objectives.begin(), objectives.end(), name) !=
           objectives.end();
  }
};

// One object of it.
class Reader {
 public:
  Reader(ReadFile& file, const nlohmann::json& json, std::string path)
      : file_(file), json_(json), path_(std::move(path)) {
    if (!json.is_object()) file.fail(path_, "is not an object; write one");
  }

  template <class T>
  void operator()(const char* name, T& value, Names names = Names::kFree) {
    known_.insert(name);
    const auto found = json_.find(name);
    if (found != json_.end()) {
      read(value, *found, child(name), names);
    } else if (!IsOptional<T>::value) {
      file_.fail(child(name), "is missing; write the report again");
    }
  }
  template <class T>
  void unless(bool, const char* name, T& value) {
    known_.insert(name);
    if (json_.contains(name)) (*this)(name, value);
  }
  void objectives(const std::vector<std::string>& names) {
    const std::set<std::string> unique(names.begin(), names.end());
    if (unique.empty() || unique.size() != names.size()) {
      file_.fail("objectives", "is empty or names one twice; name each once");
    }
    file_.objectives = names;
  }

  void refuse_others() const {
    for (const auto& [key, value] : json_.items()) {
      if (!known_.contains(key))
        file_.fail(child(key), "is unknown; remove it or use a newer moft");
    }
  }

 private:
  std::string child(const std::string& name) const {
    return path_.empty() ? name : path_ + "." + name;
  }

  template <class T>
  void read(
      T& value,
      const nlohmann::json& json,
      const std::string& path,
      Names names = Names::kFree) {
    if constexpr (IsOptional<T>::value) {
      read(value.emplace(), json, path, names);
    } else if constexpr (std::is_same_v<T, double>) {
      if (!json.is_number() || !std::isfinite(json.get<double>()))
        file_.fail(path, "is not a finite number; write one");
      value = json.get<double>();
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!json.is_boolean())
        file_.fail(path, "is not true or false; write one of them");
      value = json.get<bool>();
    } else if constexpr (std::is_integral_v<T>) {
      if (!json.is_number_unsigned())
        file_.fail(path, "is not a whole number of at least 0; write one");
      value = json.get<T>();
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!json.is_string()) file_.fail(path, "is not a string; write one");
      value = json.get<std::string>();
    } else if constexpr (IsVector<T>::value) {
      if (!json.is_array()) file_.fail(path, "is not a list; write one");
      value.clear();
      for (const nlohmann::json& item : json) {
        const std::string here = fmt::format("{}[{}]", path, value.size());
        read(value.emplace_back(), item, here);
      }
    } else if constexpr (IsMap<T>::value) {
      if (!json.is_object()) file_.fail(path, "is not an object; write one");
      value.clear();
      for (const auto& [name, item] : json.items())
        read(value[name], item, path + "." + name);
      check_names(value, path, names);
    } else {
      Reader inner(file_, json, path);
      fields(inner, value);
      inner.refuse_others();
    }
  }

  template <class T>
  void check_names(
      const std::map<std::string, T>& map,
      const std::string& path,
      Names names) const {
    if (names == Names::kFree || names == Names::kAny) return;
    for (const auto& [name, value] : map) {
      if (!file_.is_objective(name)) {
        file_.fail(
            path + "." + name, "is not an objective of this report; remove it");
      }
    }
    if (names == Names::kSome || (names == Names::kAllOrNone && map.empty()))
      return;
    for (const std::string& name : file_.objectives) {
      if (!map.contains(name)) {
        file_.fail(
            path + "." + name, "is missing; write one for each objective");
      }
    }
  }

  ReadFile& file_;
  const nlohmann::json& json_;
  std::string path_;
  std::set<std::string> known_;
};

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
  // One list of fields serves both ways; the Writer changes none of them.
  const Json json = Writer().json(const_cast<Report&>(report));
  refuse_non_finite(json, "");
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Report report_from_json(const std::string& text, const std::string& place) {
  const nlohmann::json json = parse_json(text, place);
  ReadFile file{place};
  if (!json.is_object() || !json.contains("format_version") ||
      json["format_version"] != kReportFormatVersion) {
    file.fail(
        "format_version", "is not 1; this moft reads reports of version 1");
  }
  Report report;
  Reader reader(file, json, "");
  fields(reader, report);
  reader.refuse_others();
  for (std::size_t k = 0; k < report.texts.size(); ++k) {
    if (report.texts[k].answers.size() != report.points.size()) {
      file.fail(
          fmt::format("texts[{}].answers", k),
          "does not hold one answer per point; add them");
    }
  }
  return report;
}

Report read_report(const std::filesystem::path& file) {
  return report_from_json(read_text(file), file.string());
}

std::vector<TrainingRow> read_training_rows(
    const std::filesystem::path& file,
    const std::vector<std::string>& objectives) {
  if (!std::filesystem::exists(file)) return {};
  std::istringstream in(read_text(file));
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
