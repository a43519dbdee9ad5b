// Distinct, copied and echoed answers.
#include "moft/evaluation/text_measures.h"

#include <algorithm>
#include <map>
#include <set>

#include "moft/core/comparable_words.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

std::vector<std::string> grams(std::string_view text, std::size_t n) {
  return word_runs(comparable_words(text), n);
}

std::set<std::string> gram_set(std::string_view text, std::size_t n) {
  const std::vector<std::string> all = grams(text, n);
  return {all.begin(), all.end()};
}

void require_sources(
    const char* what,
    const std::vector<std::string>& sources,
    const std::vector<std::string>& answers) {
  if (sources.size() == answers.size()) return;
  throw_caller_error(
      "[{}] {} sources for {} answers; give one per answer",
      what,
      sources.size(),
      answers.size());
}

double share(std::size_t part, std::size_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

}  // namespace

double distinct_share(
    const std::vector<std::string>& answers,
    const std::vector<std::size_t>& prompts) {
  if (answers.size() != prompts.size()) {
    throw_caller_error(
        "[distinct_share] {} answers for {} prompts; give one number per "
        "answer",
        answers.size(),
        prompts.size());
  }
  std::map<std::string_view, std::set<std::size_t>> owners;
  for (std::size_t k = 0; k < answers.size(); ++k) {
    owners[trimmed(answers[k])].insert(prompts[k]);
  }
  std::map<std::size_t, std::pair<double, double>> tally;  // own, all
  for (std::size_t k = 0; k < answers.size(); ++k) {
    auto& [own, all] = tally[prompts[k]];
    own += owners[trimmed(answers[k])].size() == 1 ? 1 : 0;
    all += 1;
  }
  double sum = 0;
  for (const auto& [prompt, counts] : tally) {
    sum += counts.first / counts.second;
  }
  return tally.empty() ? 0 : sum / static_cast<double>(tally.size());
}

double copied_fraction(
    std::string_view source, std::string_view answer, std::size_t n) {
  const std::vector<std::string> wanted = grams(answer, n);
  if (wanted.empty()) return 0;
  const std::set<std::string> known = gram_set(source, n);
  std::size_t hits = 0;
  for (const std::string& gram : wanted)
    hits += known.count(gram);
  return share(hits, wanted.size());
}

double copied_share(
    const std::vector<std::string>& sources,
    const std::vector<std::string>& answers,
    double threshold) {
  require_sources("copied_share", sources, answers);
  std::size_t copies = 0;
  for (std::size_t k = 0; k < answers.size(); ++k) {
    if (copied_fraction(sources[k], answers[k]) >= threshold) ++copies;
  }
  return share(copies, answers.size());
}

double echoed_share(
    const std::vector<std::string>& prompts,
    const std::vector<std::string>& sources,
    const std::vector<std::string>& answers,
    std::size_t n) {
  require_sources("echoed_share", sources, answers);
  require_sources("echoed_share", prompts, answers);
  std::size_t echoes = 0;
  for (std::size_t k = 0; k < answers.size(); ++k) {
    const std::set<std::string> of_source = gram_set(sources[k], n);
    const std::set<std::string> of_prompt = gram_set(prompts[k], n);
    const std::vector<std::string> own = grams(answers[k], n);
    echoes += std::any_of(own.begin(), own.end(), [&](const auto& gram) {
      return of_prompt.count(gram) > 0 && of_source.count(gram) == 0;
    });
  }
  return share(echoes, answers.size());
}

}  // namespace moft
