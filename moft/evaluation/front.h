// What an evaluation found, as plain data: the structs behind report.json.
//
// The front of a policy is one point per steering (weighting w, KL strength
// alpha), measured on the same held-out prompts. Objectives are addressed by
// name everywhere; Report::objectives gives the order in which they are shown.
//
// Units: `rewards` are means in mapped [0, 1] units (affine, never clipped),
// `raw_rewards` are what the reward function returned, `kl` is in nats per
// completion, `value` is V = E[(1 - alpha) w.R - alpha KL] (arXiv 2407.15762,
// eq. 1). Per-prompt vectors hold, for each prompt, the mean over its samples,
// in the order of the prompts, so that paired tests can be done again.
//
// Thread safety: plain data; share it only while nobody writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moft {

inline constexpr int kReportFormatVersion = 1;

// One number per objective name.
using ByObjective = std::map<std::string, double>;

// An estimate with its bootstrap interval over prompts (95% unless said).
struct Interval {
  double mean = 0;
  double low = 0;
  double high = 0;
};

using IntervalByObjective = std::map<std::string, Interval>;

// Scores of every held-out prompt under one steering, [prompts] each.
struct PerPrompt {
  std::map<std::string, std::vector<double>> rewards;  // mapped units
  std::vector<double> kl;                              // nats
};

// What was measured of a policy's answers.
struct MeasuredAnswers {
  IntervalByObjective rewards;
  ByObjective raw_rewards;
  double words = 0;         // mean number of words of an answer
  double distinct = 0;      // share of prompts whose answer no other prompt got
  double finished = 0;      // share of answers with an end token
  std::size_t samples = 0;  // answers in all
  std::optional<double> copied;  // share of answers that copy their source
  // Share of answers that repeat words of the prompt around their source.
  std::optional<double> echoed;
  PerPrompt per_prompt;
};

// One steering, measured.
struct FrontPoint : MeasuredAnswers {
  ByObjective weights;
  double alpha = 0;  // KL strength
  double beta = 0;   // mixing amount of the reference
  Interval kl;
  Interval value;              // V of the policy at this steering
  double reference_value = 0;  // V of the reference at this steering (KL 0)
  Interval value_gain;         // value - reference_value, paired over prompts
};

// The frozen reference policy on the same prompts; its per_prompt.kl stays
// empty: it is 0.
using ReferencePolicy = MeasuredAnswers;

// Two neighbouring weightings between which an objective falls although its
// weight rises, by more than the stated number of standard errors.
struct StepBack {
  std::string objective;
  double from_weight = 0;
  double to_weight = 0;
  double difference = 0;      // mean(to) - mean(from), negative
  double standard_error = 0;  // paired bootstrap over prompts
};

// Figures that choose a point and score it on other prompts (cross_fit.h).
struct CrossFit {
  // Mean over the weightings of the value at the point chosen for each.
  Interval best_utility;
  // best_utility minus the mean value at the own points.
  Interval knob_regret;
  // Share of the weightings whose own point serves them best: their regret is
  // not above 0. `low` counts those whose interval of the regret ends at or
  // below 0, `high` those whose interval reaches 0.
  Interval diagonal_share;
};

// What comparisons rest on (front_figures.h). Plain means over the K points;
// V_i = (1 - alpha) R_i - alpha KL, so that V = w . (V_1, .., V_m).
struct FrontFigures {
  double mean_value = 0;   // M: mean of V, KL included
  double mean_reward = 0;  // MIP: mean of w . R, KL left out
  double reach = 0;        // mean of the signed reach over the objectives
  ByObjective kendall;     // tau-b of knob and reward
  // U: the largest step between neighbours over the whole change of the path;
  // absent where the points do not form a path (three objectives, several
  // alphas).
  std::optional<double> largest_step;
  double value_hypervolume = 0;                  // of (V_1, .., V_m)
  std::optional<double> value_hull_hypervolume;  // two objectives only
  ByObjective value_reference_point;  // of both: the origin, for every method
};

// Figures of the whole front. Rewards (not values) unless said.
struct Summary {
  double moft_value = 0;  // E_w V, eq. 2, by the rule below
  std::string moft_rule;
  double mean_utility = 0;  // plain mean of the values over the points
  double best_utility = 0;  // the same if each weighting took the best point
  double knob_regret = 0;   // best_utility - mean_utility
  ByObjective extent;       // max - min over the points
  // At the highest own weight minus at the lowest one; with a single objective
  // at the lowest alpha minus at the highest one.
  ByObjective reach;
  ByObjective spearman;    // of the weight; single objective: of falling alpha
  double hypervolume = 0;  // from Report::reference_point
  std::optional<double> hull_hypervolume;  // absent above 3 objectives
  double evenness = 0;
  double spacing = 0;
  double sparsity = 0;
  double front_length = 0;
  double diagonal_share = 0;  // weightings whose own point serves them best
  // Per-prompt parts of best_utility, knob_regret and diagonal_share, which are
  // their means. Absent in reports from before these were cross-fitted
  // (cross_fit.h).
  std::optional<CrossFit> intervals;
  // Absent in reports from before these were measured.
  std::optional<FrontFigures> figures;
  std::vector<StepBack> steps_back;
  double step_back_standard_errors = 2;  // the bar, fixed beforehand
};

// One answer under one steering (index = index in Report::points).
struct SampleAnswer {
  std::string text;
  ByObjective rewards;  // mapped units; may be empty
};

struct SampleText {
  std::string prompt;                    // what a reader should see
  std::optional<std::string> reference;  // a person's answer, if there is one
  std::optional<SampleAnswer> reference_policy;
  std::vector<SampleAnswer> answers;  // [points]
};

// One row of metrics.jsonl, as far as the report shows it.
struct TrainingRow {
  double step = 0;
  ByObjective rewards;
  std::optional<double> kl;
  std::optional<double> entropy;
  std::optional<double> mean_length;
};

// What a policy is, as its own moft.json says.
struct PolicyFacts {
  std::string base;             // its name
  std::string base_hashes;      // "file hash, ..", compared as a whole
  std::string prompt_template;  // with {field}s
  double temperature = 1;
  double alpha = 0;                     // KL strength of its training
  std::optional<std::int64_t> steps;    // of its training; absent: not recorded
  std::optional<std::int64_t> answers;  // that it was trained on
};

// What a run cost. Absent: not recorded.
struct RunCost {
  std::optional<double> answers;     // scored in training: the ledger
  std::optional<double> parameters;  // trained
  std::optional<double> share;       // of these in the model's parameters
  std::optional<double> passes;      // of a model, for each token of an answer
  std::optional<double> tokens_per_second;  // of answers, when evaluated
  std::optional<double> gradient_tokens;    // of the answers trained on
  std::optional<double> seconds;            // of training
};

// Another policy on the same prompts (--baseline), for comparison. Its KL and
// its reference's values are those of its own reference.
struct BaselinePolicy {
  std::string name;
  std::vector<FrontPoint> points;
  ReferencePolicy reference = {};  // empty in older reports
  std::optional<PolicyFacts> policy = std::nullopt;
  std::optional<RunCost> run_cost = std::nullopt;
};

// A mean difference with its one-sided 95% bounds (nested bootstrap over
// training seeds and prompts), and each seed's own.
struct Effect {
  double mean = 0;
  double lower = 0;
  double upper = 0;
  std::vector<double> seeds;
};

// A method: one run or, one run per training seed, several. Costs and figures
// are means over these.
struct ComparedMethod {
  std::string name;
  std::vector<std::string> runs;
  RunCost cost;
  FrontFigures figures;
};

// One weighting of a pair of methods.
struct ComparedWeighting {
  ByObjective weights;
  double alpha = 0;
  Effect value;  // V of the policy minus V of the rival
  // (V_rival - V_policy) / |V_rival|: figure 4's bar with its sign put right,
  // below 0 where the policy is better; absent where V_rival is 0.
  std::optional<double> bar;
};

// The policy's method against a rival: every difference is policy minus rival.
struct ComparedPair {
  std::string rival;
  // Answers scored in training differ by at most 2%. False where a number is
  // not known, too: the rival is a reference, and no verdict rests on it.
  bool equal_ledger = false;
  std::string ledger;              // in words
  std::size_t seeds = 0;           // compared in pairs
  std::optional<Effect> value;     // M; like all, over common weightings
  std::optional<Effect> reward;    // MIP
  std::optional<Effect> interior;  // D_int: all weightings but the vertices
  std::optional<Effect> vertices;  // D_ver
  std::optional<Effect> reach;     // Reach
  std::size_t won = 0;             // lower bound above 0
  std::size_t tied = 0;
  std::size_t lost = 0;  // upper bound below 0
  std::optional<double> smallest_bound;
  bool dominates = false;  // every lower bound above 0
  bool dominated = false;  // every upper bound below 0
  std::vector<ComparedWeighting> weightings;
};

// A method against the bank: one separately trained policy per weighting.
struct AgainstBank {
  std::string method;
  std::optional<double> share;  // of the bank's Reach; absent where that is 0
  // Two objectives only: mean |measured - requested change| from the middle
  // weighting, over the raised objectives and over the others.
  std::optional<double> miscalibration;
  std::optional<double> side_effects;
};

// Several methods on the same prompts (comparison.h).
struct Comparison {
  std::vector<ComparedMethod> methods;  // the policy's first
  std::vector<ComparedPair> pairs;      // one per rival
  std::string bank;                     // the method's name; empty: none
  std::vector<AgainstBank> against_bank;
};

// Which prompts were answered.
struct EvaluationData {
  std::string split;  // "evaluation" chooses settings, "final" is published
  std::string file;
  std::string hash;         // XXH3-128 of the file's content
  std::size_t prompts = 0;  // answered, from the first
  std::size_t overlap = 0;  // of these, how many were trained on
};

struct Report {
  int format_version = kReportFormatVersion;
  std::string title;  // shown on the page, e.g. the run's name
  std::vector<std::string> objectives;
  ByObjective reference_point;  // of the hypervolume, absolute, mapped units
  std::vector<FrontPoint> points;
  ReferencePolicy reference;
  std::vector<BaselinePolicy> baselines;
  std::optional<PolicyFacts> policy;   // absent in older reports
  std::optional<RunCost> run_cost;     // absent in older reports
  std::optional<EvaluationData> data;  // absent in older reports
  Summary summary;
  std::optional<Comparison> comparison;           // absent without baselines
  std::map<std::string, double> cost;             // name with unit -> number
  std::map<std::string, std::string> provenance;  // what, from where, with what
  std::vector<SampleText> texts;
  std::vector<TrainingRow> training;
  std::vector<std::string> notes;  // honest remarks, plain text
};

}  // namespace moft
