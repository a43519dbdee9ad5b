// Batches through a decoder, part by part.
#include "moft/generation/generate.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "moft/core/errors.h"
#include "moft/kernels/sampling.h"
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

// The rows of a part, with only the prompts that it uses; their twins follow.
DecodeGroup group_of(
    const GenerateBatch& batch,
    std::size_t begin,
    std::size_t end,
    const std::vector<std::int64_t>& max_new_tokens) {
  DecodeGroup group;
  group.steerings = batch.steerings;
  group.max_new_tokens = max_new_tokens;
  group.record_features = batch.record_features;
  group.keep_graph = batch.keep_graph;
  if (batch.record_features) {
    // Features are addressed by the batch's own prompts.
    group.prompts = batch.prompts;
    group.rows = batch.rows;
    return group;
  }
  std::map<std::int64_t, std::int64_t> places;
  const auto place_of = [&](std::int64_t prompt) {
    const auto next = static_cast<std::int64_t>(group.prompts.size());
    const auto [entry, added] = places.try_emplace(prompt, next);
    if (added) {
      group.prompts.push_back(
          batch.prompts.at(static_cast<std::size_t>(prompt)));
    }
    return entry->second;
  };
  for (std::size_t r = begin; r < end; ++r) {
    const DecodeRow& row = batch.rows[r];
    group.rows.push_back({place_of(row.prompt), row.steering});
  }
  if (batch.reference) {
    const auto reference = static_cast<std::int64_t>(group.steerings.size());
    group.steerings.push_back(*batch.reference);
    const bool own = batch.reference_prompts.empty();
    for (std::size_t r = begin; r < end; ++r) {
      const std::int64_t prompt =
          own ? batch.rows[r].prompt : batch.reference_prompts.at(r);
      group.rows.push_back({place_of(prompt), reference});
      group.max_new_tokens.push_back(max_new_tokens[r - begin]);
    }
  }
  return group;
}

// One part of a batch from prefill to the last row's end.
class Part {
 public:
  Part(
      Decoder& decoder,
      const GenerateBatch& batch,
      std::size_t begin,
      std::size_t end,
      const GenerateOptions& options,
      const Tokenizer* tokenizer,
      const OnToken& on_token)
      : decoder_(decoder),
        on_token_(on_token),
        begin_(begin),
        twins_(batch.reference.has_value()) {
    std::vector<std::int64_t> max_new_tokens;
    for (std::size_t r = begin; r < end; ++r) {
      const RowKey& key = batch.keys.at(r);
      const RowOptions& own =
          batch.options.empty() ? options : batch.options.at(r);
      rows_.push_back(
          {&own,
           RandomStream(key.seed, key.purpose, key.step, key.row),
           StopWatch(own.stop_strings, tokenizer)});
      max_new_tokens.push_back(own.max_new_tokens);
    }
    one_sampling_ =
        std::all_of(rows_.begin(), rows_.end(), [this](const Row& row) {
          return row.options->sampling == rows_[0].options->sampling;
        });
    const Admission admission =
        decoder_.admit(group_of(batch, begin, end, max_new_tokens));
    TORCH_CHECK(admission.refusal.empty(), "[generate] ", admission.refusal);
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      rows_[r].slot = admission.slots[r];
      if (twins_) rows_[r].twin = admission.slots[rows_.size() + r];
    }
  }

  std::vector<Generation> run() {
    std::vector<Generation> results(rows_.size());
    std::vector<std::size_t> alive(rows_.size());
    std::iota(alive.begin(), alive.end(), std::size_t{0});
    // Slots rise: the rows, then their twins.
    at::Tensor logits = decoder_.prefill().logits;
    while (!alive.empty()) {
      const auto drawn = draw(alive, logits);
      if (twins_) compare(alive, logits, results);
      std::vector<std::size_t> going;
      std::vector<std::int32_t> fed;
      for (std::size_t i = 0; i < alive.size(); ++i) {
        const std::size_t row = alive[i];
        if (append(results[row], row, drawn[i])) {
          going.push_back(row);
          fed.push_back(drawn[i].token);
        } else {
          leave(row);
        }
      }
      alive = std::move(going);
      if (!alive.empty()) logits = step(alive, std::move(fed));
    }
    return results;
  }

 private:
  struct Row {
    const RowOptions* options;
    RandomStream stream;
    StopWatch watch;
    Slot slot = 0;
    Slot twin = 0;
  };
  struct Drawn {
    std::int32_t token;
    float log_prob;
  };

  void leave(std::size_t row) {
    decoder_.evict(rows_[row].slot);
    if (twins_) decoder_.evict(rows_[row].twin);
  }

  // Twins read what their partners drew.
  at::Tensor step(
      const std::vector<std::size_t>& alive, std::vector<std::int32_t> fed) {
    std::vector<Slot> slots;
    for (const std::size_t row : alive)
      slots.push_back(rows_[row].slot);
    if (twins_) {
      for (const std::size_t row : alive) {
        slots.push_back(rows_[row].twin);
        fed.push_back(fed[slots.size() - 1 - alive.size()]);
      }
    }
    return decoder_.step(slots, fed);
  }

  void compare(
      const std::vector<std::size_t>& alive,
      const at::Tensor& logits,
      std::vector<Generation>& results) const {
    const std::int64_t rows = std::ssize(alive);
    const auto kl_of = [&](std::int64_t first, std::int64_t count) {
      const auto& sampling =
          rows_[alive[static_cast<std::size_t>(first)]].options->sampling;
      return kernels::exact_kl(
          logits.narrow(0, first, count),
          logits.narrow(0, rows + first, count),
          1.0 / sampling.temperature);
    };
    at::Tensor kl;
    if (one_sampling_) {
      kl = kl_of(0, rows);
    } else {
      std::vector<at::Tensor> each;
      for (std::int64_t i = 0; i < rows; ++i)
        each.push_back(kl_of(i, 1));
      kl = at::cat(each);
    }
    kl = kl.to(at::kCPU).contiguous();
    for (std::int64_t i = 0; i < rows; ++i) {
      results[alive[static_cast<std::size_t>(i)]].exact_kl.push_back(
          kl.const_data_ptr<float>()[i]);
    }
  }

  std::vector<Drawn> draw(
      const std::vector<std::size_t>& alive, const at::Tensor& logits) {
    std::vector<double> uniforms;
    std::vector<kernels::SampleOptions> options;
    for (const std::size_t row : alive) {
      uniforms.push_back(rows_[row].stream.uniform());
      if (options.empty() || !one_sampling_)
        options.push_back(rows_[row].options->sampling);
    }
    const kernels::Samples samples = kernels::sample_rows(
        logits.narrow(0, 0, std::ssize(alive)),
        std::span<const kernels::SampleOptions>(options),
        uniforms);
    std::vector<Drawn> drawn;
    for (std::size_t i = 0; i < alive.size(); ++i) {
      drawn.push_back(
          {static_cast<std::int32_t>(
               samples.ids.const_data_ptr<std::int64_t>()[i]),
           samples.log_probs.const_data_ptr<float>()[i]});
    }
    return drawn;
  }

  // Adds a token to a row; false when the row is over.
  bool append(Generation& result, std::size_t row, const Drawn& drawn) {
    const RowOptions& options = *rows_[row].options;
    result.tokens.push_back(drawn.token);
    result.log_probs.push_back(drawn.log_prob);
    const bool wanted =
        !on_token_ || on_token_(begin_ + row, drawn.token, drawn.log_prob);
    const auto& ends = options.end_tokens;
    if (std::find(ends.begin(), ends.end(), drawn.token) != ends.end()) {
      result.finished = true;
      return false;
    }
    result.stop_at = rows_[row].watch.feed(drawn.token);
    if (result.stop_at) {
      result.finished = true;
      return false;
    }
    return wanted && std::ssize(result.tokens) < options.max_new_tokens;
  }

  Decoder& decoder_;
  const OnToken& on_token_;
  std::size_t begin_;
  bool twins_;
  std::vector<Row> rows_;
  bool one_sampling_ = true;  // all rows draw in the same way
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
  TORCH_CHECK(
      batch.options.empty() || batch.options.size() == rows,
      "[generate] give options for each row, or for none");
  Generations result;
  const auto decoder = model.open_decoder({});
  // A part whose features are recorded is not split.
  const bool few = !batch.record_features && keeps_mixtures(model);
  for (std::size_t begin = 0, end = 0; begin < rows; begin = end) {
    end = end_of_part(batch, begin, step, few);
    Part part(*decoder, batch, begin, end, options, tokenizer, on_token);
    for (Generation& row : part.run())
      result.rows.push_back(std::move(row));
  }
  if (batch.record_features) result.features = decoder->features();
  if (batch.keep_graph) result.prompt_graph = decoder->prompt_graph();
  return result;
}

}  // namespace moft
