// Oracles: rouge.
#include "verify/oracles_rouge.h"

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "moft/rewards/porter_stemmer.h"
#include "moft/rewards/rouge.h"

namespace moft::exact {
namespace {

struct RougeCase {
  const char* name;
  const char* reference;
  const char* candidate;
  RougeVariant variant;
  RougeTextOptions options;
  double precision, recall;
};

constexpr RougeTextOptions kStem = {.stem = true};
constexpr RougeTextOptions kT5 = {.t5_newlines = true};

constexpr RougeCase kCases[] = {
    {"unigrams",
     "testing one two",
     "testing",
     RougeVariant::kOne,
     {},
     1,
     1.0 / 3},
    {"bigrams",
     "testing one two",
     "testing one",
     RougeVariant::kTwo,
     {},
     1,
     .5},
    {"subsequence",
     "testing one two",
     "testing two",
     RougeVariant::kL,
     {},
     1,
     2.0 / 3},
    {"union of sentences (Lin 2004)",
     "w1 w2 w3 w4 w5",
     "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5",
     RougeVariant::kLsum,
     {},
     .4,
     .8},
    {"several sentences",
     "police killed the gunman\nthe gunman was armed\nnobody else was hurt",
     "the gunman police killed\nhe was armed with a gun and nobody was hurt",
     RougeVariant::kLsum,
     {},
     .6428571428571429,
     .75},
    {"sentences swapped",
     "the cat sat .\nthe dog ran .",
     "the dog ran .\nthe cat sat .",
     RougeVariant::kLsum,
     {},
     1,
     1},
    {"sentences swapped, whole text",
     "the cat sat .\nthe dog ran .",
     "the dog ran .\nthe cat sat .",
     RougeVariant::kL,
     {},
     .5,
     .5},
    {"T5 line feeds",
     "the cat sat . the dog ran . end",
     "the dog ran . the cat sat . end",
     RougeVariant::kLsum,
     kT5,
     1,
     1},
    {"tie of two subsequences",
     "a a",
     "a b\nb a",
     RougeVariant::kLsum,
     {},
     .5,
     1},
    {"counted twice on one side",
     "a b\na b",
     "a b",
     RougeVariant::kLsum,
     {},
     1,
     .5},
    {"stems",
     "relational conditional rationalization hopefulness electricity theology",
     "relate condition rational hope electric theologi",
     RougeVariant::kLsum,
     kStem,
     1,
     1},
    {"accents separate", "Caf\u00e9", "caf", RougeVariant::kOne, {}, 1, 1},
    {"the Kelvin sign is a k",
     "300 \u212a",
     "300 k",
     RougeVariant::kOne,
     {},
     1,
     1},
    {"nothing", "", "", RougeVariant::kLsum, {}, 0, 0},
};

struct Stem {
  const char* word;
  const char* stem;
};

constexpr Stem kStems[] = {
    {"skies", "sky"},         {"dying", "die"},
    {"news", "news"},         {"innings", "inning"},
    {"proceed", "proceed"},   {"flies", "fli"},
    {"dies", "die"},          {"tied", "tie"},
    {"spied", "spi"},         {"enjoy", "enjoy"},
    {"happy", "happi"},       {"agreed", "agre"},
    {"plastered", "plaster"}, {"motoring", "motor"},
    {"conflated", "conflat"}, {"troubled", "troubl"},
    {"sized", "size"},        {"hopping", "hop"},
    {"falling", "fall"},      {"hissing", "hiss"},
    {"failing", "fail"},      {"filing", "file"},
    {"relational", "relat"},  {"conditional", "condit"},
    {"theology", "theolog"},  {"archaeology", "archaeolog"},
    {"happily", "happili"},   {"running", "run"},
    {"adoption", "adopt"},    {"controlling", "control"},
};

}  // namespace

void verify_rouge(OracleBook& book) {
  for (const RougeCase& c : kCases) {
    const RougeScore score =
        rouge(c.variant, c.reference, c.candidate, c.options);
    const double sum = c.precision + c.recall;
    const double f1 = sum > 0 ? 2 * c.precision * c.recall / sum : 0;
    book.equal_all(
        fmt::format("ROUGE: {} (P, R, F1)", c.name),
        {c.precision, c.recall, f1},
        {score.precision, score.recall, score.f1},
        1e-15);
  }
  std::string wrong;
  for (const auto& [word, stem] : kStems) {
    if (porter_stem(word) != stem)
      wrong += std::string(wrong.empty() ? "" : " ") + word;
  }
  book.same(
      fmt::format("stems: {} words, those that differ", std::size(kStems)),
      "none",
      wrong.empty() ? "none" : wrong);
}

}  // namespace moft::exact
