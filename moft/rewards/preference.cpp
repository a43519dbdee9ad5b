// The reward kind `preference`.
#include "moft/rewards/preference.h"

#include "moft/core/text.h"
#include "moft/rewards/classifier_reward.h"
#include "moft/rewards/model_chat.h"
#include "moft/rewards/model_files.h"
#include "moft/rewards/model_reward.h"
#include "moft/rewards/preference_text.h"
#include "moft/rewards/reward_context.h"

namespace moft {
namespace {

class PreferenceReward : public ModelReward {
 public:
  PreferenceReward(
      std::string name,
      std::shared_ptr<const TextClassifier> model,
      std::optional<ChatPrompt> chat,
      const PreferenceOptions& options)
      : ModelReward(std::move(name)),
        model_(std::move(model)),
        text_({options.user, options.text}, model_->info(), std::move(chat)),
        label_(find_label(model_->info(), options.label)) {}

 protected:
  std::vector<double> compute_chunk(const RewardBatch& batch) const override {
    WindowedTexts texts;
    for (std::size_t row = 0; row < batch.rows(); ++row) {
      const std::size_t before = texts.texts.size();
      if (text_.shows_prompt(*batch.examples[row])) check_message(batch, row);
      model_->add_windows(text_.of(batch, row), {}, texts);
      check_length(texts.texts.size() - before, row);
    }
    return column(model_->logits(texts));
  }

 private:
  // A prompt as the policy saw it may hold the policy's chat markup, which is
  // no part of a user's message.
  void check_message(const RewardBatch& batch, std::size_t row) const {
    const std::string& prompt = batch.prompts[row];
    const Tokenizer& tokenizer = model_->tokenizer();
    for (const TokenId id : tokenizer.encode(prompt, {.add_special = false})) {
      if (!tokenizer.is_special(id)) continue;
      const std::string written = tokenizer.token_bytes(id);
      if (prompt.find(written) == std::string::npos) continue;
      throw RewardRowError(
          row,
          "the prompt holds the chat markup " + quote_text(written) +
              ", and `user` takes it for the words of the user; give what the "
              "user wrote, as in user: \"{field}\"");
    }
  }

  // A preference is of a whole answer: windows of it mean nothing.
  void check_length(std::size_t windows, std::size_t row) const {
    if (windows == 1) return;
    throw RewardRowError(
        row,
        "prompt and answer are longer than the " +
            std::to_string(model_->info().max_tokens) +
            " tokens that the reward model reads; take a model with a longer "
            "context, or shorten prompts (data.max_prompt_tokens) and answers "
            "(training.max_new_tokens)");
  }

  std::vector<double> column(const at::Tensor& logits) const {
    const at::Tensor values =
        logits.select(1, static_cast<std::int64_t>(label_)).contiguous();
    const double* first = values.const_data_ptr<double>();
    return {first, first + values.numel()};
  }

  std::shared_ptr<const TextClassifier> model_;
  PreferenceText text_;
  std::size_t label_;
};

}  // namespace

void PreferenceOptions::check(const std::string& path) const {
  check_text_or_messages(path, text, user, system);
  template_fields({user, text});
}

RewardKind preference_kind() {
  return RewardKindOf<PreferenceOptions>{
      .name = "preference",
      .help = "a reward model's score of the answer",
      .make =
          [](const PreferenceOptions& options, RewardContext& context) {
            return std::make_shared<PreferenceReward>(
                context.objective(),
                shared_classifier(options.model, context),
                find_model_chat(context.path(options.model), options.system),
                options);
          },
      .example_fields =
          [](const PreferenceOptions& options) {
            return template_fields({options.user, options.text});
          },
      .files =
          [](const PreferenceOptions& options) {
            return model_directory_files(options.model);
          },
      .check_files =
          [](const PreferenceOptions& options) {
            const ClassifierInfo info = check_text_classifier(options.model);
            find_label(info, options.label);
            find_model_chat(options.model, options.system);
          },
  };
}

}  // namespace moft
