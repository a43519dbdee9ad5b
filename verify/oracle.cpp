// Counting and printing oracles.
#include "verify/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace moft::exact {
namespace {

std::string number(double value) {
  return fmt::format("{:.12g}", value);
}

// A NaN must not pass as near to anything.
double distance(double a, double b) {
  if (a == b) return 0.0;
  const double error = std::abs(a - b);
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

}  // namespace

const nlohmann::json& expected(const std::string& key) {
  static const auto kExpected = nlohmann::json::parse(expected_text());
  return kExpected.at(key);
}

std::string format_oracle(const OracleLine& line) {
  return fmt::format(
      "{}: expected {}, obtained {}, error {:.1e} {}",
      line.name,
      line.expected,
      line.obtained,
      line.error,
      line.ok ? "ok" : "MISS");
}

void OracleBook::add(OracleLine line) {
  ++lines_;
  if (!line.ok) ++misses_;
  on_line_(line);
}

void OracleBook::equal(
    const std::string& name,
    double expected,
    double obtained,
    double tolerance) {
  const double error = distance(expected, obtained);
  add({name, number(expected), number(obtained), error, error <= tolerance});
}

void OracleBook::equal_all(
    const std::string& name,
    const Vector& expected,
    const Vector& obtained,
    double tolerance) {
  double worst = 0.0;
  const bool sizes = expected.size() == obtained.size();
  if (!sizes) worst = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; sizes && i < expected.size(); ++i)
    worst = std::max(worst, distance(expected[i], obtained[i]));
  add(
      {name,
       fmt::format("{} numbers within {:.0e}", expected.size(), tolerance),
       fmt::format("{} numbers", obtained.size()),
       worst,
       worst <= tolerance});
}

void OracleBook::known(const std::string& name, double obtained) {
  const auto& line = expected(name);
  equal(name, line.at("is"), obtained, line.at("within"));
}

void OracleBook::known(const std::string& name, const Vector& obtained) {
  const auto& line = expected(name);
  equal_all(name, line.at("is"), obtained, line.at("within"));
}

void OracleBook::at_most(
    const std::string& name, double bound, double obtained) {
  const bool ok = obtained <= bound;
  add(
      {name,
       "at most " + number(bound),
       number(obtained),
       ok ? 0.0 : distance(bound, obtained),
       ok});
}

void OracleBook::at_least(
    const std::string& name, double bound, double obtained) {
  const bool ok = obtained >= bound;
  add(
      {name,
       "at least " + number(bound),
       number(obtained),
       ok ? 0.0 : distance(bound, obtained),
       ok});
}

void OracleBook::same(
    const std::string& name,
    const std::string& expected,
    const std::string& obtained) {
  const bool ok = expected == obtained;
  add({name, expected, obtained, ok ? 0.0 : 1.0, ok});
}

}  // namespace moft::exact
