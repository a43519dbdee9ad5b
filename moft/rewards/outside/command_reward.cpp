// The reward kind `command`.
#include "moft/rewards/outside/command_reward.h"

#include "moft/rewards/outside/lines_channel.h"
#include "moft/rewards/outside/outside_reward.h"
#include "moft/rewards/reward_context.h"

namespace moft {
namespace {

std::string source_key(const CommandOptions& options) {
  CommandOptions common = options;
  common.missing = MissingReward::kStop;
  return print_options(common);
}

std::shared_ptr<const RewardSource> make_source(const CommandOptions& options) {
  LinesOptions lines;
  lines.command = options.run;
  lines.place = options.run.front();
  const auto open = [lines](
                        const SourceOutputs& outputs,
                        RewardClock::time_point deadline,
                        const std::atomic<bool>& stopped) {
    return std::make_unique<LinesChannel>(lines, outputs, deadline, stopped);
  };
  return std::make_shared<RewardSource>(lines.place, options, open);
}

}  // namespace

RewardKind command_kind() {
  return RewardKindOf<CommandOptions>{
      .name = "command",
      .help = "a program that is asked in lines of JSON",
      .make =
          [](const CommandOptions& options, RewardContext& context) {
            const auto source = context.shared<RewardSource>(
                "command " + source_key(options),
                [&] { return make_source(options); });
            source->add_output(context.objective(), nullptr);
            return std::make_shared<OutsideReward>(
                context.objective(),
                source,
                context.objective(),
                options.missing);
          },
  };
}

}  // namespace moft
