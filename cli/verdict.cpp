// `moft verdict`: what statistics of training seeds say about claims.
#include <string>

#include <fmt/format.h>

#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/evaluation/claims.h"

#include "cli/command.h"

namespace moft {

namespace {

nlohmann::ordered_json json_of(const ClaimVerdict& claim) {
  nlohmann::ordered_json parts = nlohmann::ordered_json::array();
  for (const PartVerdict& part : claim.parts) {
    nlohmann::ordered_json one;
    one["name"] = part.name;
    one["kind"] = enum_name(part.kind);
    one["delta"] = part.delta;
    one["d"] = part.d;
    one["lower"] = part.lower;
    one["upper"] = part.upper;
    one["standard_error"] = part.standard_error;
    one["prompt_half_width"] = part.prompt_half_width;
    one["seeds"] = part.seeds;
    one["reversed"] = part.reversed;
    one["verdict"] = enum_name(part.verdict);
    parts.push_back(std::move(one));
  }
  nlohmann::ordered_json line;
  line["id"] = claim.id;
  line["verdict"] = enum_name(claim.verdict);
  line["parts"] = std::move(parts);
  return line;
}

void print_text(const ClaimVerdict& claim) {
  fmt::print("{}: {}\n", claim.id, enum_name(claim.verdict));
  for (const PartVerdict& part : claim.parts) {
    std::string seeds;
    for (const double d : part.seeds)
      seeds += fmt::format(" {:.4f}", d);
    fmt::print(
        "  {}: d {:.4f}, 95% bounds {:.4f} and {:.4f}, {} {}; seeds{}{}; {}\n",
        part.name,
        part.d,
        part.lower,
        part.upper,
        part.kind == ClaimKind::kMore ? "more than" : "not less than -",
        part.delta,
        seeds,
        part.reversed ? ", one reversed" : "",
        enum_name(part.verdict));
  }
}

class VerdictCommand : public Command {
 public:
  void declare(Parser& parser) override {
    parser
        .add_path(
            "FILE",
            file_,
            "JSON {\"claims\": [{\"id\": .., \"parts\": [..]}]}; a part has "
            "name, kind (more, not_less), delta and seeds: for each training "
            "seed, for each prompt, a list of numbers")
        .required();
    parser.add_option("--draws", draws_, "Draws of the bootstrap")
        .range(1, 1000000);
    parser.add_option("--seed", seed_, "Random seed of the bootstrap");
    parser.add_flag("--json", json_, "One line of JSON for each claim");
    parser.set_footer(
        "reproduced: the one-sided 95% bound is above delta (more) or -delta "
        "(not_less), and every seed agrees; contradicted: the opposite bound "
        "is below -delta; undecided: neither. The rule: "
        "docs/results/figures-protocol.md.");
  }

  int run() override {
    ClaimsFile file;
    options_from_json(file, parse_json(read_text(file_), file_), file_);
    check_options(file, file_);
    ClaimDraws options;
    options.draws = static_cast<std::size_t>(draws_);
    options.seed = seed_;
    for (const Claim& claim : file.claims) {
      const ClaimVerdict verdict = decide(claim, options);
      if (json_) {
        fmt::print("{}\n", dump_json(json_of(verdict)));
      } else {
        print_text(verdict);
      }
    }
    return 0;
  }

 private:
  std::string file_;
  std::int64_t draws_ = 4000;
  std::uint64_t seed_ = 0;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_verdict_command() {
  return std::make_unique<VerdictCommand>();
}

}  // namespace moft
