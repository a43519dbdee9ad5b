// `moft tokenize`: one JSON list of ids per line of text.
#include <fstream>
#include <iostream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "moft/checkpoints/gguf.h"
#include "moft/checkpoints/model_folder.h"
#include "moft/core/errors.h"
#include "moft/tokenizers/gguf_tokenizer.h"
#include "moft/tokenizers/hf_tokenizer.h"

#include "cli/command.h"
#include "cli/policy_flags.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// Only the tokenizer is read, not the weights.
std::unique_ptr<Tokenizer> open_tokenizer(const fs::path& path) {
  const ModelPlace model = find_model(path);
  if (!model.gguf) return load_tokenizer(path);
  return make_tokenizer(GgufFile(model.path).tokenizer_data());
}

class TokenizeCommand : public Command {
 public:
  void declare(Parser& parser) override {
    policy_.declare(parser);
    parser
        .add_path(
            "--input", input_, "Text, one piece per line; - for standard input")
        .required();
    parser.add_flag(
        "--plain",
        plain_,
        "Special tokens written in the text are ordinary text");
  }

  int run() override {
    const auto tokenizer = open_tokenizer(policy_.policy_path());
    std::ifstream file;
    if (input_ != "-") {
      file.open(input_, std::ios::binary);
      if (!file) {
        throw_caller_error(
            "--input {}: the file cannot be read; give a text file or -",
            input_);
      }
    }
    std::istream& stream = input_ == "-" ? std::cin : file;
    const EncodeOptions options{.parse_special = !plain_, .add_special = true};
    std::string line;
    while (std::getline(stream, line)) {
      fmt::print("[{}]\n", fmt::join(tokenizer->encode(line, options), ", "));
    }
    return 0;
  }

 private:
  PolicyFlags policy_;
  std::string input_;
  bool plain_ = false;
};

}  // namespace

std::unique_ptr<Command> make_tokenize_command() {
  return std::make_unique<TokenizeCommand>();
}

}  // namespace moft
