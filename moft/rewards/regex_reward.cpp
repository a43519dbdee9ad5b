// The reward kind `regex`.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "moft/rewards/regex_reward.h"

#include <fmt/format.h>
#include <pcre2.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/rewards/reward_context.h"

namespace moft {
namespace {

std::string describe(int error) {
  PCRE2_UCHAR buffer[256];
  if (pcre2_get_error_message(error, buffer, sizeof buffer) < 0) {
    return fmt::format("PCRE2 error {}", error);
  }
  return reinterpret_cast<const char*>(buffer);
}

struct FreeMatch {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

}  // namespace

struct RegexReward::Code {
  explicit Code(pcre2_code* compiled) : pattern(compiled) {}
  ~Code() { pcre2_code_free(pattern); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;

  pcre2_code* pattern;
};

RegexReward::RegexReward(std::string name, const RegexOptions& options)
    : Reward(std::move(name)), invert_(options.invert) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  const std::uint32_t flags = PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF |
                              PCRE2_NEVER_BACKSLASH_C |
                              (options.ignore_case ? PCRE2_CASELESS : 0u);
  pcre2_code* compiled = pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(options.pattern.data()),
      options.pattern.size(),
      flags,
      &error,
      &offset,
      nullptr);
  if (compiled == nullptr) {
    throw_caller_error(
        "{}.regex.pattern: {} does not compile at byte {}: {}",
        this->name(),
        quote_text(options.pattern),
        offset,
        describe(error));
  }
  code_ = std::make_unique<Code>(compiled);
  pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);  // slower without, not wrong
}

RegexReward::~RegexReward() = default;

bool RegexReward::is_found(const std::string& text, std::size_t row) const {
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(
      pcre2_match_data_create_from_pattern(code_->pattern, nullptr));
  if (!match) throw std::bad_alloc();
  const auto run = [&](std::uint32_t options) {
    return pcre2_match(
        code_->pattern,
        reinterpret_cast<PCRE2_SPTR>(text.data()),
        text.size(),
        0,
        options,
        match.get(),
        nullptr);
  };
  int result = run(0);
  // Compiled code has a small stack of its own; the interpreter takes what it
  // needs, within the match limit.
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(PCRE2_NO_JIT);
  if (result < 0 && result != PCRE2_ERROR_NOMATCH) {
    throw RewardRowError(
        row,
        "matching failed: " + describe(result) +
            "; simplify the pattern (nested repeats such as (a+)+ take "
            "exponential time)");
  }
  return result >= 0;
}

std::vector<double> RegexReward::compute(
    const RewardBatch& batch, RewardMemo&) const {
  std::vector<double> values;
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    values.push_back(is_found(batch.completions[row], row) != invert_ ? 1 : 0);
  }
  return values;
}

RewardKind regex_kind() {
  return RewardKindOf<RegexOptions>{
      .name = "regex",
      .help = "whether a regular expression is found",
      .make =
          [](const RegexOptions& options, RewardContext& context) {
            return std::make_shared<RegexReward>(context.objective(), options);
          },
  };
}

}  // namespace moft
