#include "moft/weightings/weighting.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr double kSumTolerance = 1e-6;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Levenshtein distance, one row of the table at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

const std::string& nearest_name(
    std::string_view name, const std::vector<std::string>& names) {
  return *std::min_element(
      names.begin(), names.end(), [&](const auto& a, const auto& b) {
        return edit_distance(name, a) < edit_distance(name, b);
      });
}

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

bool Weighting::is_corner() const {
  return std::find(values_.begin(), values_.end(), 1.0) != values_.end();
}

double Weighting::dot(const std::vector<double>& x) const {
  return std::inner_product(values_.begin(), values_.end(), x.begin(), 0.0);
}

Weighting weighting_from_map(
    const std::map<std::string, double>& weights,
    const std::vector<std::string>& names,
    std::string_view place) {
  std::vector<std::optional<double>> found(names.size());
  for (const auto& [name, value] : weights) {
    const auto index = index_of(name, names);
    if (!index && names.empty()) {
      throw_caller_error(
          "{}: '{}' is given, but there are no objectives", place, name);
    }
    if (!index) {
      throw_caller_error(
          "{}: unknown objective '{}'; did you mean '{}'? (objectives: {})",
          place,
          name,
          nearest_name(name, names),
          fmt::join(names, ", "));
    }
    check_value(value, fmt::format("{}: the weight of '{}'", place, name));
    found[*index] = value;
  }
  std::vector<double> values;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!found[i]) {
      throw_caller_error(
          "{}: no weight for objective '{}'; give one for each of {}",
          place,
          names[i],
          fmt::join(names, ", "));
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
  std::string_view rest = text;
  for (bool more = true; more;) {
    const auto comma = rest.find(',');
    const std::string_view item = trim(rest.substr(0, comma));
    more = comma != std::string_view::npos;
    if (more) rest.remove_prefix(comma + 1);
    const auto equals = item.rfind('=');
    if (equals == std::string_view::npos) {
      throw_caller_error(
          "{}: '{}' is not name=weight; write for example {}=1",
          place,
          item,
          names.empty() ? "name" : names.front());
    }
    const std::string name(trim(item.substr(0, equals)));
    const std::string_view number = trim(item.substr(equals + 1));
    double value = 0.0;
    const auto* end = number.data() + number.size();
    const auto parsed = std::from_chars(number.data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
      throw_caller_error(
          "{}: the weight of '{}' is '{}'; give a number from 0 to 1",
          place,
          name,
          number);
    }
    if (!weights.emplace(name, value).second) {
      throw_caller_error(
          "{}: objective '{}' is given twice; give it once", place, name);
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
    text += fmt::format("{}{}={}", i == 0 ? "" : ",", names.at(i), w[i]);
  }
  return text;
}

}  // namespace moft
