// What ranks exchange in an online step.
#include "moft/training/ranks.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "moft/core/errors.h"
#include "moft/distributed/together.h"
#include "moft/rewards/outside/asked_by.h"
#include "moft/rewards/reward_chunks.h"
#include "moft/training/make_optimizer.h"
#include "moft/training/rank_bytes.h"
#include "moft/training/stopwatch.h"
#include "moft/training/sum_gradients.h"

namespace moft {
namespace {

// [begin, end) of `count` items for one of `parts` equal parts.
ItemRange part(std::size_t count, std::size_t index, std::size_t parts) {
  return {count * index / parts, count * (index + 1) / parts};
}

ItemRange rows_of(const Draw& draw, const ItemRange& prompts) {
  return {draw.first_row(prompts.first), draw.first_row(prompts.second)};
}

// ---- completions ------------------------------------------------------------

std::string pack(const Rollout& rollout) {
  BytesWriter writer;
  for (std::size_t row = 0; row < rollout.rows.size(); ++row) {
    const Generation& generation = rollout.rows[row];
    writer.list(generation.tokens);
    writer.list(generation.log_probs);
    writer.number(generation.finished);
    writer.list(rollout.texts[row]);
  }
  return std::string(writer.bytes());
}

void unpack(std::string_view bytes, std::size_t rows, Rollout& rollout) {
  BytesReader reader(bytes);
  for (std::size_t row = 0; row < rows; ++row) {
    Generation generation;
    generation.tokens = reader.list<TokenIds>();
    generation.log_probs = reader.list<std::vector<float>>();
    generation.finished = reader.number<bool>();
    rollout.rows.push_back(std::move(generation));
    rollout.texts.push_back(reader.list<std::string>());
  }
}

// The hidden states of some prompts and rows at their places in the step.
std::shared_ptr<const Features> placed(
    const Features& own,
    const Draw& draw,
    const ItemRange& prompts,
    const ItemRange& rows) {
  auto all = std::make_shared<Features>();
  all->first_layer = own.first_layer;
  all->prompts.resize(draw.prompts.size());
  all->completions.resize(draw.rows());
  std::copy(
      own.prompts.begin(),
      own.prompts.end(),
      all->prompts.begin() + static_cast<std::ptrdiff_t>(prompts.first));
  std::copy(
      own.completions.begin(),
      own.completions.end(),
      all->completions.begin() + static_cast<std::ptrdiff_t>(rows.first));
  return all;
}

// ---- rewards ----------------------------------------------------------------

using RewardValues = std::vector<std::vector<double>>;  // [rewards][rows]

Rollout cut(const Rollout& rollout, const ItemRange& rows) {
  const auto of = [&](const auto& all) {
    return std::decay_t<decltype(all)>(
        all.begin() + static_cast<std::ptrdiff_t>(rows.first),
        all.begin() + static_cast<std::ptrdiff_t>(rows.second));
  };
  Rollout own;
  own.rows = of(rollout.rows);
  own.texts = of(rollout.texts);
  return own;
}

void append(RewardValues& all, const std::string& bytes) {
  BytesReader reader(bytes);
  for (std::vector<double>& values : all) {
    const auto more = reader.list<std::vector<double>>();
    values.insert(values.end(), more.begin(), more.end());
  }
}

std::string pack(const Scores& scores) {
  BytesWriter writer;
  write_tensor(writer, scores.raw);
  write_tensor(writer, scores.mapped);
  writer.list(scores.seconds);
  writer.number(static_cast<std::uint64_t>(scores.metrics.size()));
  for (const auto& [name, value] : scores.metrics) {
    writer.list(name);
    writer.number(value);
  }
  writer.number(static_cast<std::uint64_t>(scores.texts.size()));
  for (const auto& [name, texts] : scores.texts) {
    writer.list(name);
    for (const std::string& text : texts)
      writer.list(text);
  }
  return std::string(writer.bytes());
}

// Joins the ranks' scores, rows after rows.
class ScoresReader {
 public:
  explicit ScoresReader(std::size_t rows) : rows_(rows) {}

  // Rows [first, second) come from these bytes.
  void add(const std::string& bytes, const ItemRange& rows) {
    BytesReader reader(bytes);
    raw_.push_back(read_tensor(reader));
    mapped_.push_back(read_tensor(reader));
    const auto seconds = reader.list<std::vector<double>>();
    all_.seconds.resize(seconds.size());
    // What the slowest took.
    for (std::size_t i = 0; i < seconds.size(); ++i)
      all_.seconds[i] = std::max(all_.seconds[i], seconds[i]);
    for (auto left = reader.number<std::uint64_t>(); left > 0; --left) {
      const auto name = reader.list<std::string>();
      metrics_[name].push_back(reader.number<double>());
    }
    for (auto left = reader.number<std::uint64_t>(); left > 0; --left) {
      RowTexts& texts = all_.texts[reader.list<std::string>()];
      texts.resize(rows_);
      for (std::size_t row = rows.first; row < rows.second; ++row)
        texts[row] = reader.list<std::string>();
    }
  }

  // Figures of sources are means over the ranks that have them.
  Scores finish() {
    all_.raw = at::cat(raw_);
    all_.mapped = at::cat(mapped_);
    const at::Tensor skipped = all_.raw.isnan().any(1);
    const auto at = skipped.accessor<bool, 1>();
    for (std::int64_t row = 0; row < at.size(0); ++row)
      if (at[row]) all_.skipped.push_back(static_cast<std::size_t>(row));
    for (const auto& [name, values] : metrics_) {
      double sum = 0.0;
      for (const double value : values)
        sum += value;
      all_.metrics[name] = sum / static_cast<double>(values.size());
    }
    return std::move(all_);
  }

 private:
  std::size_t rows_;
  Scores all_;
  std::vector<at::Tensor> raw_, mapped_;
  std::map<std::string, std::vector<double>> metrics_;
};

}  // namespace

StepRanks::StepRanks(Group& group, std::int64_t slices)
    : group_(group), slices_(slices) {
  TORCH_CHECK(slices % group.size() == 0, "[ranks] slices for every rank");
}

ItemRange StepRanks::slices() const {
  return part_of(static_cast<std::size_t>(slices_));
}

ItemRange StepRanks::part_of(std::size_t items) const {
  return part(
      items,
      static_cast<std::size_t>(group_.rank()),
      static_cast<std::size_t>(group_.size()));
}

void StepRanks::meet(std::string_view name) {
  const BarrierWait wait = group_.barrier(name);
  waits_.push_back(wait.seconds);
  lasts_.push_back(wait.last_rank);
}

void StepRanks::gather(Rollout& own, const Draw& draw, StepTimes& times) {
  const Stopwatch watch(times.ranks);
  meet("completions");
  Rollout all;
  const auto each = draw.rows() / static_cast<std::size_t>(group_.size());
  for (const std::string& bytes : group_.gather(pack(own)))
    unpack(bytes, each, all);
  if (own.features) {
    const ItemRange prompts = part_of(draw.prompts.size());
    all.features = placed(*own.features, draw, prompts, rows_of(draw, prompts));
  }
  own = std::move(all);
}

void StepRanks::gather(
    LogRatios& own,
    const Draw& draw,
    const Rollout& rollout,
    StepTimes& times) {
  const Stopwatch watch(times.ranks);
  meet("log ratios");
  const ItemRange rows = rows_of(draw, part_of(draw.prompts.size()));
  const at::Tensor ends = rollout.lengths().cumsum(0);
  const auto token_at = [&](std::size_t row) {
    return row == 0
               ? std::int64_t{0}
               : ends[static_cast<std::int64_t>(row) - 1].item<std::int64_t>();
  };
  std::vector<std::pair<at::Tensor*, at::Tensor>> parts;  // all, and own
  for (at::Tensor* of_rows :
       {&own.sequence, &own.reward_kl, &own.entropy, &own.rollout_gap}) {
    parts.emplace_back(
        of_rows,
        of_rows->slice(
            0,
            static_cast<std::int64_t>(rows.first),
            static_cast<std::int64_t>(rows.second)));
  }
  for (at::Tensor* of_tokens :
       {&own.log_probs, &own.reference_log_probs, &own.credit}) {
    if (!of_tokens->defined()) continue;
    parts.emplace_back(
        of_tokens,
        of_tokens->slice(0, token_at(rows.first), token_at(rows.second)));
  }
  BytesWriter writer;
  for (const auto& [all, mine] : parts)
    write_tensor(writer, mine);
  const std::vector<std::string> ranks = group_.gather(writer.bytes());
  std::vector<BytesReader> readers(ranks.begin(), ranks.end());
  for (auto& [all, mine] : parts) {
    std::vector<at::Tensor> theirs;
    for (BytesReader& reader : readers)
      theirs.push_back(read_tensor(reader));
    *all = at::cat(theirs);
  }
}

at::Tensor StepRanks::gather_rows(const at::Tensor& own, StepTimes& times) {
  const Stopwatch watch(times.ranks);
  meet("values");
  BytesWriter writer;
  write_tensor(writer, own);
  std::vector<at::Tensor> all;
  for (const std::string& bytes : group_.gather(writer.bytes())) {
    BytesReader reader(bytes);
    all.push_back(read_tensor(reader));
  }
  return at::cat(all);
}

Scores StepRanks::score(
    const ObjectiveSet& objectives,
    const Draw& draw,
    const Rollout& rollout,
    StepRewards& outside,
    StepTimes& times) {
  const auto computed = objectives.computed_rewards();
  const auto index = static_cast<std::size_t>(group_.rank());
  const auto size = static_cast<std::size_t>(group_.size());
  const ItemRange rows = rows_of(draw, part_of(draw.prompts.size()));
  const auto compute_own = [&] {
    const Stopwatch watch(times.rewards);
    const ItemRange chunk = rows_of_chunks(draw.rows(), index, size);
    BytesWriter writer;
    for (const auto& values :
         StepRewards(objectives, draw).compute(computed, rollout, chunk))
      writer.list(values);
    return std::string(writer.bytes());
  };
  RewardValues values(computed.size());
  for (const std::string& bytes : results("rewards", compute_own, times))
    append(values, bytes);
  const bool by_first = asked_by_first_rank(objectives);
  for (std::size_t i = 0; i < computed.size(); ++i) {
    const auto at = [&](std::size_t row) {
      return values[i].begin() + static_cast<std::ptrdiff_t>(row);
    };
    outside.know(
        computed[i],
        by_first ? values[i]
                 : std::vector<double>(at(rows.first), at(rows.second)));
  }
  ScoresReader reader(draw.rows());
  if (by_first) {
    const auto finish = [&] {
      return rank() == 0 ? pack(outside.finish(rollout, times)) : std::string();
    };
    const auto ranks = results("rewards from outside", finish, times);
    reader.add(ranks.front(), {0, draw.rows()});
    return reader.finish();
  }
  const char* meeting =
      objectives.has_sources() ? "rewards from outside" : nullptr;
  const auto ranks = results(
      meeting,
      [&] { return pack(outside.finish(cut(rollout, rows), times)); },
      times);
  for (std::size_t r = 0; r < size; ++r)
    reader.add(ranks[r], rows_of(draw, part(draw.prompts.size(), r, size)));
  return reader.finish();
}

std::vector<std::string> StepRanks::results(
    const char* what,
    const std::function<std::string()>& work,
    StepTimes& times) {
  std::optional<Stopwatch> watch;
  return gather_results(group_, work, [&] {
    watch.emplace(times.ranks);
    if (what != nullptr) meet(what);
  });
}

std::vector<std::string> StepRanks::gather(
    std::string_view what, std::string_view own, StepTimes& times) {
  const Stopwatch watch(times.ranks);
  meet(what);
  return group_.gather(own);
}

GradientSlice StepRanks::sum(
    std::vector<GradientSlice> slices, StepTimes& times) {
  const Stopwatch watch(times.ranks);
  meet("gradients");
  const auto slices_of_rank = static_cast<double>(slices.size());
  const Stopwatch sums(sum_seconds_);
  GradientSlice all = sum_over_ranks(group_, std::move(slices));
  // Every rank sends its slices to those who add them, and its share of the sum
  // to all (Group::sum).
  const double others = group_.size() - 1;
  for (const at::Tensor& tensor : all) {
    if (!tensor.defined()) continue;
    sum_bytes_ += static_cast<double>(tensor.nbytes()) * others *
                  (slices_of_rank + 1) / group_.size();
  }
  return all;
}

ClipFigures StepRanks::sum(
    const std::vector<ClipFigures>& parts, StepTimes& times) {
  const Stopwatch watch(times.ranks);
  BytesWriter writer;
  writer.list(parts);
  ClipFigures all;
  for (const std::string& bytes : group_.gather(writer.bytes())) {
    for (const ClipFigures& figures :
         BytesReader(bytes).list<std::vector<ClipFigures>>())
      all.add(figures);
  }
  return all;
}

double StepRanks::sum(double own, StepTimes& times) {
  const Stopwatch watch(times.ranks);
  double all = own;
  group_.sum(std::span(&all, 1));
  return all;
}

void StepRanks::report(std::map<std::string, double>& metrics) {
  BytesWriter writer;
  writer.list(waits_);
  std::vector<double> waited(static_cast<std::size_t>(group_.size()));
  std::vector<double> caused(waited.size());
  const std::vector<std::string> ranks = group_.gather(writer.bytes());
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    const auto waits = BytesReader(ranks[r]).list<std::vector<double>>();
    for (std::size_t i = 0; i < waits.size(); ++i) {
      waited[r] += waits[i];
      caused[static_cast<std::size_t>(lasts_[i])] += waits[i];
    }
  }
  double sum = 0.0;
  for (const double seconds : waited)
    sum += seconds;
  metrics["ranks/size"] = group_.size();
  metrics["ranks/wait"] = sum / static_cast<double>(waited.size());
  metrics["ranks/longest_wait"] = *std::ranges::max_element(waited);
  metrics["ranks/waited_for"] =
      static_cast<double>(std::ranges::max_element(caused) - caused.begin());
  metrics["ranks/sum_time"] = std::exchange(sum_seconds_, 0.0);
  metrics["ranks/sum_bytes"] = std::exchange(sum_bytes_, 0.0);
  waits_.clear();
  lasts_.clear();
}

StepItems items_of(const TrainingOptions& options) {
  return {"prompts_per_step", options.prompts_per_step, options.rule().updates};
}

bool shares_copies(
    const ConditioningOptions& conditioning,
    const TrainingOptions& training,
    std::int64_t ranks) {
  const SteeredSet set = conditioning.steered_set;
  return ranks > 1 && set != SteeredSet::kLora && set != SteeredSet::kNone &&
         training.weighting_per == WeightingPer::kBatch &&
         training.optimizer.kind == OptimizerKind::kAdamW;
}

Ranks sharing_ranks(
    const ConditioningOptions& conditioning,
    const TrainingOptions& training,
    Group* group) {
  const int size = group == nullptr ? 1 : group->size();
  return shares_copies(conditioning, training, size) ? optimizer_ranks(group)
                                                     : Ranks{};
}

std::int64_t slices_of_ranks(
    std::int64_t given,
    const StepItems& items,
    int ranks,
    const std::string& path) {
  const std::int64_t slices = given == 1 ? ranks : given;
  if (slices % ranks != 0) {
    throw_caller_error(
        "{}gradient_accumulation is {}, but there are {} ranks, each of which "
        "takes as many slices; give a multiple of {}, or 1 for one slice each",
        path,
        given,
        ranks,
        ranks);
  }
  if (items.count % (items.updates * slices) != 0) {
    throw_caller_error(
        "{}{} is {}, but {} ranks cut each of the {} {} of a step into {} "
        "slices of one size; give a multiple of {}, or start another number of "
        "ranks",
        path,
        items.key,
        items.count,
        ranks,
        items.updates,
        items.updates == 1 ? "update" : "updates",
        slices,
        items.updates * slices);
  }
  return slices;
}

}  // namespace moft
