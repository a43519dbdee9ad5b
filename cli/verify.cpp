// `moft verify`: known answers, computed by the production code.
#include <cstdio>
#include <string>

#include <fmt/format.h>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"

#include "cli/command.h"
#include "verify/counterexample_plot.h"
#include "verify/oracles.h"

namespace moft {

namespace {

class VerifyCommand : public Command {
 public:
  void declare(Parser& parser) override {
    parser.add_flag(
        "--trained",
        trained_,
        "moved: scripts/verify_trained in the source tree runs these checks");
    parser.add_path(
        "--picture",
        picture_,
        "also write the counterexample's fronts (figure 19) as SVG to this "
        "file");
    parser.set_footer(
        "One line per oracle: name, expected, obtained, error, and ok or MISS "
        "at the end.");
  }

  int run() override {
    if (trained_) {
      throw_caller_error(
          "verify: --trained has moved out of the program; run "
          "scripts/verify_trained in moft's source tree");
    }
    exact::OracleBook book([](const exact::OracleLine& line) {
      fmt::print("{}\n", exact::format_oracle(line));
      std::fflush(stdout);
    });
    exact::verify_exact(book);
    if (!picture_.empty())
      write_atomically(picture_, exact::counterexample_svg());
    if (book.misses() > 0) {
      throw_world_error(
          "verify: {} of {} oracles were missed; look for MISS above",
          book.misses(),
          book.lines());
    }
    fmt::print("{} oracles: ok\n", book.lines());
    return 0;
  }

 private:
  bool trained_ = false;
  std::string picture_;  // empty: none
};

}  // namespace

std::unique_ptr<Command> make_verify_command() {
  return std::make_unique<VerifyCommand>();
}

}  // namespace moft
