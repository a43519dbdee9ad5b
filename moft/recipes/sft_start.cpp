// Opens or makes the model that `moft sft` finetunes.
#include "moft/recipes/sft_start.h"

#include "moft/generation/policy_directory.h"
#include "moft/models/random/initialise.h"
#include "moft/tokenizers/hf_tokenizer.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

RandomModelTokens tokens_of(const Tokenizer& tokenizer) {
  RandomModelTokens tokens;
  tokens.count = tokenizer.vocab_size();
  tokens.end = tokenizer.eos().value_or(-1);
  tokens.padding = tokenizer.find("<pad>").value_or(-1);
  tokens.beginning = tokenizer.bos().value_or(-1);
  return tokens;
}

}  // namespace

SftStart start_finetuning(const SftRecipe& recipe, const LoadOptions& load) {
  SftStart start;
  if (recipe.model.path) {
    start.tokenizer_folder = *recipe.model.path;
    LoadOptions own = load;
    if (recipe.model.adapter) own.adapter = *recipe.model.adapter;
    start.model = load_language_model(*recipe.model.path, own);
    start.tokenizer = load_base_tokenizer(*recipe.model.path, start.model);
    return start;
  }
  const RandomModelOptions& shape = *recipe.model.random;
  start.tokenizer_folder = shape.tokenizer;
  if (!fs::is_directory(start.tokenizer_folder))
    start.tokenizer_folder = start.tokenizer_folder.parent_path();
  start.tokenizer = load_tokenizer(start.tokenizer_folder);
  start.model = make_random_model(
      random_model_config(shape, tokens_of(*start.tokenizer)),
      static_cast<std::uint64_t>(recipe.sft.seed),
      load);
  return start;
}

}  // namespace moft
