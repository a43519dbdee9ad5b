// Sampling completions token by token.
//
// The random numbers of a row depend on its key (seed, purpose, step, row)
// alone: token t uses the t-th uniform of the row's stream. On the CPU a row's
// logits depend on its own tokens and steering alone (see the kernels'
// guarantee), so on one machine a row's completion is the same, bit for bit,
// in any batch, at any thread count; full copies are applied in one way for a
// whole job (Conditioning::expect_steerings). On other devices
// log-probabilities agree to rounding and a draw that falls within it may
// differ.
//
// Rows whose completion is finished leave the batch. Large batches are decoded
// in parts of `rows_at_once` rows and, where each steering has its own mixed
// weights, of at most 8 steerings (mixtures.h).
//
// Errors: CallerError for indices outside the batch, lists that do not have one
// entry for each row, and what the decoder refuses.
// Thread safety: one thread per model.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moft/core/random.h"
#include "moft/kernels/sample_options.h"
#include "moft/models/decoder.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {

// How one completion is sampled and when it ends.
struct RowOptions {
  std::int64_t max_new_tokens = 32;
  // Temperature here is the whole one: the policy's times the request's.
  kernels::SampleOptions sampling;
  // Tokens that end a completion; they belong to it and to its probability.
  TokenIds end_tokens;
  // Texts that end a completion; the text returned stops before them.
  std::vector<std::string> stop_strings;
};

struct GenerateOptions : RowOptions {
  std::int64_t rows_at_once = 64;
};

// Names a row's random stream.
struct RowKey {
  std::uint64_t seed = 0;
  Purpose purpose = Purpose::kGenerate;
  std::uint32_t step = 0;
  std::uint32_t row = 0;
};

struct Generation {
  TokenIds tokens;  // the end token included, when there is one
  // Under the tempered policy, truncation (top-k, top-p) not counted.
  std::vector<float> log_probs;
  // With a reference: the KL of the next-token distribution at each token,
  // policy to reference, summed over the whole vocabulary; nats.
  std::vector<float> exact_kl;
  // Ended by an end token or a stop string, not by max_new_tokens.
  bool finished = false;
  // Where a stop string begins in the completion's bytes.
  std::optional<std::size_t> stop_at;
};

// Called for each new token of each row, in the order of decoding; returning
// false ends that row as unfinished.
using OnToken =
    std::function<bool(std::size_t row, std::int32_t token, float log_prob)>;

// Called for each row that has ended, while others are still decoded.
using OnRow = std::function<void(std::size_t row, const Generation&)>;

struct GenerateBatch {
  std::vector<TokenIds> prompts;
  std::vector<Coefficients> steerings;
  std::vector<DecodeRow> rows;  // [B]
  std::vector<RowKey> keys;     // [B]
  // [B], or empty: every row under the call's options.
  std::vector<RowOptions> options;
  // Each row's twin under this steering reads the same tokens beside it, and
  // exact_kl compares the two. The same arithmetic on both: equal parameters
  // give exactly 0.
  std::optional<Coefficients> reference;
  // The prompt that each row's twin reads, an index into `prompts`; empty: the
  // row's own.
  std::vector<std::int64_t> reference_prompts;
  // DecodeGroup has the rules. The graph is kept when the batch is one part.
  bool record_features = false;
  bool keep_graph = false;
};

struct Generations {
  std::vector<Generation> rows;  // [B]
  // When recorded; undefined for prompts without rows.
  std::shared_ptr<const Features> features;
  std::shared_ptr<const PromptGraph> prompt_graph;  // when kept
};

// `tokenizer` is needed for stop strings only.
Generations generate(
    LanguageModel& model,
    const GenerateBatch& batch,
    const GenerateOptions& options,
    const Tokenizer* tokenizer = nullptr,
    const OnToken& on_token = nullptr,
    const OnRow& on_row = nullptr);

}  // namespace moft
