// `moft judge`: a judge compares what runs write about the same articles.
//
// arXiv 2407.15762, section 4.3: greedy answers of every run under two
// weightings, one for each question (moft/evaluation/judging.h).
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/data/encode_prompt.h"
#include "moft/evaluation/endpoint_judge.h"
#include "moft/evaluation/judge_report.h"
#include "moft/evaluation/reward_judge.h"
#include "moft/generation/policy_kinds.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/evaluated_run.h"
#include "moft/recipes/recipe_examples.h"
#include "moft/rewards/make_objectives.h"

#include "cli/command.h"
#include "cli/flags.h"
#include "cli/policy_flags.h"
#include "cli/recipe_rewards.h"
#include "cli/result.h"
#include "cli/signals.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// What the command line sets of ChatOptions.
struct EndpointFlags {
  ChatOptions chat;

  template <class V>
  void fields(V& v) {
    v("url",
      chat.url,
      Help{"a model that judges: its server's address, to which "
           "/chat/completions is added, as in https://host/v1"});
    v("model", chat.model, Help{"the model's name at the server"});
    chat.access_fields(v);
    v("workers",
      chat.workers,
      Help{"calls that are answered at the same time"},
      between(1, 256));
    v("timeout",
      chat.timeout,
      Help{"time after which one attempt of a call is given up", "seconds"},
      above(0));
    v("call_deadline",
      chat.call_deadline,
      Help{"time that a call may take, repeated attempts included", "seconds"},
      above(0));
  }
  void check(const std::string& path) const {
    chat.check(path);
    if (!chat.model.empty()) return;
    throw_caller_error(
        "--model is missing; give the model's name at the server");
  }
};

// What one run wrote about each article.
struct Written {
  std::vector<std::string> concise;
  std::vector<std::string> quality;
};

class JudgeCommand : public Command {
 public:
  void declare(Parser& parser) override {
    parser
        .add_path(
            "RUNS",
            runs_,
            "Run directories: the first one is compared with each other one")
        .required();
    parser
        .add_option(
            "--concise-weights",
            concise_weights_,
            "The weighting under which conciseness is compared, by name: "
            "a=0.8,b=0.2")
        .required();
    parser
        .add_option(
            "--quality-weights",
            quality_weights_,
            "The weighting under which quality is compared")
        .required();
    parser
        .add_path(
            "--output",
            output_,
            "The folder for judge.json, the result, and judge.jsonl, the log "
            "of calls, whose replies are used again")
        .required();
    const Option rewards = parser.add_path(
        "--rewards",
        rewards_,
        "A YAML file with objectives that judge here, in place of an endpoint: "
        "`concise` and `quality`, or a single one for both questions");
    parser
        .add_path(
            "--wording",
            wording_,
            "A YAML file with other questions: `concise` and `quality`, each "
            "with the slots {article}, {summary1} and {summary2}")
        .excludes(rewards);
    parser.add_option(
        "--article",
        article_,
        "The field of the data that is the article; default: the prompt "
        "template's only field, else the whole prompt");
    parser.add_option("--split", split_, "evaluation or final, as in evaluate")
        .default_text("evaluation");
    parser
        .add_option(
            "--prompts",
            prompts_,
            "Held-out prompts used, from the first; default: all")
        .range(1, 1'000'000'000);
    parser.add_option(
        "--alpha",
        alpha_,
        "KL strength; default: the one that each run was trained at");
    add_flags(parser, endpoint_);
  }

  int run() override {
    outlive_closed_pipes();
    check_judge();
    const Split split = parse_split(split_);
    std::vector<EvaluatedRun> runs;
    for (const std::string& path : runs_) {
      runs.push_back(
          open_evaluated_run(path, runs.empty() ? nullptr : &runs[0].recipe));
      if (runs.size() > 1) check_comparable_runs(runs[0], runs.back(), split);
    }
    const Compute compute = use_compute(runs[0].recipe.compute);
    const auto examples = read_articles(runs[0], split, compute);
    for (const EvaluatedRun& other : runs) {
      std::vector<std::string> remarks;
      check_unseen(other, examples, other.info.prompt.parsed(), split, remarks);
      for (const std::string& remark : remarks)
        log_warning("{}", remark);
    }
    ensure_writable_directory(output_);
    const auto judge = make_judge(compute);
    std::vector<Written> written;
    for (const EvaluatedRun& run : runs)
      written.push_back(write_answers(run, examples, compute));
    std::vector<JudgedPair> pairs;
    for (std::size_t k = 1; k < runs.size(); ++k) {
      pairs.push_back(compare(
          *judge,
          {runs[0].name, runs[k].name, {}, {}, {}},
          summaries(runs[0], examples, written[0], written[k])));
      print_result("{}\n", judged_pair_text(pairs.back()));
    }
    write_result_file(runs[0], split, *judge, pairs);
    return 0;
  }

 private:
  // Before any model is loaded.
  void check_judge() const {
    if (runs_.size() < 2) {
      throw_caller_error(
          "RUNS is one run; give at least two, the first of which is compared "
          "with each other one");
    }
    const bool endpoint = !endpoint_.chat.url.empty();
    if (endpoint != rewards_.empty()) {
      throw_caller_error(
          "give one judge: --url and --model of an endpoint, or --rewards of a "
          "file with objectives");
    }
    if (endpoint) check_options(endpoint_, "command line");
  }

  std::vector<Example> read_articles(
      const EvaluatedRun& run, Split split, const Compute& compute) const {
    auto examples = fit_to_policy(
        read_split(run.recipe.data, split),
        run.recipe,
        ExamplesFor::kEvaluation,
        *open_policy(run.policy(), {compute.load}));
    if (prompts_ && *prompts_ < examples.size()) examples.resize(*prompts_);
    return examples;
  }

  std::unique_ptr<Judge> make_judge(const Compute& compute) const {
    if (rewards_.empty()) {
      const JudgeWording wording =
          wording_.empty() ? JudgeWording() : read_judge_wording(wording_);
      return std::make_unique<EndpointJudge>(
          endpoint_.chat, wording, fs::path(output_) / "judge.jsonl");
    }
    const RecipeRewards rewards = read_recipe_rewards(rewards_);
    return std::make_unique<RewardJudge>(
        make_objectives(rewards.objectives, ".", compute.load.device),
        rewards_);
  }

  Written write_answers(
      const EvaluatedRun& run,
      const std::vector<Example>& examples,
      const Compute& compute) const {
    const auto policy = open_policy(run.policy(), {compute.load, 2});
    const auto names = policy->names();
    const double alpha = alpha_.value_or(policy->default_alpha());
    policy->kl_range().check(alpha, "--alpha");
    log_info("{} answers {} prompts twice", run.name, examples.size());
    const auto answers = [&](const std::string& weights, const char* flag) {
      return write(
          *policy,
          Steering{parse_weighting(weights, names, flag), alpha},
          examples,
          run.recipe.training.max_new_tokens);
    };
    return {
        answers(concise_weights_, "--concise-weights"),
        answers(quality_weights_, "--quality-weights")};
  }

  static std::vector<std::string> write(
      Policy& policy,
      const Steering& steering,
      const std::vector<Example>& examples,
      std::int64_t max_new_tokens) {
    GenerateOptions options;
    options.max_new_tokens = max_new_tokens;
    options.sampling.greedy = true;
    std::vector<CompletionRequest> requests;
    for (const Example& example : examples) {
      const auto row = static_cast<std::uint32_t>(requests.size());
      requests.push_back(
          {policy.fill_prompt(example),
           steering,
           {0, Purpose::kEvaluate, 0, row}});
    }
    std::vector<std::string> texts;
    for (const Completion& answer : policy.complete(requests, options))
      texts.push_back(answer.text);
    return texts;
  }

  std::string article_of(
      const EvaluatedRun& run, const Example& example) const {
    if (!article_.empty()) return text_field(example, article_, "--article");
    const PromptMaker& prompt = run.info.prompt.parsed();
    const PromptTemplate* fields = prompt.fields();
    if (fields && fields->field_names().size() == 1)
      return text_field(example, fields->field_names()[0], "the prompt");
    return prompt.render(example);
  }

  std::vector<JudgedSummaries> summaries(
      const EvaluatedRun& run,
      const std::vector<Example>& examples,
      const Written& a,
      const Written& b) const {
    std::vector<JudgedSummaries> all;
    for (std::size_t i = 0; i < examples.size(); ++i) {
      all.push_back(
          {article_of(run, examples[i]),
           a.concise[i],
           b.concise[i],
           a.quality[i],
           b.quality[i],
           &examples[i]});
    }
    return all;
  }

  static JudgedPair compare(
      Judge& judge,
      JudgedPair pair,
      const std::vector<JudgedSummaries>& articles) {
    for (const JudgedSummaries& article : articles)
      pair.ids.push_back(article.example->id);
    pair.verdicts =
        judge_articles(judge, articles, [&](std::size_t done, std::size_t all) {
          log_info("{} judged {} of {} articles", judge.name(), done, all);
        });
    pair.summary = summarise_verdicts(pair.verdicts);
    return pair;
  }

  void write_result_file(
      const EvaluatedRun& run,
      Split split,
      const Judge& judge,
      const std::vector<JudgedPair>& pairs) const {
    nlohmann::ordered_json json;
    json["format_version"] = 1;
    json["judge"] = judge.name();
    json["split"] = split_name(split);
    json["data_hash"] = hash_split(run.recipe.data, split);
    json["concise_weights"] = concise_weights_;
    json["quality_weights"] = quality_weights_;
    json["usage"] = judge_usage_json(judge.usage());
    json["pairs"] = nlohmann::ordered_json::array();
    for (const JudgedPair& pair : pairs)
      json["pairs"].push_back(judged_pair_json(pair));
    const fs::path path = fs::path(output_) / "judge.json";
    write_atomically(path, dump_json(json) + "\n");
    const JudgeUsage usage = judge.usage();
    if (usage.calls + usage.reused > 0) {
      print_result(
          "{} calls, {} replies used again; {} tokens read, {} written\n",
          usage.calls,
          usage.reused,
          usage.prompt_tokens,
          usage.completion_tokens);
    }
    print_result("result: {}\n", path.lexically_normal().string());
  }

  std::vector<std::string> runs_;
  std::string concise_weights_;
  std::string quality_weights_;
  std::string output_;
  std::string rewards_;
  std::string wording_;
  std::string article_;
  std::string split_ = "evaluation";
  std::optional<std::size_t> prompts_;
  std::optional<double> alpha_;
  EndpointFlags endpoint_;
};

}  // namespace

std::unique_ptr<Command> make_judge_command() {
  return std::make_unique<JudgeCommand>();
}

}  // namespace moft
