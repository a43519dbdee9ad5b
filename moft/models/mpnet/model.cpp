// MPNet's attention.
#include "moft/models/mpnet/model.h"

#include <algorithm>
#include <cmath>

#include "moft/kernels/relative_attention.h"
#include "moft/kernels/tensors.h"
#include "moft/models/t5/relative.h"

namespace moft::mpnet {
namespace {

// transformers computes with this many whatever the configuration says.
constexpr std::int64_t kBuckets = 32;

bert::BertNames names() {
  return {
      .root = "mpnet.",
      .query = "attention.attn.q",
      .key = "attention.attn.k",
      .value = "attention.attn.v",
      .output = "attention.attn.o",
      .attention_norm = "attention.LayerNorm"};
}

}  // namespace

bert::BertConfig parse_config(
    const nlohmann::json& config, const std::string& place) {
  const ConfigKeys keys(config, place, "MPNet encoder");
  constexpr const char* kKey = "relative_attention_num_buckets";
  if (keys.size_or(kKey, kBuckets) != kBuckets) keys.refuse(kKey, "32 buckets");
  bert::BertConfig c = bert::read_shared_keys(keys, "mpnet", 1e-12);
  c.first_position = 2;  // after the padding token's, always 1
  if (c.context() < 2)
    keys.refuse("max_position_embeddings", "texts of two tokens and more");
  return c;
}

MpnetModel::MpnetModel(
    const bert::BertConfig& config,
    const FindParameter& find,
    const LoadOptions& options)
    : BertModel(config, find, options, names()) {
  ModelBuilder builder(steerable_, find, options);
  bias_ = builder.parameter(
      "mpnet.encoder.relative_attention_bias.weight", {kBuckets, config.heads});
  info_.parameters = builder.count();
}

at::Tensor MpnetModel::attend(
    const at::Tensor& qkv,
    const PackedTexts& texts,
    std::size_t,
    const RowSteering& rows) const {
  const std::int64_t heads = config().heads;
  const std::int64_t head = qkv.size(1) / (3 * heads);
  const std::int64_t longest = *std::ranges::max_element(texts.lengths);
  const at::Tensor buckets = relative_buckets(
      1 - longest, 2 * longest - 1, RelativeBuckets{.count = kBuckets});
  // A text's first token says under which steering it is.
  std::vector<std::int64_t> firsts;
  std::int64_t first = 0;
  for (const std::int64_t length : texts.lengths) {
    firsts.push_back(first);
    first += length;
  }
  const at::Tensor bias = relative_bias(
      *bias_,
      buckets,
      std::ssize(texts.lengths),
      rows.select(kernels::long_tensor(firsts, device_)));
  const at::Tensor parts = qkv.view({qkv.size(0), 3, heads, head});
  return kernels::relative_attention(
             parts.select(1, 0),
             parts.select(1, 1),
             parts.select(1, 2),
             bias,
             texts.lengths,
             1.0 / std::sqrt(static_cast<double>(head)))
      .flatten(1);
}

}  // namespace moft::mpnet
