// The shape of a language model with random weights, and what its family
// makes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "moft/core/fields.h"

namespace moft {

inline constexpr const char* kRandomModelPlace = "model.random";

enum class RandomActivation { kRelu, kGelu, kSilu };
constexpr auto enum_names(RandomActivation) {
  return EnumNames<RandomActivation, 3>{{
      {RandomActivation::kRelu, "relu"},
      {RandomActivation::kGelu, "gelu"},
      {RandomActivation::kSilu, "silu"},
  }};
}

// A place in the table of families. Its names are those of the table, so a
// setting reads and prints what the table has.
enum class RandomFamily : std::size_t {};
std::vector<std::pair<RandomFamily, std::string>> enum_names(RandomFamily);
// CallerError when the table has no family of this name.
RandomFamily random_family(const std::string& name);

// The defaults are a T5 v1.0 of about 16 million parameters with T5's
// vocabulary.
struct RandomModelOptions {
  RandomFamily family = random_family("t5");
  std::string tokenizer;
  std::optional<std::int64_t> vocabulary;
  std::int64_t layers = 4;
  std::optional<std::int64_t> decoder_layers;
  std::int64_t width = 256;
  std::int64_t heads = 4;
  std::optional<std::int64_t> key_value_heads;
  std::optional<std::int64_t> head_size;
  std::int64_t feed_forward = 1024;
  RandomActivation activation = RandomActivation::kRelu;
  bool gated = false;
  bool tied_head = true;
  std::int64_t context = 2048;

  template <class V>
  void fields(V& v) {
    v("family",
      family,
      Help{"kind of model: t5 is an encoder-decoder, the others are "
           "decoders"});
    v("tokenizer",
      tokenizer,
      Help{"directory of the tokenizer (spiece.model or tokenizer.json); the "
           "files are copied into the result"},
      Required{},
      Path{});
    v("vocabulary",
      vocabulary,
      Help{"number of embedded tokens; null: the tokenizer's, rounded up to a "
           "multiple of 128"},
      between(1, 16777216));
    v("layers",
      layers,
      Help{"number of blocks (t5: of the encoder)", "blocks"},
      between(1, 1024));
    v("decoder_layers",
      decoder_layers,
      Help{"t5: number of blocks of the decoder; null: layers", "blocks"},
      between(1, 1024));
    v("width",
      width,
      Help{"size of a token's hidden state"},
      between(2, 65536));
    v("heads", heads, Help{"number of attention heads"}, between(1, 1024));
    v("key_value_heads",
      key_value_heads,
      Help{"decoders: number of heads of keys and values; null: heads"},
      between(1, 1024));
    v("head_size",
      head_size,
      Help{"size of a head; null: width / heads"},
      between(1, 4096));
    v("feed_forward",
      feed_forward,
      Help{"inner width of the feed-forward layers"},
      between(1, 1048576));
    v("activation",
      activation,
      Help{"t5: activation of the feed-forward layers; gelu is its tanh form. "
           "llama always has gated silu, gemma gated gelu"});
    v("gated",
      gated,
      Help{"t5: feed-forward layers with a gate, as in v1.1 (gated gelu)"});
    v("tied_head",
      tied_head,
      Help{"the embedding table is the output head too (t5: v1.0)"});
    v("context",
      context,
      Help{"decoders: longest sequence; t5 has no limit", "tokens"},
      between(1, 16777216));
  }

  void check(const std::string& path) const;
};

// What the model has to know about its tokenizer.
struct RandomModelTokens {
  std::int64_t count = 0;       // ids are below
  std::int32_t end = -1;        // ends a completion
  std::int32_t padding = -1;    // t5's decoder starts with it; -1: none
  std::int32_t beginning = -1;  // -1: none
};

// The options with what follows from the tokenizer.
struct RandomModelShape {
  const RandomModelOptions& options;
  const RandomModelTokens& tokens;
  std::int64_t vocabulary = 0;
  std::int64_t head_size = 0;
};

// Standard deviation of a parameter's elements; 0: every element is `constant`.
struct InitialSpread {
  double deviation = 0.0;
  double constant = 0.0;
  double cutoff = 0.0;  // in deviations: farther draws are drawn again; 0: none
};

}  // namespace moft
