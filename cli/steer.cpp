// `moft steer`: the measured setting of the knob that meets a wish.
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/evaluation/report_json.h"
#include "moft/evaluation/table.h"
#include "moft/evaluation/wish_text.h"
#include "moft/generation/policy_kinds.h"

#include "cli/command.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// `text` as one word of a shell.
std::string shell_word(const std::string& text) {
  const char* plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
      "_./=,:+@%-";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos)
    return text;
  std::string out = "'";
  for (const char c : text)
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

class SteerCommand : public Command {
 public:
  void declare(Parser& parser) override {
    parser
        .add_path(
            "RUN", run_, "The run directory that `moft evaluate` measured")
        .required();
    parser
        .add_option(
            "--want",
            wants_,
            "Bounds on mean rewards (0 to 1) and on kl (nats per completion): "
            "'relevance>=0.6' 'kl<=5'; all must hold")
        .type_name("NAME>=NUMBER");
    const Option minimise =
        parser
            .add_option(
                "--minimise",
                minimise_,
                "An objective or kl: least of it among the settings that meet "
                "all bounds; default: kl")
            .type_name("NAME");
    parser
        .add_option(
            "--maximise", maximise_, "The same, but most of it, instead")
        .type_name("NAME")
        .excludes(minimise);
    parser.add_path(
        "--report",
        report_,
        "The folder of the report, if `moft evaluate` wrote it elsewhere; "
        "default: RUN/report");
    parser.add_flag("--json", json_, "The answer as one line of JSON");
    parser.set_footer(
        "Without --want, --minimise and --maximise: the answers to five "
        "examples.\nExit code 1: no measured setting meets the wish.");
  }

  int run() override {
    const Report report = read();
    check_age(report);
    if (report.data && report.data->split == "final") {
      log_warning(
          "the report is of data.final, which is for published figures; "
          "choose settings on data.evaluation");
    }
    const bool asked =
        !wants_.empty() || !minimise_.empty() || !maximise_.empty();
    if (!asked) {
      if (json_) throw_caller_error("--json needs a wish; add --want");
      fmt::print("{}", wishes_markdown(report));
      return 0;
    }
    const WishAnswer answer = answer_wish(report, wish(report));
    if (json_) {
      fmt::print("{}\n", dump_json(to_json(report, answer)));
    } else {
      print(report, answer);
    }
    return answer.met ? 0 : 1;
  }

 private:
  fs::path file() const {
    return (report_.empty() ? fs::path(run_) / "report" : fs::path(report_)) /
           "report.json";
  }

  Report read() const {
    if (!fs::exists(file())) {
      throw_caller_error(
          "{} does not exist; measure the run first: moft evaluate {}",
          file().string(),
          shell_word(run_));
    }
    return read_report(file());
  }

  // CallerError when the run has gone on since.
  void check_age(const Report& report) const {
    const fs::path policy = fs::path(run_) / "policy";
    if (!report.policy || !fs::exists(policy / "moft.json")) return;
    const auto now = describe_policy(policy).steps;
    if (!now || !report.policy->steps || *now == *report.policy->steps) return;
    throw_caller_error(
        "{} measured the policy after {} steps, and {} now has {}; measure it "
        "again: moft evaluate {}",
        file().string(),
        *report.policy->steps,
        policy.string(),
        *now,
        shell_word(run_));
  }

  Wish wish(const Report& report) const {
    Wish result;
    for (const std::string& text : wants_)
      result.wants.push_back(parse_want(text, report.objectives));
    if (!maximise_.empty()) {
      result.goal = {maximise_, true};
    } else if (!minimise_.empty()) {
      result.goal = {minimise_, false};
    }
    return result;
  }

  std::string command(const FrontPoint& point, const Report& report) const {
    return fmt::format(
        "moft generate {} --weights {} --alpha {} --prompt \"..\"",
        shell_word(run_),
        shell_word(weights_text(point, report.objectives)),
        shortest_number(point.alpha));
  }

  void print(const Report& report, const WishAnswer& answer) const {
    const FrontPoint& point = report.points[answer.point];
    fmt::print("wish: {}\n", printable(wish_text(answer.wish)));
    if (!answer.met) {
      fmt::print(
          "None of the {} measured settings meets it. The nearest is {}.\n",
          report.points.size(),
          printable(lack_text(answer)));
    }
    fmt::print(
        "setting: {} at alpha {}\n\n{}\n",
        printable(weights_text(point, report.objectives)),
        shortest_number(point.alpha),
        wish_block(report, answer));
    fmt::print(
        "Chosen on {} of the prompts, measured on the other {}.\n\n{}\n",
        answer.chosen_on,
        answer.scored_on,
        printable(command(point, report)));
  }

  static nlohmann::ordered_json to_json(const Interval& x) {
    return {{"mean", x.mean}, {"low", x.low}, {"high", x.high}};
  }

  nlohmann::ordered_json to_json(
      const Report& report, const WishAnswer& answer) const {
    const FrontPoint& point = report.points[answer.point];
    nlohmann::ordered_json out;
    out["wish"] = wish_text(answer.wish);
    out["met"] = answer.met;
    out["bounds"] = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < answer.wish.wants.size(); ++i) {
      out["bounds"].push_back(
          {{"bound", want_text(answer.wish.wants[i])},
           {"lack", answer.lacks[i]},
           {"other_half", verdict_text(answer.verdicts[i])}});
    }
    for (const std::string& name : report.objectives) {
      out["weights"][name] = point.weights.at(name);
      out["rewards"][name] = to_json(answer.rewards.at(name));
    }
    out["alpha"] = point.alpha;
    out["kl"] = to_json(answer.kl);
    out["chosen_on"] = answer.chosen_on;
    out["scored_on"] = answer.scored_on;
    out["command"] = command(point, report);
    return out;
  }

  std::string run_;
  std::vector<std::string> wants_;
  std::string minimise_;
  std::string maximise_;
  std::string report_;  // empty: RUN/report
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_steer_command() {
  return std::make_unique<SteerCommand>();
}

}  // namespace moft
