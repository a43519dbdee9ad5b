// Batches through a decoder, part by part.
#include "moft/generation/generate.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "moft/core/errors.h"
#include "moft/generation/mixtures.h"
#include "moft/kernels/sampling.h"
#include "moft/kernels/token_log_probs.h"

namespace moft {
namespace {

// Looks for stop strings in the bytes of a completion as it grows.
class StopWatch {
 public:
  StopWatch(const std::vector<std::string>& stops, const Tokenizer* tokenizer)
      : stops_(stops), tokenizer_(tokenizer) {
    if (stops_.empty() || tokenizer_ != nullptr) return;
    throw_caller_error("stop strings need a tokenizer; give the policy's");
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

// What a part uses of a batch's prompts or steerings, in the order of their
// first use.
class Used {
 public:
  // The place of the batch's entry `index` among those that are used.
  std::int64_t place_of(std::int64_t index) {
    const auto [entry, added] = places_.try_emplace(index, std::ssize(used_));
    if (added) used_.push_back(static_cast<std::size_t>(index));
    return entry->second;
  }
  const std::vector<std::size_t>& indices() const { return used_; }

  template <typename Value>
  std::vector<Value> values(const std::vector<Value>& all) const {
    std::vector<Value> result;
    for (const std::size_t index : used_)
      result.push_back(all[index]);
    return result;
  }

 private:
  std::map<std::int64_t, std::int64_t> places_;
  std::vector<std::size_t> used_;
};

// The rows of a part, with only the prompts and steerings that it uses; their
// twins follow.
DecodeGroup group_of(
    const GenerateBatch& batch,
    std::size_t begin,
    std::size_t end,
    const std::vector<std::int64_t>& max_new_tokens,
    Used& prompts) {
  DecodeGroup group;
  group.max_new_tokens = max_new_tokens;
  group.record_features = batch.record_features;
  group.keep_graph = batch.keep_graph && begin == 0 && end == batch.rows.size();
  Used steerings;
  for (std::size_t r = begin; r < end; ++r) {
    const DecodeRow& row = batch.rows[r];
    group.rows.push_back(
        {prompts.place_of(row.prompt), steerings.place_of(row.steering)});
  }
  group.steerings = steerings.values(batch.steerings);
  if (batch.reference) {
    const std::int64_t reference = std::ssize(group.steerings);
    group.steerings.push_back(*batch.reference);
    const bool own = batch.reference_prompts.empty();
    for (std::size_t r = begin; r < end; ++r) {
      const std::int64_t prompt =
          own ? batch.rows[r].prompt : batch.reference_prompts[r];
      group.rows.push_back({prompts.place_of(prompt), reference});
      group.max_new_tokens.push_back(max_new_tokens[r - begin]);
    }
  }
  group.prompts = prompts.values(batch.prompts);
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
      const OnToken& on_token,
      const OnRow& on_row)
      : decoder_(decoder),
        on_token_(on_token),
        on_row_(on_row),
        begin_(begin),
        twins_(batch.reference.has_value()) {
    std::vector<std::int64_t> max_new_tokens;
    for (std::size_t r = begin; r < end; ++r) {
      const RowKey& key = batch.keys[r];
      const RowOptions& own =
          batch.options.empty() ? options : batch.options[r];
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
        decoder_.admit(group_of(batch, begin, end, max_new_tokens, prompts_));
    if (!admission.refusal.empty()) {
      throw_caller_error(
          "{} rows: {}; generate fewer rows at once, or fewer new tokens",
          rows_.size(),
          admission.refusal);
    }
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      rows_[r].slot = admission.slots[r];
      if (twins_) rows_[r].twin = admission.slots[rows_.size() + r];
    }
  }

  // Features of the part's prompts, by the batch's own index.
  void add_features(Features& features) const {
    const auto own = decoder_.features();
    if (!own) return;
    features.first_layer = own->first_layer;
    for (std::size_t i = 0; i < own->prompts.size(); ++i)
      features.prompts[prompts_.indices()[i]] = own->prompts[i];
    features.completions.insert(
        features.completions.end(),
        own->completions.begin(),
        own->completions.end());
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
          if (on_row_) on_row_(begin_ + row, results[row]);
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
  const OnRow& on_row_;
  std::size_t begin_;
  bool twins_;
  Used prompts_;
  std::vector<Row> rows_;
  bool one_sampling_ = true;  // all rows draw in the same way
};

// Where the part that begins at a row ends.
std::size_t end_of_part(
    const GenerateBatch& batch,
    std::size_t begin,
    std::size_t rows_at_once,
    bool few_steerings) {
  const std::size_t end = std::min(batch.rows.size(), begin + rows_at_once);
  if (!few_steerings) return end;
  // By value: a batch may give equal ones under several indices.
  std::set<Coefficients> steerings;
  for (std::size_t row = begin; row < end; ++row) {
    steerings.insert(
        batch.steerings[static_cast<std::size_t>(batch.rows[row].steering)]);
    if (steerings.size() > kMixturesAtOnce) return row;
  }
  return end;
}

void check_index(
    const char* of, std::size_t row, std::int64_t index, std::size_t count) {
  if (index >= 0 && index < static_cast<std::int64_t>(count)) return;
  throw_caller_error(
      "row {} names {} {}, but the batch has {}; give an index below that",
      row,
      of,
      index,
      count);
}

// `what` of the batch: one for each row, or none where `optional`.
void check_count(
    const char* what, std::size_t count, std::size_t rows, bool optional) {
  if (count == rows || (optional && count == 0)) return;
  throw_caller_error(
      "a batch has {} rows and {} {}; give one for each row{}",
      rows,
      count,
      what,
      optional ? ", or none" : "");
}

void check_batch(const GenerateBatch& batch, const GenerateOptions& options) {
  const std::size_t rows = batch.rows.size();
  check_count("keys", batch.keys.size(), rows, /*optional=*/false);
  check_count("options", batch.options.size(), rows, /*optional=*/true);
  check_count(
      "reference prompts",
      batch.reference_prompts.size(),
      rows,
      /*optional=*/true);
  for (std::size_t r = 0; r < rows; ++r) {
    check_index("prompt", r, batch.rows[r].prompt, batch.prompts.size());
    check_index("steering", r, batch.rows[r].steering, batch.steerings.size());
    if (batch.reference_prompts.empty()) continue;
    check_index(
        "reference prompt",
        r,
        batch.reference_prompts[r],
        batch.prompts.size());
  }
  if (options.rows_at_once < 1) {
    throw_caller_error(
        "rows_at_once is {}; give at least 1", options.rows_at_once);
  }
  if (batch.record_features && batch.reference) {
    throw_caller_error(
        "a batch records features and has a reference; give one of the two");
  }
  if (batch.keep_graph && !batch.record_features) {
    throw_caller_error(
        "a batch keeps its graph but records no features; record them too");
  }
}

// The features of all parts, addressed by the batch's prompts and rows.
Features no_features(const GenerateBatch& batch) {
  Features features;
  features.prompts.resize(batch.prompts.size());
  return features;
}

}  // namespace

Generations generate(
    LanguageModel& model,
    const GenerateBatch& batch,
    const GenerateOptions& options,
    const Tokenizer* tokenizer,
    const OnToken& on_token,
    const OnRow& on_row) {
  check_batch(batch, options);
  const std::size_t rows = batch.rows.size();
  const auto at_once = static_cast<std::size_t>(options.rows_at_once);
  const bool few = keeps_mixtures(model);
  Generations result;
  Features features = no_features(batch);
  std::unique_ptr<Decoder> decoder;
  for (std::size_t begin = 0, end = 0; begin < rows; begin = end) {
    end = end_of_part(batch, begin, at_once, few);
    // A decoder records the features of one group; its pages go first.
    if (batch.record_features) decoder.reset();
    if (!decoder) decoder = model.open_decoder({});
    Part part(
        *decoder, batch, begin, end, options, tokenizer, on_token, on_row);
    for (Generation& row : part.run())
      result.rows.push_back(std::move(row));
    if (batch.record_features) part.add_features(features);
    if (batch.keep_graph) result.prompt_graph = decoder->prompt_graph();
  }
  if (!features.completions.empty())
    result.features = std::make_shared<Features>(std::move(features));
  return result;
}

}  // namespace moft
