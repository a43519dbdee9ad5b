// The book that `moft verify` is printed from, and all oracles themselves.
#include "verify/oracle.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "verify/oracles.h"

namespace moft::exact {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<OracleLine> lines_of(
    const std::function<void(OracleBook&)>& check, std::size_t misses) {
  std::vector<OracleLine> lines;
  OracleBook book([&](const OracleLine& line) { lines.push_back(line); });
  check(book);
  EXPECT_EQ(book.lines(), lines.size());
  EXPECT_EQ(book.misses(), misses);
  return lines;
}

TEST(OracleBook, TellsHitsFromMisses) {
  const auto lines = lines_of(
      [](OracleBook& book) {
        book.equal("near", 1.0, 1.05, .1);
        book.equal("far", 1.0, 1.2, .1);
        book.equal("nan", 1.0, kNan, 1e9);
        book.equal_all("list", {1, 2}, {1, 2.5}, .6);
        book.equal_all("short", {1, 2}, {1}, 1e9);
        book.equal_all("list nan", {1, 2}, {1, kNan}, 1e9);
        book.at_most("below", 1.0, 0.5);
        book.at_most("above", 1.0, 1.5);
        book.at_most("at most nan", 1.0, kNan);
        book.at_least("at least", 1.0, 1.0);
        book.at_least("under", 1.0, 0.5);
        book.same("text", "a", "a");
        book.same("other", "a", "b");
      },
      8);
  EXPECT_EQ(
      format_oracle(lines[0]),
      "near: expected 1, obtained 1.05, error 5.0e-02 ok");
  EXPECT_EQ(
      format_oracle(lines[1]),
      "far: expected 1, obtained 1.2, error 2.0e-01 MISS");
}

TEST(OracleBook, TakesExpectedNumbersAndToleranceFromTheData) {
  const auto lines = lines_of(
      [](OracleBook& book) {
        book.known("f_mix: linear at alpha_min", .01);
        book.known("f_mix: linear at alpha_min", .0100001);  // within 0
        book.known(
            "bandit 11: KL of the optimum from alpha .01 to 1", Vector{0});
      },
      2);
  EXPECT_EQ(
      format_oracle(lines[0]),
      "f_mix: linear at alpha_min: expected 0.01, obtained 0.01, error "
      "0.0e+00 ok");
  EXPECT_EQ(lines[2].expected, "8 numbers within 5e-07");
  EXPECT_THROW(expected("no such line"), nlohmann::json::out_of_range);
}

TEST(Oracles, AllExactOnesAreMet) {
  for (const OracleLine& line : lines_of(verify_exact, 0))
    EXPECT_TRUE(line.ok) << format_oracle(line);
}

}  // namespace
}  // namespace moft::exact
