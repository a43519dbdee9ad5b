// Draws a model's parameters by its family's rules.
#include "moft/models/random/initialise.h"

#include "moft/core/errors.h"
#include "moft/models/families.h"
#include "moft/models/random/random_rows.h"

namespace moft {
namespace {

using nlohmann::json;

std::int64_t rounded_up(std::int64_t count) {
  constexpr std::int64_t kMultiple = 128;
  return (count + kMultiple - 1) / kMultiple * kMultiple;
}

}  // namespace

void RandomModelOptions::check(const std::string& path) const {
  if (!head_size && width % heads != 0) {
    throw_caller_error(
        "{}width is {}, which {}heads = {} do not divide; give a head_size",
        path,
        width,
        path,
        heads);
  }
  family_of(family).random.check(*this, path);
}

void check_random_decoder(
    const RandomModelOptions& options, const std::string& path) {
  const std::int64_t heads = options.heads;
  if (heads % options.key_value_heads.value_or(heads) != 0) {
    throw_caller_error(
        "{}key_value_heads is {}, which does not divide {}heads = {}",
        path,
        *options.key_value_heads,
        path,
        heads);
  }
  if (options.head_size.value_or(options.width / heads) % 2 != 0) {
    throw_caller_error(
        "{}: {}'s rotary embeddings need an even head size",
        path.substr(0, path.size() - 1),
        enum_name(options.family));
  }
}

DecoderConfig random_decoder_config(
    const RandomModelShape& shape, const std::string& architecture) {
  const RandomModelOptions& options = shape.options;
  DecoderConfig config;
  config.architecture = architecture;
  config.vocabulary = shape.vocabulary;
  config.width = options.width;
  config.layers = options.layers;
  config.heads = options.heads;
  config.kv_heads = options.key_value_heads.value_or(options.heads);
  config.head_size = shape.head_size;
  config.feed_forward = options.feed_forward;
  config.context = options.context;
  config.tied_head = options.tied_head;
  config.end_tokens = {shape.tokens.end};
  return config;
}

json random_model_config(
    const RandomModelOptions& options, const RandomModelTokens& tokens) {
  const std::int64_t vocabulary =
      options.vocabulary.value_or(rounded_up(tokens.count));
  if (vocabulary < tokens.count) {
    throw_caller_error(
        "{}.vocabulary is {}, but the tokenizer has {} tokens; give at least "
        "as many",
        kRandomModelPlace,
        vocabulary,
        tokens.count);
  }
  if (tokens.end < 0) {
    throw_caller_error(
        "{}.tokenizer names no end-of-sequence token; add its eos_token to "
        "tokenizer_config.json",
        kRandomModelPlace);
  }
  return family_of(options.family)
      .random.config(
          {options,
           tokens,
           vocabulary,
           options.head_size.value_or(options.width / options.heads)});
}

LoadedModel make_random_model(
    const json& config, std::uint64_t seed, const LoadOptions& options) {
  const ModelFamily& family = family_of_config(config, kRandomModelPlace);
  std::uint32_t tensor = kFirstTensor;
  const FindParameter find = [&](const std::string& name,
                                 std::vector<std::int64_t> shape) {
    return random_rows(
        seed, tensor++, family.random.spread(config, name), shape);
  };
  LoadedModel loaded;
  loaded.config = config;
  loaded.model = family.make(config, kRandomModelPlace, find, options);
  return loaded;
}

}  // namespace moft
