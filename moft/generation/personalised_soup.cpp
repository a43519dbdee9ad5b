// The rule on weightings, and the directories that state it.
#include "moft/generation/personalised_soup.h"

#include <algorithm>
#include <cmath>
#include <numeric>

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

constexpr std::int64_t kSoupFormatVersion = 1;
constexpr const char* kKind = "personalised_soup";
constexpr const char* kMemberFolder = "member";
// Weights of a request that are written in decimals: .333333 is 1/3.
constexpr double kSameWeight = 1e-5;

struct SoupFile {
  std::int64_t format_version = kSoupFormatVersion;
  std::string kind = kKind;
  SoupRounding round = SoupRounding::kNone;
  MemberHashes member;

  template <class V>
  void fields(V& v) {
    v("format_version",
      format_version,
      Help{"version of this file's format"},
      between(1, kSoupFormatVersion));
    v("kind", kind, Help{"kind of policy"});
    v("round", round, Help{"what becomes of a graded request"});
    v("member", member, Help{"hashes of the member's files"}, Required{});
  }
};

SoupRounding read_soup(const fs::path& directory) {
  const auto file = read_policy_settings<SoupFile>(directory);
  check_member(directory / kMemberFolder, file.member);
  return file.round;
}

PolicyInfo soup_info(const fs::path& member) {
  PolicyInfo info = read_definition(member).info();
  if (!info.alpha_acts) {
    throw_caller_error(
        "{}: has no copies to mix (steered_set: none); give a policy "
        "that `moft soup` made",
        member.string());
  }
  info.kind = kKind;
  return info;
}

double distance(const Weighting& a, const Weighting& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += std::abs(a[i] - b[i]);
  return sum;
}

class PersonalisedSoup : public RoutedPolicy {
 public:
  PersonalisedSoup(
      PolicyInfo info,
      std::vector<std::unique_ptr<Policy>> members,
      SoupRounding round)
      : RoutedPolicy(std::move(info), std::move(members)), round_(round) {}

  Route route(const Steering& steering) const override {
    const Weighting binary = nearest_binary(steering.w);
    Route chosen{0, {binary, steering.alpha}, {}};
    if (distance(steering.w, binary) < kSameWeight) return chosen;
    const std::string asked = format_weighting(steering.w, names());
    const std::string nearest = format_weighting(binary, names());
    if (round_ == SoupRounding::kNone) {
      throw_caller_error(
          "weights are {}; a personalised soup takes equal weights on a set of "
          "objectives only: give {}, or make it with --round binary",
          asked,
          nearest);
    }
    chosen.change =
        fmt::format("the personalised soup answers {} as {}", asked, nearest);
    return chosen;
  }

 private:
  SoupRounding round_;
};

}  // namespace

// With n objectives the nearest set is that of the n largest weights.
Weighting nearest_binary(const Weighting& w) {
  std::vector<std::size_t> order(w.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(
      order, [&](std::size_t a, std::size_t b) { return w[a] > w[b]; });
  std::optional<Weighting> best;
  for (std::size_t n = 1; n <= order.size(); ++n) {
    std::vector<double> values(w.size(), 0.0);
    for (std::size_t k = 0; k < n; ++k)
      values[order[k]] = 1.0 / static_cast<double>(n);
    const Weighting binary(values);
    if (!best || distance(w, binary) < distance(w, *best) - 1e-9) best = binary;
  }
  return *best;
}

void save_personalised_soup(
    const fs::path& member, SoupRounding round, const fs::path& to) {
  soup_info(member);
  AtomicDirectory target(to);
  const fs::path copy = target.building() / kMemberFolder;
  copy_policy(member, copy);
  SoupFile file;
  file.round = round;
  file.member = hash_member(copy);
  write_atomically(
      target.building() / kPolicyDefinitionFile,
      options_to_json(file).dump(2) + "\n");
  write_atomically(
      target.building() / "README.md",
      "# A personalised soup\n\nMade by `moft combine` of the soup in "
      "`member/`; it takes equal weights on a set of objectives.\n");
  target.commit();
}

PolicyKind personalised_soup_kind() {
  return {
      kKind,
      [](const fs::path& directory) {
        read_soup(directory);
        return soup_info(directory / kMemberFolder);
      },
      [](const fs::path& directory,
         const LoadOptions& options) -> std::unique_ptr<Policy> {
        const SoupRounding round = read_soup(directory);
        std::vector<std::unique_ptr<Policy>> members;
        members.push_back(load_policy(directory / kMemberFolder, options));
        return std::make_unique<PersonalisedSoup>(
            soup_info(directory / kMemberFolder), std::move(members), round);
      }};
}

}  // namespace moft
