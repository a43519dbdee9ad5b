// Cuts a language model's head down to the rows that are read as values.
#include "moft/models/value_model.h"

#include "moft/core/errors.h"

namespace moft {

HeadedModel make_value_model(
    std::shared_ptr<LanguageModel> model,
    std::int64_t outputs,
    FirstValues first) {
  TORCH_CHECK(outputs > 0, "[value_model] needs an output");
  const std::int64_t vocabulary = model->info().vocabulary;
  if (outputs > vocabulary) {
    throw_caller_error(
        "a value network needs a logit for each of {} values, but its "
        "vocabulary has {} tokens; take another model",
        outputs,
        vocabulary);
  }
  const at::Tensor rows =
      model->head().weight().reference().narrow(0, 0, outputs);
  HeadedModel value(
      std::move(model),
      ReadAt::kLastToken,
      HeadedModel::Head{
          "value_head.weight",
          first == FirstValues::kZero ? at::cat({rows, rows}) : rows.clone()});
  value.make_trainable();
  return value;
}

at::Tensor values_of(const at::Tensor& logits, FirstValues first) {
  if (first == FirstValues::kLogits) return logits;
  const std::vector<at::Tensor> halves = logits.chunk(2, -1);
  return halves[0] - halves[1];
}

at::Tensor completion_values(LanguageModel& model, const ScoreBatch& batch) {
  const RowSteering steering =
      RowSteering::uniform(Coefficients(0.0, Weighting::uniform(1)));
  return model.head().forward(
      model.completion_states(batch, steering), steering);
}

}  // namespace moft
