// Texts to logits.
#include "moft/rewards/text_classifier.h"

#include "moft/rewards/model_files.h"

namespace moft {

TextClassifier::TextClassifier(
    const std::filesystem::path& directory, at::Device device)
    : model_(directory, device), reader_(directory, model_.info()) {}

ClassifierInfo check_text_classifier(const std::filesystem::path& directory) {
  ClassifierInfo info = read_classifier_info(directory);
  check_tokenizer_fits(
      directory, *load_framed_tokenizer(directory).tokenizer, info.vocabulary);
  return info;
}

}  // namespace moft
