// Weightings: checked, parsed, written.
#include "moft/weightings/weighting.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

constexpr double kSumTolerance = 1e-6;

std::optional<std::size_t> index_of(
    std::string_view name, const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

void check_value(double value, std::string_view who) {
  if (!std::isfinite(value)) {
    throw_caller_error(
        "{} is {}; give a finite number from 0 to 1", who, value);
  }
  if (value < 0.0) {
    throw_caller_error(
        "{} is {}; a weight is at least 0 and all sum to 1", who, value);
  }
}

void check_sum(double sum, std::string_view place) {
  if (!(std::abs(sum - 1.0) <= kSumTolerance)) {
    throw_caller_error(
        "{} sum to {}; scale them so that they sum to 1", place, sum);
  }
}

[[noreturn]] void throw_unknown_name(
    std::string_view name,
    const std::vector<std::string>& names,
    std::string_view place) {
  const auto nearest = nearest_name(name, names);
  throw_caller_error(
      "{}: unknown objective {}{}; the objectives are {}",
      place,
      quote_text(name),
      nearest ? fmt::format(" (did you mean '{}'?)", *nearest) : "",
      names.empty() ? "none" : join(names, ", "));
}

}  // namespace

Weighting::Weighting(std::vector<double> values) : values_(std::move(values)) {
  if (values_.empty()) {
    throw_caller_error("weights are empty; give one per objective");
  }
  for (std::size_t i = 0; i < values_.size(); ++i) {
    check_value(values_[i], fmt::format("weight {}", i + 1));
    values_[i] += 0.0;  // minus zero becomes zero
  }
  const double sum = std::accumulate(values_.begin(), values_.end(), 0.0);
  check_sum(sum, "weights");
  const double rounding = 4.0 * std::numeric_limits<double>::epsilon() *
                          static_cast<double>(values_.size());
  if (std::abs(sum - 1.0) > rounding) {
    for (double& value : values_)
      value /= sum;
  }
}

Weighting Weighting::corner(std::size_t objectives, std::size_t objective) {
  std::vector<double> values(objectives, 0.0);
  values.at(objective) = 1.0;
  return Weighting(std::move(values));
}

Weighting Weighting::uniform(std::size_t objectives) {
  return Weighting(
      std::vector<double>(objectives, 1.0 / static_cast<double>(objectives)));
}

Weighting weighting_from_map(
    const std::map<std::string, double>& weights,
    const std::vector<std::string>& names,
    std::string_view place) {
  std::vector<std::optional<double>> found(names.size());
  for (const auto& [name, value] : weights) {
    const auto index = index_of(name, names);
    if (!index) throw_unknown_name(name, names, place);
    check_value(
        value, fmt::format("{}: the weight of {}", place, quote_text(name)));
    found[*index] = value;
  }
  std::vector<double> values;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!found[i]) {
      throw_caller_error(
          "{}: no weight for objective '{}'; give one for each of {}",
          place,
          names[i],
          join(names, ", "));
    }
    values.push_back(*found[i]);
  }
  check_sum(
      std::accumulate(values.begin(), values.end(), 0.0),
      fmt::format("{}: the weights", place));
  return Weighting(std::move(values));
}

Weighting parse_weighting(
    std::string_view text,
    const std::vector<std::string>& names,
    std::string_view place) {
  std::map<std::string, double> weights;
  for (const std::string& part : split(text, ',')) {
    const std::string_view item = trimmed(part);
    const auto equals = item.rfind('=');
    if (equals == std::string_view::npos) {
      throw_caller_error(
          "{}: {} is not name=weight; write for example {}=1",
          place,
          quote_text(item),
          names.empty() ? "name" : names.front());
    }
    const std::string name(trimmed(item.substr(0, equals)));
    const std::string_view number = trimmed(item.substr(equals + 1));
    const auto value = parse_real(number);
    if (!value) {
      throw_caller_error(
          "{}: the weight of {} is {}; give a number from 0 to 1",
          place,
          quote_text(name),
          quote_text(number));
    }
    if (!weights.emplace(name, *value).second) {
      throw_caller_error(
          "{}: objective {} is given twice; give it once",
          place,
          quote_text(name));
    }
  }
  return weighting_from_map(weights, names, place);
}

std::map<std::string, double> weighting_to_map(
    const Weighting& w, const std::vector<std::string>& names) {
  std::map<std::string, double> weights;
  for (std::size_t i = 0; i < w.size(); ++i)
    weights[names.at(i)] = w[i];
  return weights;
}

std::string format_weighting(
    const Weighting& w, const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < w.size(); ++i) {
    text += fmt::format(
        "{}{}={}", i == 0 ? "" : ",", names.at(i), shortest_number(w[i]));
  }
  return text;
}

}  // namespace moft
