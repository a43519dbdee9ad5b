// The palette.
#include "moft/evaluation/colours.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

namespace moft {
namespace {

using Colour = std::array<double, 3>;  // red, green, blue in [0, 255]

constexpr std::array<Colour, 6> kHues{
    {{0x2b, 0x7b, 0xba},
     {0xd0, 0x66, 0x1a},
     {0x1a, 0x93, 0x6f},
     {0xb8, 0x60, 0x9a},
     {0x3f, 0xa2, 0xd6},
     {0xa6, 0x8a, 0x00}}};

std::string written(const Colour& colour) {
  std::string out = "#";
  for (const double c : colour)
    out += fmt::format("{:02x}", std::lround(c));
  return out;
}

}  // namespace

std::string objective_colour(std::size_t i) {
  return written(kHues[i % kHues.size()]);
}

std::string weighting_colour(const std::vector<double>& weights) {
  Colour mix{};
  for (std::size_t i = 0; i < weights.size(); ++i) {
    for (std::size_t c = 0; c < mix.size(); ++c)
      mix[c] += weights[i] * kHues[i % kHues.size()][c];
  }
  return written(mix);
}

}  // namespace moft
