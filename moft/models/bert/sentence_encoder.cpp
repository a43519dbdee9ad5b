#include "moft/models/bert/sentence_encoder.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/hf_directory.h"
#include "moft/checkpoints/json_text.h"
#include "moft/core/errors.h"

namespace moft::bert {
namespace {

using Text = std::vector<std::int32_t>;

Text truncate(const Text& text, std::int64_t max_tokens) {
  const auto limit = static_cast<std::size_t>(max_tokens);
  if (text.size() <= limit) return text;
  Text cut(text.begin(), text.begin() + max_tokens);
  cut.back() = text.back();
  return cut;
}

// Indices from short to long; equal lengths keep their order.
std::vector<std::size_t> by_length(std::span<const Text> texts) {
  std::vector<std::size_t> order(texts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return texts[a].size() < texts[b].size();
  });
  return order;
}

at::Tensor row_indices(std::span<const std::size_t> order) {
  const at::Tensor rows =
      at::empty({static_cast<std::int64_t>(order.size())}, at::kLong);
  std::copy(order.begin(), order.end(), rows.data_ptr<std::int64_t>());
  return rows;
}

}  // namespace

SentenceEncoder::SentenceEncoder(BertModel model, SentenceOptions options)
    : model_(std::move(model)), options_(options) {
  const std::int64_t positions = model_.config().max_positions;
  if (options_.max_tokens < 2 || options_.max_tokens > positions) {
    throw_caller_error(
        "[sentence encoder] max_tokens is {}; the model takes 2 to {}",
        options_.max_tokens,
        positions);
  }
}

at::Tensor SentenceEncoder::embed(std::span<const Text> texts) const {
  const auto count = static_cast<std::int64_t>(texts.size());
  const at::Tensor embeddings = at::empty({count, dimension()}, at::kFloat);
  const std::vector<std::size_t> order = by_length(texts);
  std::size_t first = 0;
  while (first < order.size()) {
    std::vector<Text> pass;
    std::int64_t tokens = 0;
    std::size_t last = first;
    while (last < order.size() && tokens < options_.tokens_per_pass) {
      pass.push_back(truncate(texts[order[last++]], options_.max_tokens));
      tokens += static_cast<std::int64_t>(pass.back().size());
    }
    embeddings.index_copy_(
        0,
        row_indices({order.data() + first, last - first}),
        embed_pass(pass).to(at::kCPU));
    first = last;
  }
  return embeddings;
}

at::Tensor SentenceEncoder::embed_pass(std::span<const Text> texts) const {
  const at::NoGradGuard no_gradient;
  const at::Tensor hidden = model_.hidden_states(texts);
  std::vector<at::Tensor> pooled;
  std::int64_t row = 0;
  for (const Text& text : texts) {
    const auto length = static_cast<std::int64_t>(text.size());
    pooled.push_back(
        options_.pooling == Pooling::kMean
            ? hidden.narrow(0, row, length).mean(0)
            : hidden[row]);
    row += length;
  }
  const at::Tensor stacked = at::stack(pooled);
  return stacked / stacked.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);
}

namespace {

using Json = nlohmann::json;

std::string read_small_file(const std::filesystem::path& path) {
  return read_text(path, /*max_bytes=*/1 << 20);
}

// sentence-transformers' own limit, or what the model has positions for.
std::int64_t read_max_tokens(
    const std::filesystem::path& directory, std::int64_t positions) {
  const auto path = directory / "sentence_bert_config.json";
  if (!std::filesystem::exists(path)) return positions;
  const Json json = parse_json_object(read_small_file(path), path.string());
  const auto field = json.find("max_seq_length");
  if (field == json.end() || field->is_null()) return positions;
  if (!field->is_number_integer() || *field < 2 || *field > positions) {
    throw_caller_error(
        "{}: max_seq_length is {}; it must be a whole number from 2 to the "
        "model's {} positions",
        path.string(),
        field->dump(),
        positions);
  }
  return field->get<std::int64_t>();
}

// The folder of the pooling module, from the chain that modules.json lists;
// absent where there is no such file.
std::optional<std::filesystem::path> find_pooling(
    const std::filesystem::path& directory) {
  const auto path = directory / "modules.json";
  if (!std::filesystem::exists(path)) return std::nullopt;
  const Json modules =
      Json::parse(read_small_file(path), nullptr, /*allow_exceptions=*/false);
  const char* const kinds[] = {"Transformer", "Pooling", "Normalize"};
  bool known = modules.is_array() && modules.size() >= 2 && modules.size() <= 3;
  for (std::size_t i = 0; known && i < modules.size(); ++i) {
    const Json& module = modules[i];
    known = module.is_object() && module.contains("type") &&
            module["type"].is_string() && module.contains("path") &&
            module["path"].is_string() &&
            module["type"].get<std::string>().ends_with(
                std::string(".") + kinds[i]);
  }
  if (!known) {
    throw_caller_error(
        "{}: only the chain Transformer, Pooling[, Normalize] is supported",
        path.string());
  }
  return directory / modules[1]["path"].get<std::string>();
}

Pooling read_pooling(const std::filesystem::path& directory) {
  const auto folder = find_pooling(directory);
  if (!folder) return Pooling::kMean;
  const auto path = *folder / "config.json";
  const Json json = parse_json_object(read_small_file(path), path.string());
  std::vector<std::string> modes;
  for (const auto& [name, value] : json.items()) {
    if (name.starts_with("pooling_mode_") && value == true) {
      modes.push_back(name);
    }
  }
  if (modes == std::vector<std::string>{"pooling_mode_mean_tokens"}) {
    return Pooling::kMean;
  }
  if (modes == std::vector<std::string>{"pooling_mode_cls_token"}) {
    return Pooling::kFirst;
  }
  throw_caller_error(
      "{}: exactly one of pooling_mode_mean_tokens and pooling_mode_cls_token "
      "must be true, and no other mode",
      path.string());
}

}  // namespace

SentenceEncoder load_sentence_encoder(
    const std::filesystem::path& directory, at::Device device) {
  const HfDirectory files(directory);
  const BertConfig config =
      parse_config(files.config(), (directory / "config.json").string());
  SentenceOptions options;
  options.pooling = read_pooling(directory);
  options.max_tokens = read_max_tokens(directory, config.max_positions);
  return {BertModel(config, load_weights(files, config), device), options};
}

std::int64_t read_window(const std::filesystem::path& directory) {
  const auto path = directory / "config.json";
  const BertConfig config = parse_config(
      parse_json_object(read_small_file(path), path.string()), path.string());
  return read_max_tokens(directory, config.max_positions);
}

}  // namespace moft::bert
