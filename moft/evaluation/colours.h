// Colours of objectives and weightings, as "#rrggbb".
//
// Thread safety: pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace moft {

// What belongs to the policy but to no objective; the reference policy.
inline constexpr const char* kPolicyColour = "#6a5acd";
inline constexpr const char* kReferenceColour = "#7d8590";

// Colour of objective i: the hues of Okabe and Ito (told apart by all common
// kinds of colour blindness), at a lightness that reads on white and on black.
std::string objective_colour(std::size_t i);

// Mix of the objectives' colours in proportion to the weights, which sum to 1.
std::string weighting_colour(const std::vector<double>& weights);

}  // namespace moft
