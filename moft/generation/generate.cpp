#include "moft/generation/generate.h"

#include <algorithm>
#include <map>
#include <set>

#include "moft/core/errors.h"
#include "moft/kernels/token_log_probs.h"

namespace moft {
namespace {

// Looks for stop strings in the bytes of a completion as it grows.
class StopWatch {
 public:
  StopWatch(const std::vector<std::string>& stops, const Tokenizer* tokenizer)
      : stops_(stops), tokenizer_(tokenizer) {
    TORCH_CHECK(
        stops_.empty() || tokenizer_ != nullptr,
        "[generate] stop strings need a tokenizer");
  }

  // Where the first stop string begins, once the new token completes one.
  std::optional<std::size_t> feed(std::int32_t token) {
    if (stops_.empty()) return std::nullopt;
    const std::size_t before = text_.size();
    text_ += tokenizer_->token_bytes(token);
    std::optional<std::size_t> first;
    for (const std::string& stop : stops_) {
      const std::size_t from =
          before + 1 > stop.size() ? before + 1 - stop.size() : 0;
      const std::size_t at = text_.find(stop, from);
      if (at != std::string::npos && (!first || at < *first)) first = at;
    }
    return first;
  }

 private:
  const std::vector<std::string>& stops_;
  const Tokenizer* tokenizer_;
  std::string text_;
};

// One part of a batch from prefill to the last row's end.
class PartDecoder {
 public:
  PartDecoder(
      LanguageModel& model,
      const GenerateBatch& batch,
      std::size_t begin,
      std::size_t end,
      const GenerateOptions& options,
      const Tokenizer* tokenizer,
      const OnToken& on_token)
      : options_(options),
        on_token_(on_token),
        begin_(begin),
        twins_(batch.reference.has_value()) {
    for (std::size_t r = begin; r < end; ++r) {
      const RowKey& key = batch.keys.at(r);
      streams_.emplace_back(key.seed, key.purpose, key.step, key.row);
      watches_.emplace_back(options.stop_strings, tokenizer);
    }
    session_ = model.decode(part(batch, begin, end, options));
  }

  std::vector<Generation> run() {
    std::vector<Generation> results(streams_.size());
    while (!session_->rows().empty()) {
      const auto drawn = draw();
      if (twins_) compare(results);
      std::vector<std::int64_t> alive;
      std::vector<std::int32_t> fed;
      for (std::size_t i = 0; i < drawn.size(); ++i) {
        const auto row = static_cast<std::size_t>(session_->rows()[i]);
        if (append(results[row], row, drawn[i])) {
          alive.push_back(static_cast<std::int64_t>(i));
          fed.push_back(drawn[i].token);
        }
      }
      if (twins_) {
        add_twins(alive, static_cast<std::int64_t>(drawn.size()));
        fed.insert(fed.end(), fed.begin(), fed.end());
      }
      session_->keep(alive);
      if (!alive.empty()) session_->advance(fed);
    }
    return results;
  }

  const DecodeSession& session() const { return *session_; }

 private:
  struct Drawn {
    std::int32_t token;
    float log_prob;
  };

  // The rows of a part, with only the prompts and steerings that it uses.
  static DecodeBatch part(
      const GenerateBatch& batch,
      std::size_t begin,
      std::size_t end,
      const GenerateOptions& options) {
    DecodeBatch decode;
    decode.steerings = batch.steerings;
    decode.max_new_tokens = options.max_new_tokens;
    decode.record_features = batch.record_features;
    decode.keep_graph = batch.keep_graph;
    if (batch.record_features) {
      // Features are addressed by the batch's own prompts.
      decode.prompts = batch.prompts;
      decode.rows = batch.rows;
      return decode;
    }
    std::map<std::int64_t, std::int64_t> places;
    const auto place_of = [&](std::int64_t prompt) {
      const auto next = static_cast<std::int64_t>(decode.prompts.size());
      const auto [entry, added] = places.try_emplace(prompt, next);
      if (added) {
        decode.prompts.push_back(
            batch.prompts.at(static_cast<std::size_t>(prompt)));
      }
      return entry->second;
    };
    for (std::size_t r = begin; r < end; ++r) {
      const DecodeRow& row = batch.rows[r];
      decode.rows.push_back({place_of(row.prompt), row.steering});
    }
    if (batch.reference) {
      const auto reference = static_cast<std::int64_t>(decode.steerings.size());
      decode.steerings.push_back(*batch.reference);
      const bool own = batch.reference_prompts.empty();
      for (std::size_t r = begin; r < end; ++r) {
        const std::int64_t prompt =
            own ? batch.rows[r].prompt : batch.reference_prompts.at(r);
        decode.rows.push_back({place_of(prompt), reference});
      }
    }
    return decode;
  }

  // Rows of the session that belong to the policy; their twins follow.
  std::int64_t policy_rows() const {
    const auto rows = static_cast<std::int64_t>(session_->rows().size());
    return twins_ ? rows / 2 : rows;
  }

  static void add_twins(std::vector<std::int64_t>& alive, std::int64_t offset) {
    const std::size_t count = alive.size();
    for (std::size_t i = 0; i < count; ++i)
      alive.push_back(alive[i] + offset);
  }

  void compare(std::vector<Generation>& results) const {
    const std::int64_t rows = policy_rows();
    const at::Tensor& logits = session_->logits();
    const at::Tensor kl = kernels::exact_kl(
                              logits.narrow(0, 0, rows),
                              logits.narrow(0, rows, rows),
                              1.0 / options_.sampling.temperature)
                              .to(at::kCPU)
                              .contiguous();
    for (std::int64_t i = 0; i < rows; ++i) {
      const auto row = static_cast<std::size_t>(
          session_->rows()[static_cast<std::size_t>(i)]);
      results[row].exact_kl.push_back(kl.const_data_ptr<float>()[i]);
    }
  }

  std::vector<Drawn> draw() {
    const auto count = static_cast<std::size_t>(policy_rows());
    std::vector<double> uniforms;
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = static_cast<std::size_t>(session_->rows()[i]);
      uniforms.push_back(streams_[row].uniform());
    }
    const kernels::Samples samples = kernels::sample_rows(
        session_->logits().narrow(0, 0, policy_rows()),
        options_.sampling,
        uniforms);
    std::vector<Drawn> drawn;
    for (std::size_t i = 0; i < count; ++i) {
      drawn.push_back(
          {static_cast<std::int32_t>(
               samples.ids.const_data_ptr<std::int64_t>()[i]),
           samples.log_probs.const_data_ptr<float>()[i]});
    }
    return drawn;
  }

  // Adds a token to a row; false when the row is over.
  bool append(Generation& result, std::size_t row, const Drawn& drawn) {
    result.tokens.push_back(drawn.token);
    result.log_probs.push_back(drawn.log_prob);
    const bool wanted =
        !on_token_ || on_token_(begin_ + row, drawn.token, drawn.log_prob);
    const auto& ends = options_.end_tokens;
    if (std::find(ends.begin(), ends.end(), drawn.token) != ends.end()) {
      result.finished = true;
      return false;
    }
    result.stop_at = watches_[row].feed(drawn.token);
    if (result.stop_at) {
      result.finished = true;
      return false;
    }
    const auto length = static_cast<std::int64_t>(result.tokens.size());
    return wanted && length < options_.max_new_tokens;
  }

  const GenerateOptions& options_;
  const OnToken& on_token_;
  std::size_t begin_;
  bool twins_;
  std::vector<RandomStream> streams_;
  std::vector<StopWatch> watches_;
  std::unique_ptr<DecodeSession> session_;
};

// A steering with its own mixed weights (steered_linear.h) costs the memory of
// one more model while its part is decoded.
constexpr std::size_t kMixturesAtOnce = 8;

bool keeps_mixtures(const LanguageModel& model) {
  const auto& parameters = model.steerable().parameters;
  return std::any_of(
      parameters.begin(), parameters.end(), [](const auto& parameter) {
        return parameter->steered() && parameter->way() == SteeringWay::kMixed;
      });
}

// Where the part that begins at a row ends.
std::size_t end_of_part(
    const GenerateBatch& batch,
    std::size_t begin,
    std::size_t rows_at_once,
    bool few_steerings) {
  const std::size_t end = std::min(batch.rows.size(), begin + rows_at_once);
  if (!few_steerings) return end;
  std::set<std::int64_t> steerings;
  for (std::size_t row = begin; row < end; ++row) {
    steerings.insert(batch.rows[row].steering);
    if (steerings.size() > kMixturesAtOnce) return row;
  }
  return end;
}

}  // namespace

Generations generate(
    LanguageModel& model,
    const GenerateBatch& batch,
    const GenerateOptions& options,
    const Tokenizer* tokenizer,
    const OnToken& on_token) {
  TORCH_CHECK(
      batch.rows.size() == batch.keys.size(),
      "[generate] needs one key per row");
  const auto rows = batch.rows.size();
  const auto step = static_cast<std::size_t>(options.rows_at_once);
  TORCH_CHECK(
      !batch.record_features || !batch.reference,
      "[generate] features and a reference are not recorded together");
  TORCH_CHECK(
      !batch.record_features || rows <= step,
      "[generate] features can be recorded for ",
      step,
      " rows at once, got ",
      rows);
  TORCH_CHECK(
      !batch.keep_graph || batch.record_features,
      "[generate] a graph is kept together with features");
  Generations result;
  // A part whose features are recorded is not split.
  const bool few = !batch.record_features && keeps_mixtures(model);
  for (std::size_t begin = 0, end = 0; begin < rows; begin = end) {
    end = end_of_part(batch, begin, step, few);
    PartDecoder decoder(model, batch, begin, end, options, tokenizer, on_token);
    for (Generation& row : decoder.run())
      result.rows.push_back(std::move(row));
    if (batch.record_features) result.features = decoder.session().features();
    if (batch.keep_graph)
      result.prompt_graph = decoder.session().prompt_graph();
  }
  return result;
}

}  // namespace moft
