// How GPT-2s are read from files.
#include "moft/models/gpt2/family.h"

#include <mutex>

#include "moft/models/config_keys.h"
#include "moft/models/decoder_config.h"
#include "moft/models/gpt2/model.h"

namespace moft::gpt2 {
namespace {

using nlohmann::json;

bool is_transposed(const std::string& name) {
  return name.ends_with("c_attn.weight") || name.ends_with("c_proj.weight") ||
         name.ends_with("c_fc.weight");
}

// Rows [out, in] of a matrix that the file has as [in, out]. The file's numbers
// are kept from the first row that is asked for to the last.
class Transposed {
 public:
  Transposed(kernels::ReadRows read, std::int64_t in, std::int64_t out)
      : read_(std::move(read)), in_(in), out_(out) {}

  void rows(std::int64_t begin, std::int64_t end, float* target) {
    const std::lock_guard lock(mutex_);
    if (stored_.empty()) {
      stored_.resize(static_cast<std::size_t>(in_ * out_));
      read_(0, in_, stored_.data());
    }
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t i = 0; i < in_; ++i)
        *target++ = stored_[static_cast<std::size_t>(i * out_ + row)];
    }
    if (end == out_) stored_ = {};
  }

 private:
  kernels::ReadRows read_;
  std::int64_t in_;
  std::int64_t out_;
  std::vector<float> stored_;
  std::mutex mutex_;
};

}  // namespace

Gpt2Config parse_config(const json& config, const std::string& place) {
  const ConfigKeys keys(config, place, "GPT-2");
  Gpt2Config c;
  c.vocabulary = keys.size("vocab_size");
  c.width = keys.size("n_embd");
  c.layers = keys.size("n_layer");
  c.heads = keys.size("n_head");
  c.context = keys.size("n_positions");
  c.inner = keys.size_or("n_inner", 4 * c.width);
  c.norm_epsilon = keys.positive_or("layer_norm_epsilon", 1e-5);
  c.activation = read_activation(keys, "activation_function", "gelu_new");
  if (c.width % c.heads != 0)
    keys.refuse("n_head", "a number of heads that divides n_embd");
  if (!keys.flag_or("scale_attn_weights", true))
    keys.refuse("scale_attn_weights", "scores over the root of the head size");
  for (const char* key :
       {"scale_attn_by_inverse_layer_idx", "add_cross_attention"}) {
    if (keys.flag_or(key, false)) keys.refuse(key, "false");
  }
  refuse_quantised(keys);
  return c;
}

ScoreFamily score_family() {
  ScoreFamily family;
  family.model_types = {"gpt2"};
  family.root = "transformer.";
  family.anchor = "wte.weight";
  family.unused = {"attn.bias", "lm_head."};
  family.transposed = is_transposed;
  family.size = [](const json& config, const std::string& place) {
    const Gpt2Config c = parse_config(config, place);
    return EncoderSize{c.vocabulary, c.context - 1};
  };
  family.make = [](const json& config,
                   const std::string& place,
                   const FindParameter& find,
                   const LoadOptions& options) {
    const FindParameter turned = [&](const std::string& name,
                                     std::vector<std::int64_t> shape) {
      if (!is_transposed(name)) return find(name, std::move(shape));
      const auto matrix = std::make_shared<Transposed>(
          find(name, {shape[1], shape[0]}).floats, shape[1], shape[0]);
      return kernels::RowSource(
          [matrix](std::int64_t begin, std::int64_t end, float* target) {
            matrix->rows(begin, end, target);
          });
    };
    return std::make_unique<Gpt2Model>(
        parse_config(config, place), turned, options);
  };
  return family;
}

}  // namespace moft::gpt2
