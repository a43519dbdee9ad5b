// Looking up, writing and opening banks.
#include "moft/generation/bank.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/fields.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/core/text.h"
#include "moft/generation/member_files.h"
#include "moft/generation/model_files.h"
#include "moft/generation/policy_definition.h"
#include "moft/generation/policy_directory.h"
#include "moft/generation/routed_policy.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBankFormatVersion = 1;
constexpr const char* kKind = "bank";

struct EntryFile {
  std::vector<double> weights;
  MemberHashes files;

  template <class V>
  void fields(V& v) {
    v("weights", weights, Help{"trained for"}, between(0, 1), Required{});
    v("files", files, Help{"hashes of the member's files"}, Required{});
  }
};

struct BankFile {
  std::int64_t format_version = kBankFormatVersion;
  std::string kind = kKind;
  std::vector<EntryFile> members;

  template <class V>
  void fields(V& v) {
    v("format_version",
      format_version,
      Help{"version of this file's format"},
      between(1, kBankFormatVersion));
    v("kind", kind, Help{"kind of policy"});
    v("members", members, Help{"in the order of the folders"}, Required{});
  }
};

fs::path member_folder(const fs::path& directory, std::size_t i) {
  return directory / fmt::format("member-{}", i + 1);
}

// Everything of a bank but its models.
struct Bank {
  PolicyInfo info;
  std::vector<Steering> entries;
};

// What members must have in common, as a text.
std::string task_of(const PolicyInfo& info) {
  std::string text = fmt::format(
      "{}\n{}\n", info.prompt.text(), shortest_number(info.temperature));
  for (const PolicyObjective& objective : info.objectives)
    text += fmt::format(
        "{} {} {}\n", objective.name, objective.low, objective.high);
  for (const auto& [name, hash] : info.provenance)
    if (name.starts_with("xxh3 base weights")) text += name + hash + "\n";
  return text;
}

void add_entry(Bank& bank, const fs::path& member, const Weighting& w) {
  const PolicyInfo info = read_definition(member).info();
  if (w.size() != info.objectives.size()) {
    throw_caller_error(
        "{}: has {} objectives and its entry in the bank {} weights; make the "
        "bank again with `moft combine`",
        member.string(),
        info.objectives.size(),
        w.size());
  }
  if (bank.entries.empty()) {
    bank.info = info;
    bank.info.kind = kKind;
  } else if (task_of(info) != task_of(bank.info)) {
    throw_caller_error(
        "{}: has another base, prompt, temperature or other objectives than "
        "the first run of the bank; the runs of a bank differ in their weights "
        "and alphas only",
        member.string());
  } else {
    if (bank.info.steps) *bank.info.steps += info.steps.value_or(0);
    if (bank.info.answers) *bank.info.answers += info.answers.value_or(0);
  }
  bank.entries.push_back({w, info.default_alpha});
}

// The range of alpha, once all entries are there.
void finish(Bank& bank) {
  std::set<double> alphas;
  for (const Steering& entry : bank.entries)
    alphas.insert(entry.alpha);
  bank.info.default_alpha = bank.entries[0].alpha;
  bank.info.alpha_acts = alphas.size() > 1;
  // Linear: every alpha from the lowest on is answered, by some entry.
  bank.info.kl_range = alphas.size() > 1
                           ? KlRange(*alphas.begin(), FMix::kLinear)
                           : KlRange::fixed(*alphas.begin());
}

Bank read_bank(const fs::path& directory) {
  const auto file = read_policy_settings<BankFile>(directory);
  const std::string place = (directory / kPolicyDefinitionFile).string();
  if (file.members.size() > kMostBankEntries) {
    throw_caller_error(
        "{}: members has {} entries; give at most {}",
        place,
        file.members.size(),
        kMostBankEntries);
  }
  Bank bank;
  for (std::size_t i = 0; i < file.members.size(); ++i) {
    const fs::path member = member_folder(directory, i);
    check_member(member, file.members[i].files);
    try {
      add_entry(bank, member, Weighting(file.members[i].weights));
    } catch (const CallerError& error) {
      throw_caller_error("{}: members[{}]: {}", place, i, error.what());
    }
  }
  finish(bank);
  return bank;
}

class BankPolicy : public RoutedPolicy {
 public:
  BankPolicy(Bank bank, std::vector<std::unique_ptr<Policy>> members)
      : RoutedPolicy(std::move(bank.info), std::move(members)),
        entries_(std::move(bank.entries)) {}

  Route route(const Steering& steering) const override {
    kl_range().check(steering.alpha);
    const std::size_t place = nearest_entry(entries_, steering);
    const Steering& entry = entries_[place];
    Route chosen{place, entry, {}};
    if (entry == steering) return chosen;
    chosen.change = fmt::format(
        "the bank has no run for {} at alpha {}; the nearest, {} at alpha {}, "
        "answers",
        format_weighting(steering.w, names()),
        shortest_number(steering.alpha),
        format_weighting(entry.w, names()),
        shortest_number(entry.alpha));
    return chosen;
  }

 private:
  std::vector<Steering> entries_;
};

}  // namespace

std::size_t nearest_entry(
    std::span<const Steering> entries, const Steering& request) {
  const auto weights_off = [&](const Steering& entry) {
    double sum = 0.0;
    for (std::size_t i = 0; i < request.w.size(); ++i)
      sum += std::abs(entry.w[i] - request.w[i]);
    return sum;
  };
  const auto alpha_off = [&](const Steering& entry) {
    return std::abs(entry.alpha - request.alpha);
  };
  // Equal but for rounding: the earlier one stays.
  constexpr double kSame = 1e-9;
  std::size_t best = 0;
  for (std::size_t i = 1; i < entries.size(); ++i) {
    const double alpha = alpha_off(entries[i]) - alpha_off(entries[best]);
    if (alpha > kSame) continue;
    const double w = weights_off(entries[i]) - weights_off(entries[best]);
    if (alpha < -kSame || w < -kSame) best = i;
  }
  return best;
}

void save_bank(const std::vector<BankSource>& sources, const fs::path& to) {
  if (sources.empty() || sources.size() > kMostBankEntries) {
    throw_caller_error(
        "a bank of {} runs; give from 1 to {}",
        sources.size(),
        kMostBankEntries);
  }
  Bank bank;
  for (const BankSource& source : sources) {
    const Bank before = bank;
    add_entry(bank, source.policy, source.w);
    const auto& entries = before.entries;
    if (std::ranges::find(entries, bank.entries.back()) == entries.end())
      continue;
    throw_caller_error(
        "{}: was trained for the weights and alpha of an earlier run of the "
        "bank; give each once",
        source.policy.string());
  }
  AtomicDirectory target(to);
  BankFile file;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const fs::path copy = member_folder(target.building(), i);
    copy_policy(sources[i].policy, copy);
    file.members.push_back({sources[i].w.values(), hash_member(copy)});
  }
  write_atomically(
      target.building() / kPolicyDefinitionFile,
      options_to_json(file).dump(2) + "\n");
  write_atomically(
      target.building() / "README.md",
      fmt::format(
          "# A bank of {} fixed weightings\n\nMade by `moft combine`; each "
          "`member-*/` is the policy of one run.\n",
          sources.size()));
  target.commit();
}

PolicyKind bank_kind() {
  return {
      kKind,
      [](const fs::path& directory) { return read_bank(directory).info; },
      [](const fs::path& directory,
         const LoadOptions& options) -> std::unique_ptr<Policy> {
        Bank bank = read_bank(directory);
        std::vector<std::unique_ptr<Policy>> members;
        for (std::size_t i = 0; i < bank.entries.size(); ++i)
          members.push_back(load_policy(member_folder(directory, i), options));
        return std::make_unique<BankPolicy>(
            std::move(bank), std::move(members));
      }};
}

}  // namespace moft
