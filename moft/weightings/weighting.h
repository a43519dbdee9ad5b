// A weighting: how much each objective counts.
//
// A point on the simplex, kept in double, in the order of the policy's
// objectives. People and files address objectives by NAME; the order is fixed
// once, by the list of names that the policy carries, and every conversion
// takes that list.
//
// Errors: CallerError for anything that is not a point on the simplex over
// exactly the named objectives.
// Thread safety: immutable values; share them freely.
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace moft {

class Weighting {
 public:
  // Empty until assigned: no objectives. Nothing below accepts an empty one.
  Weighting() = default;

  // values[i] belongs to objective i. Each must be finite and at least 0 and
  // they must sum to 1 within 1e-6. A sum that differs from 1 by more than
  // rounding (4 units in the last place per value) is divided out; otherwise
  // the values are kept bit for bit, so that 0.3 stays the caller's 0.3.
  explicit Weighting(std::vector<double> values);

  // All mass on one objective; the same mass on each. REQUIRES
  // objective < objectives, objectives > 0.
  static Weighting corner(std::size_t objectives, std::size_t objective);
  static Weighting uniform(std::size_t objectives);

  std::size_t size() const { return values_.size(); }
  double operator[](std::size_t objective) const { return values_[objective]; }
  const std::vector<double>& values() const { return values_; }

  bool operator==(const Weighting&) const = default;
  auto operator<=>(const Weighting&) const = default;

 private:
  std::vector<double> values_;
};

// From names to the objectives' order. Every name must be given and known; an
// unknown one is answered with the nearest known one. `place` begins the
// message ("--weights", "recipe.yaml: evaluation.weightings[2]").
Weighting weighting_from_map(
    const std::map<std::string, double>& weights,
    const std::vector<std::string>& names,
    std::string_view place = "weights");

// "a=0.3,b=0.7" (blanks around names and numbers are allowed).
Weighting parse_weighting(
    std::string_view text,
    const std::vector<std::string>& names,
    std::string_view place = "weights");

// The way back. format_weighting writes the shortest decimals that read back
// to the same bits: "a=0.3,b=0.7". REQUIRES names.size() == w.size().
std::map<std::string, double> weighting_to_map(
    const Weighting& w, const std::vector<std::string>& names);
std::string format_weighting(
    const Weighting& w, const std::vector<std::string>& names);

}  // namespace moft
