// `moft export`: a policy for other programs (docs/export.md).
#include <filesystem>

#include <fmt/format.h>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/generation/export_options.h"

#include "cli/command.h"
#include "cli/policy_flags.h"
#include "cli/result.h"
#include "cli/signals.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// llama.cpp's names.
struct NumberType {
  const char* name;
  TensorType type;
};
constexpr NumberType kNumberTypes[] = {
    {"f32", TensorType::kF32},
    {"f16", TensorType::kF16},
    {"bf16", TensorType::kBF16},
    {"q8_0", TensorType::kQ8_0}};

ExportFormat parse_format(const std::string& text) {
  for (const auto& [format, name] : enum_names(ExportFormat{}))
    if (name == text) return format;
  throw_caller_error(
      "--format is {}; give hf, peft, gguf or gguf-adapter", quote_text(text));
}

TensorType parse_numbers(const std::string& text) {
  for (const NumberType& known : kNumberTypes)
    if (text == known.name) return known.type;
  throw_caller_error(
      "--dtype is {}; give f32, f16, bf16 or q8_0", quote_text(text));
}

class ExportCommand : public Command {
 public:
  void declare(Parser& parser) override {
    policy_.declare(parser);
    steering_.declare(parser);
    steering_.declare_reference(parser);
    parser
        .add_option(
            "--format",
            format_,
            "hf: a Hugging Face directory; gguf: a file for llama.cpp; peft, "
            "gguf-adapter: the same as an adapter on the base, of policies "
            "with steered_set: lora; without --weights one for each objective")
        .type_name("hf|peft|gguf|gguf-adapter");
    parser.add_option("--dtype", numbers_, "How --format gguf stores matrices")
        .type_name("f32|f16|bf16|q8_0");
    parser.add_option(
        "--base-name",
        options_.base_name,
        "What --format peft calls the base, a path or a Hub name; default: the "
        "name that the policy recorded");
    parser.add_path("--to", to_, "The directory or file to make").required();
  }

  int run() override {
    outlive_closed_pipes();
    options_.format = parse_format(format_);
    options_.numbers = parse_numbers(numbers_);
    if (options_.numbers != TensorType::kF32 &&
        options_.format != ExportFormat::kGguf) {
      throw_caller_error(
          "--dtype is {} and --format is {}, which is float32; leave --dtype "
          "out, or give --format gguf",
          numbers_,
          format_);
    }
    const auto policy = policy_.open();
    const bool adapter = options_.format == ExportFormat::kPeft ||
                         options_.format == ExportFormat::kGgufAdapter;
    if (adapter && !steering_.given() && !policy->names().empty()) {
      export_each(*policy);
      return 0;
    }
    policy->export_model(steering_.steering(*policy), to_, options_);
    print_result("{}\n", to_);
    return 0;
  }

 private:
  void export_each(const Policy& policy) const {
    const auto names = policy.names();
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(to_, ignored))) {
      throw_caller_error(
          "{}: exists already and will not be overwritten; give another name",
          to_);
    }
    const bool file = options_.format == ExportFormat::kGgufAdapter;
    const double alpha = steering_.alpha(policy);
    ensure_writable_directory(to_);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const fs::path path = fs::path(to_) / (names[i] + (file ? ".gguf" : ""));
      policy.export_model(
          Steering{Weighting::corner(names.size(), i), alpha}, path, options_);
      print_result("{}\n", path.string());
    }
  }

  PolicyFlags policy_;
  SteeringFlags steering_;
  ExportOptions options_;
  std::string format_ = "hf";
  std::string numbers_ = "f32";
  std::string to_;
};

}  // namespace

std::unique_ptr<Command> make_export_command() {
  return std::make_unique<ExportCommand>();
}

}  // namespace moft
