// Weightings that cover the simplex.
#include "moft/weightings/grid.h"

#include <utility>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr std::size_t kMaxPoints = 1'000'000;

// C(divisions + objectives - 1, objectives - 1), or nothing sensible but
// above kMaxPoints.
std::size_t lattice_size(std::size_t objectives, std::size_t divisions) {
  // Each prefix of the product is itself a binomial, so it divides evenly and
  // only grows.
  std::size_t size = 1;
  for (std::size_t k = 1; k < objectives; ++k) {
    size = size * (divisions + k) / k;
    if (size > kMaxPoints) break;
  }
  return size;
}

// Appends every way to hand the `left` remaining parts to objectives
// i, i + 1, .., m - 1.
void extend(
    std::vector<std::size_t>& parts,
    std::size_t i,
    std::size_t left,
    std::size_t divisions,
    std::vector<Weighting>& points) {
  if (i + 1 == parts.size()) {
    parts[i] = left;
    std::vector<double> values;
    for (const std::size_t part : parts) {
      values.push_back(
          static_cast<double>(part) / static_cast<double>(divisions));
    }
    points.emplace_back(std::move(values));
    return;
  }
  for (std::size_t part = 0; part <= left; ++part) {
    parts[i] = part;
    extend(parts, i + 1, left - part, divisions, points);
  }
}

}  // namespace

std::vector<Weighting> simplex_lattice(
    std::size_t objectives, std::size_t divisions) {
  if (objectives == 0 || divisions == 0) {
    throw_caller_error(
        "a cover of {} objectives in {} divisions is empty; give at least 1 "
        "of each",
        objectives,
        divisions);
  }
  if (divisions > kMaxPoints ||
      lattice_size(objectives, divisions) > kMaxPoints) {
    throw_caller_error(
        "a cover of {} objectives in {} divisions has more than {} points; "
        "ask for fewer weightings",
        objectives,
        divisions,
        kMaxPoints);
  }
  std::vector<Weighting> points;
  std::vector<std::size_t> parts(objectives);
  extend(parts, 0, divisions, divisions, points);
  return points;
}

std::vector<Weighting> simplex_cover(
    std::size_t objectives, std::size_t count) {
  if (objectives == 0 || count == 0) {
    throw_caller_error(
        "cannot cover {} objectives with {} weightings; give at least 1 of "
        "each",
        objectives,
        count);
  }
  if (count > kMaxPoints) {
    throw_caller_error(
        "{} weightings is too many; give at most {}", count, kMaxPoints);
  }
  if (objectives == 1 || count == 1) return {Weighting::uniform(objectives)};
  std::size_t divisions = 1;
  while (lattice_size(objectives, divisions) < count)
    ++divisions;
  return simplex_lattice(objectives, divisions);
}

}  // namespace moft
