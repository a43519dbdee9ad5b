// What a recipe and its models say to the memory estimate.
#include "moft/recipes/memory_question.h"

#include <filesystem>

namespace moft {

// Other numbers of a GGUF file have 2 bytes or more.
std::optional<std::int64_t> block_bytes_of(const LoadedModel& model) {
  if (!model.gguf_tokenizer) return std::nullopt;
  std::int64_t bytes = 0;
  for (const auto& file : model.weight_files) {
    std::error_code ignored;
    bytes +=
        static_cast<std::int64_t>(std::filesystem::file_size(file, ignored));
  }
  const std::int64_t parameters = model.model->info().parameters;
  if (bytes > parameters + parameters / 2) return std::nullopt;
  return bytes;
}

MemoryQuestion memory_question(
    const Recipe& recipe,
    const QuestionModels& models,
    std::int64_t longest,
    at::Device device) {
  MemoryQuestion question;
  question.shape = models.policy;
  question.block_bytes = models.block_bytes;
  question.value_network = models.value;
  question.conditioning = recipe.conditioning;
  question.training = recipe.training;
  question.objectives = static_cast<std::int64_t>(recipe.objectives.size());
  question.prompt_tokens = longest;
  question.bf16 = recipe.compute.precision == Precision::kBf16;
  question.on_gpu = !device.is_cpu();
  return question;
}

}  // namespace moft
