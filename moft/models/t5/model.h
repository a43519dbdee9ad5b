// A T5 encoder-decoder on packed tokens.
//
// The prompt is what the encoder reads; the completion is what the decoder
// writes after its start token. A forward pass walks blocks over `hidden`
// [tokens, width]; how tokens attend to each other is the business of the
// pass's functions: padded batches (scoring, differentiable) or key/value
// buffers (decoding). The reference computation is Hugging Face's
// T5ForConditionalGeneration without dropout.
//
// Layers are numbered from the bottom: the encoder's 0 .. E - 1, then the
// decoder's E .. E + D - 1, then the head.
//
// bf16 storage leaves the feed-forward output matrices (`wo`) in float32, as
// transformers does: their inputs have outliers.
//
// Thread safety: one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "moft/models/language_model.h"
#include "moft/models/model_builder.h"
#include "moft/models/t5/config.h"

namespace moft {

// q, k, v [tokens, heads, head_size] of a block (numbered within its stack) ->
// [tokens, heads * head_size].
using T5SelfAttend = std::function<at::Tensor(
    std::int64_t block,
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v)>;
// The same against the keys and values of the encoded prompts.
using T5CrossAttend =
    std::function<at::Tensor(std::int64_t block, const at::Tensor& q)>;

struct T5Attention {
  std::shared_ptr<SteeredParameter> norm;
  SteeredLinear q, k, v, o;
};

struct T5FeedForward {
  std::shared_ptr<SteeredParameter> norm;
  SteeredLinear gate;  // gated only
  SteeredLinear up, down;
};

struct T5Block {
  T5Attention self;
  T5Attention cross;  // decoder only
  T5FeedForward feed_forward;
};

struct T5Stack {
  bool is_decoder = false;
  std::vector<T5Block> blocks;
  std::shared_ptr<SteeredParameter> relative_bias;  // [buckets, heads]
  std::shared_ptr<SteeredParameter> final_norm;
};

// Packed tokens on their way through a stack.
struct T5Pass {
  RowSteering steering;  // one row per token, or uniform
  T5SelfAttend attend;
  T5CrossAttend cross;  // decoder only
};

class T5Model : public LanguageModel {
 public:
  T5Model(
      T5Config config, const FindParameter& find, const LoadOptions& options);

  at::Tensor completion_states(
      const ScoreBatch& batch, const RowSteering& steering) override;
  // The encoder's states.
  at::Tensor token_states(
      const std::vector<TokenIds>& texts, const RowSteering& steering) override;
  std::unique_ptr<Decoder> open_decoder(const DecoderLimits& limits) override;

  const T5Config& config() const { return config_; }

  // ids int64 [tokens] -> hidden [tokens, width].
  at::Tensor embed(const at::Tensor& ids, const RowSteering& steering) const;
  const T5Stack& encoder() const { return encoder_; }
  const T5Stack& decoder() const { return decoder_; }
  // hidden entering block `begin` of a stack -> hidden leaving block `end` - 1.
  at::Tensor run_blocks(
      const T5Stack& stack,
      at::Tensor hidden,
      std::int64_t begin,
      std::int64_t end,
      const T5Pass& pass) const;
  // The encoder's last norm: what the decoder looks at.
  at::Tensor finish_encoder(
      const at::Tensor& hidden, const RowSteering& steering) const;
  // Keys and values of a decoder block over encoded tokens:
  // [tokens, heads, head_size] each.
  std::pair<at::Tensor, at::Tensor> cross_keys_values(
      std::int64_t block,
      const at::Tensor& encoded,
      const RowSteering& steering) const;
  // Biases of self-attention over n tokens by distance, a row of `steering`
  // per sequence: [sequences or 1, heads, 2 n - 1] of the encoder (distances
  // 1 - n .. n - 1) and [.., heads, n] of the decoder (1 - n .. 0).
  at::Tensor distance_bias(
      const T5Stack& stack,
      std::int64_t n,
      std::int64_t sequences,
      const RowSteering& steering) const;
  // The decoder's last norm and a tied head's scale: what the head multiplies.
  at::Tensor final_states(
      const at::Tensor& hidden, const RowSteering& steering) const;
  // The same and the output head: [rows, width] -> [rows, V].
  at::Tensor head(const at::Tensor& hidden, const RowSteering& steering) const;

 private:
  void build(ModelBuilder& builder);
  void build_stack(ModelBuilder& builder, T5Stack& stack);
  void build_feed_forward(
      ModelBuilder& builder, T5FeedForward& layer, const std::string& prefix);
  at::Tensor norm(
      const at::Tensor& x,
      const SteeredParameter& gain,
      const T5Pass& pass) const;
  at::Tensor self_attention(
      const at::Tensor& x,
      const T5Attention& attention,
      std::int64_t block,
      const T5Pass& pass) const;
  at::Tensor cross_attention(
      const at::Tensor& x,
      const T5Attention& attention,
      std::int64_t block,
      const T5Pass& pass) const;
  at::Tensor feed_forward(
      const at::Tensor& x,
      const T5FeedForward& layer,
      const T5Pass& pass) const;
  at::Tensor by_head(const at::Tensor& x) const;

  T5Config config_;
  std::shared_ptr<SteeredParameter> embedding_;
  T5Stack encoder_;
  T5Stack decoder_;
};

}  // namespace moft
