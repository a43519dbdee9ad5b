// llama.cpp's names of the tensors of Llama-shaped decoders.
#include "moft/models/llama/names.h"

#include <array>
#include <utility>

namespace moft {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array<Pair, 3> kGlobal{{
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
}};

constexpr std::array<Pair, 11> kInLayer{{
    {"input_layernorm", "attn_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
}};

}  // namespace

std::optional<std::string> llama_gguf_name(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view stem = name.substr(0, dot);
  const std::string suffix(name.substr(dot));
  for (const auto& [ours, theirs] : kGlobal) {
    if (stem == ours) return std::string(theirs) + suffix;
  }
  constexpr std::string_view kPrefix = "model.layers.";
  if (!stem.starts_with(kPrefix)) return std::nullopt;
  const std::string_view rest = stem.substr(kPrefix.size());
  const auto end = rest.find('.');
  if (end == std::string_view::npos) return std::nullopt;
  for (const auto& [ours, theirs] : kInLayer) {
    if (rest.substr(end + 1) == ours) {
      return "blk." + std::string(rest.substr(0, end)) + "." +
             std::string(theirs) + suffix;
    }
  }
  return std::nullopt;
}

}  // namespace moft
