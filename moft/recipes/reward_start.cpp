// Opens what a classifier is trained from.
#include "moft/recipes/reward_start.h"

#include "moft/core/errors.h"
#include "moft/rewards/model_chat.h"
#include "moft/tokenizers/hf_added_tokens.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// transformers' name of an only output.
constexpr const char* kOnlyLabel = "LABEL_0";

// None: the model keeps its own head, whose labels are in `base`.
std::optional<NewHead> new_head(
    const RewardRecipe& recipe,
    const ClassifierInfo& base,
    const std::vector<Example>& train) {
  const RewardTrainingOptions& reward = recipe.reward;
  NewHead head{{}, static_cast<std::uint64_t>(reward.seed)};
  if (reward.kind != RewardTask::kClassification) {
    if (base.labels.size() == 1) return std::nullopt;
    head.labels = {kOnlyLabel};
    return head;
  }
  if (reward.labels.empty() && base.labels.size() > 1) return std::nullopt;
  if (!base.labels.empty() && reward.labels == base.labels) return std::nullopt;
  head.labels = reward.labels.empty() ? labels_of_rows(train, recipe.data.label)
                                      : reward.labels;
  return head;
}

// The padding token of a decoder: the model's, else the tokenizer's, else its
// end token.
TokenId padding_of(
    const fs::path& folder,
    const ClassifierInfo& info,
    const Tokenizer& tokenizer) {
  if (info.pad_token) return *info.pad_token;
  const fs::path path = folder / "tokenizer_config.json";
  const Json json = read_optional_json(path);
  if (const auto text =
          read_token_text(JsonField(json, path.string()), "pad_token")) {
    if (const auto id = tokenizer.find(*text)) return *id;
  }
  if (const auto end = tokenizer.eos()) return *end;
  throw_caller_error(
      "{}: names no pad_token_id, and its tokenizer has neither a padding nor "
      "an end token, without which transformers reads no batches; add "
      "\"pad_token\" to tokenizer_config.json",
      info.place);
}

}  // namespace

std::int64_t RewardStart::parameters() const {
  std::int64_t count = 0;
  for (const auto& parameter : model->network().steerable().parameters)
    count += parameter->numel();
  return count;
}

RewardStart start_reward_model(
    const RewardRecipe& recipe,
    const std::vector<Example>& train,
    const LoadOptions& load) {
  const fs::path folder = recipe.model.path;
  ClassifierInfo info = read_classifier_base(folder);
  const auto head = new_head(recipe, info, train);
  RewardStart start;
  start.new_head = head.has_value();
  start.model = std::make_unique<Classifier>(folder, head, load);
  info.labels = start.model->info().labels;
  info.separate_labels = info.labels.size() == 1;
  start.reader = std::make_unique<TextReader>(folder, info);
  const Tokenizer& tokenizer = start.reader->tokenizer();
  if (info.encoder) {
    const auto& config = start.model->config();
    const auto pad = config.find("pad_token_id");  // null in some files
    const bool given = pad != config.end() && pad->is_number_integer();
    const std::int64_t id = given ? pad->get<std::int64_t>() : -1;
    if (id >= 0 && id < tokenizer.vocab_size())
      start.pad_text = tokenizer.token_bytes(static_cast<TokenId>(id));
  } else {
    info.pad_token = padding_of(folder, info, tokenizer);
    start.pad_text = tokenizer.token_bytes(*info.pad_token);
    start.reader = std::make_unique<TextReader>(folder, info);
  }
  if (recipe.reward.kind == RewardTask::kPreference)
    start.chat = find_model_chat(folder, recipe.data.system);
  return start;
}

}  // namespace moft
