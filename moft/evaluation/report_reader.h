// The strict reader behind read_report: JSON to structs, nothing assumed.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/evaluation/front.h"

namespace moft {

class ReportReader {
 public:
  // `place` is the file named in errors.
  explicit ReportReader(std::string place) : place_(std::move(place)) {}

  Report report(const nlohmann::json& json);

 private:
  using Json = nlohmann::json;

  [[noreturn]] void fail(const std::string& path, const char* cure) const;
  // Checks that `json` is an object with the `needed` keys and no others but
  // the `allowed` ones.
  void keys(
      const Json& json,
      const std::string& path,
      const std::vector<const char*>& needed,
      const std::vector<const char*>& allowed = {}) const;
  double number(const Json& json, const std::string& path) const;
  std::size_t count(const Json& json, const std::string& path) const;
  std::string text(const Json& json, const std::string& path) const;
  const Json& array(const Json& json, const std::string& path) const;
  std::vector<double> numbers(const Json& json, const std::string& path) const;
  std::vector<std::string> strings(
      const Json& json, const std::string& path) const;
  Interval interval(const Json& json, const std::string& path) const;
  ByObjective named(const Json& json, const std::string& path) const;
  // One number per objective, no name missing and none added.
  ByObjective complete(const Json& json, const std::string& path) const;
  IntervalByObjective intervals(
      const Json& json, const std::string& path) const;
  PerPrompt per_prompt(const Json& json, const std::string& path) const;
  // What a point and the reference policy share, but for the rewards.
  template <class Policy>
  void read_answers(
      const Json& json, const std::string& path, Policy& policy) const;
  std::vector<FrontPoint> points(
      const Json& json, const std::string& path) const;
  ReferencePolicy reference(const Json& json, const std::string& path) const;
  PolicyFacts policy(const Json& json, const std::string& path) const;
  EvaluationData data(const Json& json) const;
  std::vector<BaselinePolicy> baselines(const Json& json) const;
  std::vector<StepBack> steps_back(const Json& json) const;
  Summary summary(const Json& json) const;
  SampleAnswer answer(const Json& json, const std::string& path) const;
  std::vector<SampleText> texts(const Json& json, std::size_t points) const;
  std::vector<TrainingRow> training(const Json& json) const;

  std::string place_;
  std::vector<std::string> objectives_;
};

}  // namespace moft
