#include "benchmarks/shapes.h"

#include <algorithm>
#include <filesystem>

namespace moft::benchmarks {

namespace {

ModelCost t5_cost(const nlohmann::json& config, bool bfloat16) {
  const auto size = [&](const char* key) {
    return config.at(key).get<double>();
  };
  const double width = size("d_model");
  const double inner = size("d_kv") * size("num_heads");
  const bool gated = config.value("feed_forward_proj", "relu") != "relu";
  const double feed_forward = (gated ? 3 : 2) * width * size("d_ff");
  const double decoder_layers = size("num_decoder_layers");
  ModelCost cost;
  // The decoder's keys and values of the prompt are made once per prompt.
  cost.prompt_parameters =
      size("num_layers") * (4 * width * inner + feed_forward) +
      decoder_layers * 2 * width * inner;
  cost.fresh_parameters = decoder_layers * (6 * width * inner + feed_forward);
  cost.head_parameters = size("vocab_size") * width;
  cost.bytes = 4.0 * (cost.fresh_parameters + cost.head_parameters);
  if (bfloat16) {
    const double full = decoder_layers * width * size("d_ff");
    cost.bytes = cost.bytes / 2 + 2.0 * full;
  }
  return cost;
}

}  // namespace

ModelCost cost_of(
    const LoadedModel& model, const std::string& file, bool bfloat16) {
  if (model.config.value("model_type", "") == "t5")
    return t5_cost(model.config, bfloat16);
  const auto vocabulary = model.config.at("vocab_size").get<double>();
  const auto width = model.config.at("hidden_size").get<double>();
  ModelCost cost;
  cost.head_parameters = vocabulary * width;
  cost.fresh_parameters = static_cast<double>(model.model->info().parameters) -
                          cost.head_parameters;
  cost.prompt_parameters = cost.fresh_parameters;
  cost.bytes =
      (bfloat16 ? 2.0 : 4.0) * (cost.fresh_parameters + cost.head_parameters);
  if (!bfloat16 && std::filesystem::is_regular_file(file)) {
    const auto stored = static_cast<double>(std::filesystem::file_size(file));
    cost.bytes = std::min(cost.bytes, stored);
  }
  return cost;
}

Shape shape_of(const LoadedModel& model, const std::string& file) {
  if (model.config.value("model_type", "") != "t5")
    return {"smol", 96, 16, 32, false, 3};
  return {
      std::filesystem::path(file).lexically_normal().filename().string(),
      256,
      32,
      48,
      true,
      1};
}

double generation_seconds(
    const Roofline& roof,
    const ModelCost& cost,
    double rows,
    double prompt,
    double fresh) {
  return roof.seconds(cost.prompt_flops(rows * prompt), cost.bytes) +
         fresh * roof.seconds(cost.fresh_flops(rows), cost.bytes);
}

}  // namespace moft::benchmarks
