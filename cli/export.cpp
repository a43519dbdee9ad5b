// `moft export`: one steering as an ordinary Hugging Face directory.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/policy_flags.h"
#include "cli/result.h"
#include "cli/signals.h"

namespace moft {

namespace {

class ExportCommand : public Command {
 public:
  void declare(Parser& parser) override {
    policy_.declare(parser);
    steering_.declare(parser);
    parser.add_path("--to", to_, "The directory to make").required();
  }

  int run() override {
    outlive_closed_pipes();
    const auto policy = policy_.open();
    policy->export_model(steering_.steering(*policy), to_);
    print_result("{}\n", to_);
    return 0;
  }

 private:
  PolicyFlags policy_;
  SteeringFlags steering_;
  std::string to_;
};

}  // namespace

std::unique_ptr<Command> make_export_command() {
  return std::make_unique<ExportCommand>();
}

}  // namespace moft
