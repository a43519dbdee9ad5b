// A sequence classifier with its tokenizer: texts, or pairs of texts, to
// logits.
//
// Thread safety: as Classifier, calls may run at once.
#pragma once

#include <filesystem>

#include "moft/rewards/text_reader.h"

namespace moft {

class TextClassifier {
 public:
  // `directory`: a classifier with tokenizer.json. CallerError as the loaders
  // do.
  TextClassifier(const std::filesystem::path& directory, at::Device device);

  const ClassifierInfo& info() const { return model_.info(); }
  const TextReader& reader() const { return reader_; }
  const Tokenizer& tokenizer() const { return reader_.tokenizer(); }

  // As TextReader's.
  void add_windows(
      const JudgedText& text,
      const WindowOptions& options,
      WindowedTexts& windows) const {
    reader_.add_windows(text, options, windows);
  }
  TokenIds encode(std::span<const PromptPiece> text) const {
    return reader_.encode(text);
  }

  // [texts, labels], double.
  at::Tensor logits(const WindowedTexts& windows) const {
    return model_.logits(windows.texts, windows.second);
  }

 private:
  Classifier model_;
  TextReader reader_;
};

// Finds in milliseconds what TextClassifier would refuse, weights aside.
ClassifierInfo check_text_classifier(const std::filesystem::path& directory);

}  // namespace moft
