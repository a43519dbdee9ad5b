// Reading the T5 reference models and running them.
#pragma once

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "moft/checkpoints/safetensors.h"
#include "moft/conditioning/conditioning.h"
#include "moft/models/load.h"

#include "tests/models/decoder_support.h"
#include "tests/support/tensors.h"

namespace moft::t5_test {

namespace fs = std::filesystem;

inline const fs::path kReference =
    fs::path(MOFT_SOURCE_DIR) / "tests/reference/models";

inline at::Tensor read(const TensorSource& source, const std::string& name) {
  const TensorView view = source.find(name).value();
  const auto type = view.type == TensorType::kF64   ? at::kDouble
                    : view.type == TensorType::kI32 ? at::kInt
                                                    : at::kFloat;
  const at::Tensor tensor = at::empty(view.shape, type);
  std::memcpy(tensor.data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor;
}

inline TokenIds ids_of(const TensorSource& source, const std::string& name) {
  const at::Tensor ids = read(source, name);
  const auto* data = ids.const_data_ptr<std::int32_t>();
  return {data, data + ids.numel()};
}

inline std::unique_ptr<LanguageModel> load(
    const fs::path& path, const LoadOptions& options = {}) {
  return std::move(load_language_model(path, options).model);
}

inline Coefficients mixed(double beta, std::vector<double> w) {
  return Coefficients(beta, Weighting(std::move(w)));
}

// One completion per prompt.
inline ScoreBatch pairs(
    std::vector<TokenIds> prompts, std::vector<TokenIds> completions) {
  ScoreBatch batch;
  for (std::size_t r = 0; r < completions.size(); ++r)
    batch.prompt_of_row.push_back(static_cast<std::int64_t>(r));
  batch.prompts = std::move(prompts);
  batch.completions = std::move(completions);
  return batch;
}

inline at::Tensor scored(
    LanguageModel& model,
    const ScoreBatch& batch,
    const RowSteering& steering =
        RowSteering::uniform(Coefficients::frozen_reference())) {
  at::NoGradGuard no_gradient;
  return model.completion_logits(batch, steering);
}

using test::decode_group;
using test::decoded;

inline at::Tensor log_probs(
    const at::Tensor& logits, const std::vector<TokenIds>& completions) {
  std::vector<std::int64_t> targets;
  for (const TokenIds& row : completions)
    targets.insert(targets.end(), row.begin(), row.end());
  return logits.log_softmax(-1)
      .gather(1, at::tensor(targets, at::kLong).unsqueeze(1))
      .squeeze(1);
}

// Within 1e-5 of the largest logit of transformers' float32 result, or no
// further from its float64 result than twice its float32 one is.
inline void expect_logits(
    const at::Tensor& ours, const TensorSource& expected) {
  const at::Tensor exact = read(expected, "float64");
  const at::Tensor single = read(expected, "float32");
  ASSERT_EQ(ours.sizes(), single.sizes());
  const double from_single = test::largest(ours - single);
  const double from_exact = test::largest(ours.to(at::kDouble) - exact);
  const double theirs = test::largest(single.to(at::kDouble) - exact);
  const double largest = test::largest(exact);
  EXPECT_TRUE(from_single <= 1e-5 * largest || from_exact <= 2 * theirs)
      << "from float32 " << from_single << ", from float64 " << from_exact
      << ", theirs " << theirs << ", largest " << largest;
}

class TinyT5 : public testing::TestWithParam<const char*> {
 protected:
  // Prompts of 1, 7, 33 and 50 tokens, completions of 30, 1, 12 and 5.
  std::vector<TokenIds> ragged_prompts() const {
    const auto cut = [&](std::ptrdiff_t from, std::ptrdiff_t to) {
      return TokenIds(prompt_.begin() + from, prompt_.begin() + to);
    };
    return {cut(0, 1), cut(3, 10), cut(10, 43), prompt_};
  }
  std::vector<TokenIds> ragged_completions() const {
    const auto cut = [&](std::ptrdiff_t from, std::ptrdiff_t to) {
      return TokenIds(completion_.begin() + from, completion_.begin() + to);
    };
    return {completion_, cut(4, 5), cut(8, 20), cut(3, 8)};
  }

  // Two objectives whose masters are away from the reference.
  std::unique_ptr<Conditioning> condition(
      SteeredSet set,
      const std::string& layers = "all",
      std::vector<LinearKind> modules = LoraOptions().modules) {
    ConditioningOptions options;
    options.steered_set = set;
    options.lora.rank = 2;
    options.lora.layers = layers;
    options.lora.modules = std::move(modules);
    auto installed =
        install_conditioning(model_->steerable(), options, {"a", "b"}, 5);
    Conditioning& conditioning = *installed;
    at::NoGradGuard no_gradient;
    std::uint32_t row = 1000;
    for (const TrainedTensor& entry : conditioning.trained()) {
      const auto shape = entry.master.sizes().vec();
      entry.master.add_(test::normal_tensor(shape, row++, 0.2));
    }
    conditioning.masters_changed();
    return installed;
  }

  fs::path directory_ = kReference / GetParam();
  SafetensorsFile expected_{directory_ / "expected.safetensors"};
  TokenIds prompt_ = ids_of(expected_, "prompt");
  TokenIds completion_ = ids_of(expected_, "completion");
  std::unique_ptr<LanguageModel> model_ = load(directory_);
};

}  // namespace moft::t5_test
