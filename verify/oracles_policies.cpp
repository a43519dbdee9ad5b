// Oracles: policies.
#include "verify/oracles_policies.h"

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "moft/conditioning/conditioning.h"
#include "moft/conditioning/prompt_prefix.h"
#include "moft/models/t5/model.h"
#include "moft/rewards/objectives.h"

namespace moft::exact {
namespace {

// T5 of the notes: untied, width 32, feed-forward 64, two blocks on each side,
// two heads of 16, 100 tokens.
T5Model toy_t5() {
  T5Config config;
  config.vocabulary = 100;
  config.width = 32;
  config.encoder_layers = 2;
  config.decoder_layers = 2;
  config.heads = 2;
  config.head_size = 16;
  config.feed_forward = 64;
  config.activation = T5Activation::kGelu;
  config.gated = true;
  config.tied_head = false;
  config.end_tokens = {1};
  const FindParameter zeros = [](const std::string&,
                                 const std::vector<std::int64_t>& shape) {
    const std::int64_t width = shape.back();
    return [width](std::int64_t begin, std::int64_t end, float* target) {
      std::fill_n(target, (end - begin) * width, 0.0F);
    };
  };
  return T5Model(config, zeros, LoadOptions());
}

struct SizeRow {
  SteeredSet set;
  std::optional<std::int64_t> layers;
  Vector policies;  // parameters with 1, 2, 3 objectives
};

void verify_sizes(OracleBook& book) {
  const std::vector<SizeRow> kSizes = {
      {SteeredSet::kFull, {}, {56064, 112128, 168192}},
      {SteeredSet::kAttention, {}, {56064, 80640, 105216}},
      {SteeredSet::kAttention, 1, {56064, 68352, 80640}},
      {SteeredSet::kLogits, {}, {56064, 59264, 62464}},
      {SteeredSet::kNone, {}, {56064, 56064, 56064}},
  };
  for (const SizeRow& row : kSizes) {
    ConditioningOptions options;
    options.steered_set = row.set;
    options.attention.layers = row.layers;
    if (row.set == SteeredSet::kNone) options.prompt.emplace();
    Vector counts;
    std::vector<std::string> names;
    for (const char* name : {"a", "b", "c"}) {
      names.emplace_back(name);
      T5Model model = toy_t5();
      const auto installed =
          install_conditioning(model.steerable(), options, names, 1);
      const Conditioning& conditioning = *installed;
      counts.push_back(static_cast<double>(conditioning.counts().policy));
    }
    book.equal_all(
        fmt::format(
            "sizes: toy T5 of 56064 parameters, {}{}, 1 to 3 objectives",
            enum_name(row.set),
            row.layers ? " of the first layers" : ""),
        row.policies,
        counts,
        0);
  }
}

void verify_words(OracleBook& book) {
  const std::vector<std::string> two = {"factuality", "rouge"};
  const auto words = [&](std::vector<double> w) {
    return prompt_prefix(two, Weighting(std::move(w)), 5);
  };
  book.same(
      "words of a weighting: (.4, .6)",
      "factuality: 0.4 0.4 0.4 0.4 0.4; rouge: 0.6 0.6 0.6 0.6 0.6.",
      words({.4, .6}));
  book.same(
      "words of a weighting: (1, 0)",
      "factuality: 1.0 1.0 1.0 1.0 1.0; rouge: 0.0 0.0 0.0 0.0 0.0.",
      words({1, 0}));
  book.same(
      "words of a weighting: (.33, .25, .42)",
      "factuality: 0.33 0.33 0.33 0.33 0.33; rouge: 0.25 0.25 0.25 0.25 0.25; "
      "tldr: 0.42 0.42 0.42 0.42 0.42.",
      prompt_prefix(
          {"factuality", "rouge", "tldr"}, Weighting({.33, .25, .42}), 5));
}

// The number that a completion spells.
class Spelled : public Reward {
 public:
  using Reward::Reward;

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo&) const override {
    std::vector<double> values;
    for (const std::string& text : batch.completions)
      values.push_back(std::stod(text));
    return values;
  }
};

void verify_ranges(OracleBook& book) {
  const auto spelled = std::make_shared<Spelled>("spelled");
  const ObjectiveSet objectives(
      {{"nli", spelled, -7, 0},
       {"rouge", spelled, 19, 29},
       {"tldr", spelled, -1.6, 2}});
  const Example example;
  RewardBatch batch;
  batch.completions = {"-3.5", "24", "0", "100", ".2"};
  batch.prompts.assign(5, "");
  batch.token_counts.assign(5, 1);
  batch.examples.assign(5, &example);
  const auto mapped = objectives.score(batch).mapped;
  book.equal_all(
      "ranges: NLI at -3.5, ROUGE at 24, 0 and 100, TLDR at .2; never clipped",
      {.5, .5, -1.9, 8.1, .5},
      {mapped[0][0].item<double>(),
       mapped[1][1].item<double>(),
       mapped[2][1].item<double>(),
       mapped[3][1].item<double>(),
       mapped[4][2].item<double>()},
      1e-15);
}

}  // namespace

void verify_policies(OracleBook& book) {
  verify_sizes(book);
  verify_words(book);
  verify_ranges(book);
}

}  // namespace moft::exact
