// The first fields of every recipe, whatever command it is for.
#pragma once

#include <cstdint>
#include <string>

#include "moft/core/compute_options.h"
#include "moft/core/fields.h"
#include "moft/distributed/distributed_options.h"

namespace moft {

inline constexpr std::int64_t kRecipeFormatVersion = 1;

// A recipe is a header with sections: it derives from this struct and lists
// these fields before its own.
struct RecipeHeader {
  std::int64_t format_version = kRecipeFormatVersion;
  std::string name;
  std::string description;
  std::string output;
  ComputeOptions compute;  // its fields are at the top level
  DistributedOptions distributed;

  template <class V>
  void fields(V& v) {
    v("format_version",
      format_version,
      Help{"version of the recipe's format"},
      between(1, static_cast<double>(kRecipeFormatVersion)));
    v("name", name, Help{"the name of the run, in reports"}, Required{});
    v("description", description, Help{"one line on what the recipe is for"});
    v("output",
      output,
      Help{"the run directory; made when it does not exist"},
      Required{},
      Path{});
    compute.fields(v);
    v("distributed",
      distributed,
      Help{"what several processes do when one of them is late"});
  }
};

}  // namespace moft
