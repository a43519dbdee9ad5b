// One language model whose logits are a mixture of another's under several
// steerings, and the policy around it.
#include "moft/generation/logit_mixture.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/fields.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/generation/member_files.h"
#include "moft/generation/model_files.h"
#include "moft/generation/policy_definition.h"
#include "moft/generation/policy_directory.h"
#include "moft/kernels/tensors.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMemberFolder = "member";
constexpr std::int64_t kMixtureFormatVersion = 1;

// lambda this near to 0 or 1 is 0 or 1: it went through alpha and back.
constexpr double kSameLambda = 1e-12;

// --- which models a steering mixes

struct Component {
  Coefficients steering;  // of the member
  double coefficient = 0.0;
};

class Mixing {
 public:
  // `lowest_beta`: how much of the reference the member has at its alpha_min.
  Mixing(const LogitMixtureOptions& options, double lowest_beta)
      : options_(options), lowest_beta_(lowest_beta) {}

  // `c`: (beta, (1 - beta) w) by the mixture's own range of alpha. Only models
  // whose coefficient is not 0; the reference first.
  std::vector<Component> components(const Coefficients& c) const {
    if (c.is_frozen_reference() || c.reference() == 1.0)
      return {{Coefficients::frozen_reference(), 1.0}};
    std::vector<Component> result;
    const double share = 1.0 - c.reference();
    const bool dera = options_.kind == LogitMixture::kDera;
    const double lambda = dera ? snapped(options_.lambda_max * share) : share;
    if (lambda != 1.0)
      result.push_back({Coefficients::frozen_reference(), 1.0 - lambda});
    if (dera && lambda != 0.0) {
      std::vector<double> w;
      for (std::size_t i = 0; i < c.copies(); ++i)
        w.push_back(c.copy(i) / share);
      result.push_back({lowest(w), lambda});
    }
    for (std::size_t i = 0; !dera && i < c.copies(); ++i) {
      if (c.copy(i) == 0.0) continue;
      std::vector<double> corner(c.copies(), 0.0);
      corner[i] = 1.0;
      result.push_back({lowest(corner), c.copy(i)});
    }
    return result;
  }

  bool extrapolates() const { return options_.lambda_max > 1.0; }
  LogitMixture kind() const { return options_.kind; }

 private:
  static double snapped(double lambda) {
    if (std::abs(lambda - 1.0) < kSameLambda) return 1.0;
    return std::abs(lambda) < kSameLambda ? 0.0 : lambda;
  }

  // The member under w at its alpha_min.
  Coefficients lowest(const std::vector<double>& w) const {
    std::vector<double> values{lowest_beta_};
    for (const double weight : w)
      values.push_back((1.0 - lowest_beta_) * weight);
    return Coefficients::of(std::move(values));
  }

  LogitMixtureOptions options_;
  double lowest_beta_;
};

// --- sums of logits

// Sums of rows in double, term by term in the order of the components, so that
// a row's bits depend on its own terms alone.
class LogitSum {
 public:
  void add(
      const std::vector<std::int64_t>& rows,
      const at::Tensor& logits,
      const std::vector<double>& coefficients,
      std::int64_t all_rows) {
    if (!sum_.defined()) {
      type_ = logits.scalar_type();
      sum_ = at::zeros(
          {all_rows, logits.size(1)}, logits.options().dtype(at::kDouble));
    }
    const auto device = logits.device();
    const at::Tensor factor =
        at::tensor(coefficients, at::kDouble).to(device).unsqueeze(1);
    sum_.index_add_(
        0,
        kernels::long_tensor(rows, device),
        logits.to(at::kDouble).mul(factor));
  }
  at::Tensor value() const { return sum_.to(type_); }

 private:
  at::Tensor sum_;
  at::ScalarType type_ = at::kFloat;
};

// --- decoding

// Rows of this decoder are one row of the member's for each component.
class MixtureDecoder : public Decoder {
 public:
  MixtureDecoder(
      LanguageModel& member, const Mixing& mixing, const DecoderLimits& limits)
      : mixing_(mixing),
        slots_(limits.slots),
        inner_(member.open_decoder({.pages = limits.pages})) {}

  Admission admit(const DecodeGroup& group) override {
    if (group.record_features || group.keep_graph) {
      throw_caller_error(
          "a mixture of logits keeps no features; it cannot be trained");
    }
    DecodeGroup parts;
    parts.prompts = group.prompts;
    std::map<Coefficients, std::int64_t> places;
    std::vector<Row> rows;
    for (std::size_t r = 0; r < group.rows.size(); ++r) {
      const DecodeRow& given = group.rows[r];
      if (given.steering < 0 || given.steering >= std::ssize(group.steerings)) {
        throw_caller_error(
            "row {} names steering {}, but the group has {}; give an index "
            "below that",
            r,
            given.steering,
            group.steerings.size());
      }
      const auto& steering =
          group.steerings[static_cast<std::size_t>(given.steering)];
      Row row;
      for (const Component& part : mixing_.components(steering)) {
        const auto [place, added] =
            places.try_emplace(part.steering, std::ssize(parts.steerings));
        if (added) parts.steerings.push_back(part.steering);
        parts.rows.push_back({given.prompt, place->second});
        row.coefficients.push_back(part.coefficient);
        if (group.max_new_tokens.size() == group.rows.size())
          parts.max_new_tokens.push_back(group.max_new_tokens[r]);
      }
      rows.push_back(std::move(row));
    }
    if (group.max_new_tokens.size() != group.rows.size())
      parts.max_new_tokens = group.max_new_tokens;
    if (std::ssize(rows) > slots_ - std::ssize(rows_)) {
      return {
          {},
          fmt::format(
              "{} rows are one too many for {} slots, of which {} are taken",
              rows.size(),
              slots_,
              rows_.size())};
    }
    const Admission admission = inner_->admit(parts);
    if (!admission.refusal.empty()) return {{}, admission.refusal};
    return {take_slots(std::move(rows), admission.slots), {}};
  }

  ReadyRows prefill(std::int64_t tokens) override {
    const ReadyRows part = inner_->prefill(tokens);
    for (std::size_t i = 0; i < part.slots.size(); ++i) {
      waiting_[part.slots[i]] =
          part.logits.select(0, static_cast<std::int64_t>(i));
    }
    ReadyRows ready;
    std::vector<const Row*> rows;
    for (auto& [slot, row] : rows_) {
      const auto read = [&](Slot own) { return waiting_.contains(own); };
      if (row.read || !std::ranges::all_of(row.slots, read)) continue;
      row.read = true;
      ready.slots.push_back(slot);
      rows.push_back(&row);
    }
    if (rows.empty()) {
      ready.logits =
          part.logits.defined() ? part.logits.narrow(0, 0, 0) : part.logits;
      return ready;
    }
    std::vector<at::Tensor> logits;
    for (const Row* row : rows) {
      for (const Slot own : row->slots) {
        logits.push_back(waiting_.at(own));
        waiting_.erase(own);
      }
    }
    ready.logits = mix(rows, at::stack(logits));
    return ready;
  }

  at::Tensor step(
      std::span<const Slot> slots,
      std::span<const std::int32_t> tokens) override {
    std::vector<const Row*> rows;
    std::vector<Slot> own;
    std::vector<std::int32_t> fed;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const auto found = rows_.find(slots[i]);
      if (found == rows_.end() || !found->second.read) {
        throw_caller_error(
            "slot {} has no row whose prompt is read; admit one first",
            slots[i]);
      }
      rows.push_back(&found->second);
      own.insert(
          own.end(), found->second.slots.begin(), found->second.slots.end());
      fed.insert(fed.end(), found->second.slots.size(), tokens[i]);
    }
    return mix(rows, inner_->step(own, fed));
  }

  void evict(Slot slot) override {
    const auto found = rows_.find(slot);
    if (found == rows_.end()) return;
    for (const Slot own : found->second.slots) {
      waiting_.erase(own);
      inner_->evict(own);
    }
    rows_.erase(found);
  }

 private:
  struct Row {
    std::vector<Slot> slots;  // of the member's decoder
    std::vector<double> coefficients;
    bool read = false;
  };

  std::vector<Slot> take_slots(
      std::vector<Row> rows, const std::vector<Slot>& own) {
    std::vector<Slot> taken;
    auto next = own.begin();
    Slot slot = 0;
    for (Row& row : rows) {
      const auto parts = static_cast<std::ptrdiff_t>(row.coefficients.size());
      row.slots.assign(next, next + parts);
      next += parts;
      while (rows_.contains(slot))
        ++slot;
      taken.push_back(slot);
      rows_.emplace(slot, std::move(row));
    }
    return taken;
  }

  // `logits`: of the rows' components, row by row.
  static at::Tensor mix(
      const std::vector<const Row*>& rows, const at::Tensor& logits) {
    std::size_t most = 0;
    for (const Row* row : rows)
      most = std::max(most, row->slots.size());
    LogitSum sum;
    for (std::size_t part = 0; part < most; ++part) {
      std::vector<std::int64_t> to;
      std::vector<std::int64_t> from;
      std::vector<double> coefficients;
      std::int64_t begin = 0;
      for (std::size_t r = 0; r < rows.size(); ++r) {
        if (part < rows[r]->slots.size()) {
          to.push_back(static_cast<std::int64_t>(r));
          from.push_back(begin + static_cast<std::int64_t>(part));
          coefficients.push_back(rows[r]->coefficients[part]);
        }
        begin += std::ssize(rows[r]->slots);
      }
      sum.add(
          to,
          logits.index_select(0, kernels::long_tensor(from, logits.device())),
          coefficients,
          std::ssize(rows));
    }
    return sum.value();
  }

  const Mixing& mixing_;
  std::int64_t slots_;
  std::unique_ptr<Decoder> inner_;
  std::map<Slot, Row> rows_;
  std::map<Slot, at::Tensor> waiting_;  // by the member's slot
};

// --- the model

// Its states are its logits already, [.., V]; the head does nothing.
class MixtureModel : public LanguageModel {
 public:
  MixtureModel(std::shared_ptr<SteeredPolicy> member, const Mixing& mixing)
      : LanguageModel(member->model().device()),
        member_(std::move(member)),
        mixing_(mixing) {
    info_ = member_->model().info();
    info_.width = info_.vocabulary;
    // For keeps_mixtures().
    steerable_.parameters = member_->model().steerable().parameters;
  }

  at::Tensor completion_states(
      const ScoreBatch& batch, const RowSteering& steering) override {
    at::NoGradGuard no_gradient;
    check_batch(batch);
    std::vector<std::vector<Component>> parts_of_prompt;
    const auto& distinct = steering.distinct();
    at::Tensor index;
    if (!steering.is_uniform()) index = steering.index().to(at::kCPU);
    for (std::size_t p = 0; p < batch.prompts.size(); ++p) {
      const std::size_t place =
          index.defined() ? static_cast<std::size_t>(
                                index.const_data_ptr<std::int64_t>()[p])
                          : 0;
      parts_of_prompt.push_back(mixing_.components(distinct[place]));
    }
    std::size_t most = 0;
    for (const auto& parts : parts_of_prompt)
      most = std::max(most, parts.size());
    LogitSum sum;
    for (std::size_t part = 0; part < most; ++part)
      add_part(sum, batch, parts_of_prompt, part);
    return sum.value();
  }

  at::Tensor logits(const at::Tensor& states, const RowSteering& /*steering*/)
      const override {
    return states;
  }

  std::unique_ptr<Decoder> open_decoder(const DecoderLimits& limits) override {
    return std::make_unique<MixtureDecoder>(member_->model(), mixing_, limits);
  }

  SteeredPolicy& member() const { return *member_; }
  const Mixing& mixing() const { return mixing_; }

 private:
  // The `part`-th component of every prompt that has as many, in one pass of
  // the member.
  void add_part(
      LogitSum& sum,
      const ScoreBatch& batch,
      const std::vector<std::vector<Component>>& parts_of_prompt,
      std::size_t part) const {
    ScoreBatch own;
    std::vector<Coefficients> steerings;
    std::vector<std::int64_t> steering_of_prompt;
    std::vector<std::int64_t> place(batch.prompts.size(), -1);
    for (std::size_t p = 0; p < batch.prompts.size(); ++p) {
      if (part >= parts_of_prompt[p].size()) continue;
      place[p] = std::ssize(own.prompts);
      own.prompts.push_back(batch.prompts[p]);
      steering_of_prompt.push_back(std::ssize(steerings));
      steerings.push_back(parts_of_prompt[p][part].steering);
    }
    std::vector<std::int64_t> rows;
    std::vector<double> coefficients;
    std::int64_t token = 0;
    for (std::size_t r = 0; r < batch.completions.size(); ++r) {
      const auto prompt = static_cast<std::size_t>(batch.prompt_of_row[r]);
      for (std::size_t t = 0; t < batch.completions[r].size(); ++t, ++token) {
        if (place[prompt] < 0) continue;
        rows.push_back(token);
        coefficients.push_back(parts_of_prompt[prompt][part].coefficient);
      }
      if (place[prompt] < 0) continue;
      own.completions.push_back(batch.completions[r]);
      own.prompt_of_row.push_back(place[prompt]);
    }
    if (own.completions.empty()) return;
    const at::Tensor logits = member_->model().completion_logits(
        own, RowSteering::per_row(steerings, steering_of_prompt, device_));
    sum.add(rows, logits, coefficients, token);
  }

  std::shared_ptr<SteeredPolicy> member_;
  Mixing mixing_;
};

// --- the policy

class MixturePolicy : public SteeredPolicy {
 public:
  MixturePolicy(
      LoadedModel base,
      std::shared_ptr<const Tokenizer> tokenizer,
      const PolicyInfo& info)
      : SteeredPolicy(std::move(base), std::move(tokenizer), {}) {
    info_ = info;
  }

  void expect_steerings(std::int64_t distinct) override {
    mixture().member().expect_steerings(of_member(distinct));
  }
  std::string steering_way(std::int64_t distinct) const override {
    return fmt::format(
        "logits mixed per token{}, {}",
        mixture().mixing().extrapolates() ? ", lambda above 1 extrapolates"
                                          : "",
        mixture().member().steering_way(of_member(distinct)));
  }

 private:
  const MixtureModel& mixture() const {
    return dynamic_cast<const MixtureModel&>(*base().model);
  }
  // Distinct steerings of the member's rows.
  std::int64_t of_member(std::int64_t distinct) const {
    if (mixture().mixing().kind() == LogitMixture::kMod)
      return static_cast<std::int64_t>(objectives().size()) + 1;
    return distinct < std::numeric_limits<std::int64_t>::max() ? distinct + 1
                                                               : distinct;
  }
};

// --- moft.json

struct MixtureFile {
  std::int64_t format_version = kMixtureFormatVersion;
  LogitMixture kind = LogitMixture::kMod;
  double lambda_max = 1.0;
  MemberHashes member;

  template <class V>
  void fields(V& v) {
    v("format_version",
      format_version,
      Help{"version of this file's format"},
      between(1, kMixtureFormatVersion));
    v("kind", kind, Help{"kind of policy"});
    v("lambda_max",
      lambda_max,
      Help{"dera: the largest lambda answered to"},
      between(1, kLargestLambda));
    v("member", member, Help{"hashes of the member's files"}, Required{});
  }
};

LogitMixtureOptions read_mixture(const fs::path& directory) {
  const auto file = read_policy_settings<MixtureFile>(directory);
  check_member(directory / kMemberFolder, file.member);
  return {file.kind, file.lambda_max};
}

std::string card_text(const PolicyInfo& info) {
  std::string names;
  for (const PolicyObjective& objective : info.objectives)
    names += (names.empty() ? "" : ", ") + objective.name;
  return fmt::format(
      "# A mixture of logits\n\nKind `{}`, objectives {}; made by `moft "
      "combine` of the policy in `member/`. Only moft can read it: it is not "
      "one model.\n",
      info.kind,
      names);
}

}  // namespace

PolicyInfo mixture_info(
    const PolicyInfo& member,
    const LogitMixtureOptions& options,
    const std::string& place) {
  const double lowest = member.kl_range.alpha_min();
  const bool dera = options.kind == LogitMixture::kDera;
  if (!member.alpha_acts) {
    throw_caller_error(
        "{}: has no copies (steered_set: none), so it has no models to mix; "
        "give a policy with a steered set",
        place);
  }
  if (member.prompt.words()) {
    throw_caller_error(
        "{}: is told its weighting in words, which the models of a mixture "
        "would read differently; give a policy without conditioning.prompt",
        place);
  }
  if (dera && lowest == 0.0) {
    throw_caller_error(
        "{}: was trained without KL (alpha_min is 0), from which no alpha can "
        "be reached; give a policy with alpha_min or kl_strength above 0",
        place);
  }
  if (!dera && options.lambda_max != 1.0) {
    throw_caller_error(
        "lambda_max is {} and the kind is mod, which does not extrapolate; "
        "leave it out",
        options.lambda_max);
  }
  PolicyInfo info = member;
  info.kind = enum_name(options.kind);
  info.default_alpha = std::max(member.default_alpha, lowest);
  const double most = options.lambda_max;
  info.kl_range =
      KlRange(most == 1.0 ? lowest : lowest / (lowest + most * (1.0 - lowest)));
  return info;
}

std::unique_ptr<SteeredPolicy> mix_logits(
    std::unique_ptr<SteeredPolicy> member, const LogitMixtureOptions& options) {
  const std::shared_ptr<SteeredPolicy> shared = std::move(member);
  const PolicyInfo info =
      mixture_info(shared->info(), options, "the member of a mixture");
  const KlRange& range = shared->kl_range();
  LoadedModel base;
  base.config = shared->base().config;
  base.weight_files = shared->base().weight_files;
  base.adapter_files = shared->base().adapter_files;
  base.model = std::make_unique<MixtureModel>(
      shared, Mixing(options, range.mixing_amount(range.alpha_min())));
  return std::make_unique<MixturePolicy>(
      std::move(base),
      std::shared_ptr<const Tokenizer>(shared, &shared->tokenizer()),
      info);
}

void save_logit_mixture(
    const fs::path& member,
    const LogitMixtureOptions& options,
    const fs::path& to) {
  const PolicyInfo info =
      mixture_info(read_definition(member).info(), options, member.string());
  AtomicDirectory target(to);
  const fs::path copy = target.building() / kMemberFolder;
  copy_policy(member, copy);
  MixtureFile file;
  file.kind = options.kind;
  file.lambda_max = options.lambda_max;
  file.member = hash_member(copy);
  write_atomically(
      target.building() / kPolicyDefinitionFile,
      options_to_json(file).dump(2) + "\n");
  write_atomically(target.building() / "README.md", card_text(info));
  target.commit();
}

PolicyKind logit_mixture_kind(LogitMixture kind) {
  return {
      enum_name(kind),
      [](const fs::path& directory) {
        const LogitMixtureOptions options = read_mixture(directory);
        const fs::path member = directory / kMemberFolder;
        return mixture_info(
            read_definition(member).info(), options, member.string());
      },
      [](const fs::path& directory, const LoadOptions& options) {
        const LogitMixtureOptions mixture = read_mixture(directory);
        return mix_logits(
            load_policy(directory / kMemberFolder, options), mixture);
      }};
}

}  // namespace moft
