// Oracles: what `moft verify` checks, one line each.
//
// An oracle has a name, an expected value, the value obtained, and the distance
// allowed between them. The expected numbers are in expected.json, which is
// compiled in; independent programs in tests/reference/ computed them. So a
// user can check an installed program without any other file.
//
// Thread safety: one book belongs to one thread; expected() is free for all.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "verify/distributions.h"

namespace moft::exact {

// The text of expected.json: per line of the book {"is": number or numbers,
// "within": tolerance}, and tables of cases whose lines are named from a row.
std::string_view expected_text();
// What it has under `key`; throws nlohmann's out_of_range where it has nothing.
const nlohmann::json& expected(const std::string& key);

struct OracleLine {
  std::string name;
  std::string expected;
  std::string obtained;
  double error = 0.0;  // distance from what was expected, 0 within bounds
  bool ok = false;
};

// "name: expected .., obtained .., error .. ok" (or MISS), one line.
std::string format_oracle(const OracleLine& line);

// Called with each line as soon as it is known.
using OnOracle = std::function<void(const OracleLine&)>;

class OracleBook {
 public:
  explicit OracleBook(OnOracle on_line) : on_line_(std::move(on_line)) {}

  // |obtained - expected| <= tolerance.
  void equal(
      const std::string& name,
      double expected,
      double obtained,
      double tolerance);
  // The same of whole lists; the line shows the worst difference and "n
  // numbers". A different count is a miss.
  void equal_all(
      const std::string& name,
      const Vector& expected,
      const Vector& obtained,
      double tolerance);
  // One of the two, with the expected numbers and the tolerance that
  // expected.json has under `name`.
  void known(const std::string& name, double obtained);
  void known(const std::string& name, const Vector& obtained);
  void at_most(const std::string& name, double bound, double obtained);
  void at_least(const std::string& name, double bound, double obtained);
  void same(
      const std::string& name,
      const std::string& expected,
      const std::string& obtained);

  std::size_t lines() const { return lines_; }
  std::size_t misses() const { return misses_; }

 private:
  void add(OracleLine line);

  OnOracle on_line_;
  std::size_t lines_ = 0;
  std::size_t misses_ = 0;
};

}  // namespace moft::exact
