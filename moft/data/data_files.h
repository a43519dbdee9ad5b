// The files of a recipe that trains, and the order of their rows. Sections
// derive from DataFiles and declare its fields in their own words.
#pragma once

#include <string>
#include <vector>

#include "moft/core/fields.h"

namespace moft {

struct DataFiles {
  std::vector<std::string> train;
  std::vector<std::string> evaluation;
  bool shuffle = true;

  // train and evaluation.
  template <class V>
  void file_fields(V& v, Help of_train, Help of_evaluation) {
    v("train", train, of_train, Required{}, OneOrMore{}, Path{});
    v("evaluation", evaluation, of_evaluation, Required{}, OneOrMore{}, Path{});
  }
  template <class V>
  void shuffle_field(V& v) {
    v("shuffle",
      shuffle,
      Help{"a fresh order in every epoch; false: the order of the file"});
  }
};

}  // namespace moft
