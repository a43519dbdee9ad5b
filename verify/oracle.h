// Oracles: what `moft verify` checks, one line each.
//
// An oracle has a name, an expected value, the value obtained, and the distance
// allowed between them. The expected numbers are written out in oracles_*.cpp;
// independent programs in tests/reference/ computed them. So a user can check
// an installed program without any other file.
//
// Thread safety: one book belongs to one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "verify/distributions.h"

namespace moft::exact {

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
