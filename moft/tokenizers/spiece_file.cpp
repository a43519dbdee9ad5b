// Reads and checks SentencePiece model files.
#include "moft/tokenizers/spiece_file.h"

#include <bit>
#include <cmath>
#include <cstdint>

#include <sentencepiece_processor.h>

#include "moft/core/errors.h"
#include "moft/tokenizers/character_map.h"
#include "moft/tokenizers/unicode.h"

namespace moft {
namespace {

[[noreturn]] void refuse(const std::string& place, std::string_view what) {
  throw_caller_error(
      "{}: {}; take the spiece.model or tokenizer.model that belongs to the "
      "model, and download it again if it was cut off",
      place,
      what);
}

// One field of a protocol buffer message.
struct Field {
  std::uint32_t number = 0;
  std::uint64_t value = 0;  // of a varint or fixed-size field
  std::string_view bytes;   // of a length-delimited field
};

// Walks over the fields of one message.
class Message {
 public:
  Message(std::string_view bytes, const std::string& place)
      : rest_(bytes), place_(place) {}

  bool next(Field& field) {
    if (rest_.empty()) return false;
    const std::uint64_t key = varint();
    field = Field();
    field.number = static_cast<std::uint32_t>(key >> 3);
    switch (key & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.value = fixed(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        field.value = fixed(4);
        break;
      default:
        damaged();
    }
    if (key >> 3 == 0 || key >> 3 > (1 << 29)) damaged();
    return true;
  }

 private:
  [[noreturn]] void damaged() const {
    refuse(place_, "the file is damaged or no SentencePiece model");
  }

  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) damaged();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::uint64_t fixed(std::size_t bytes) {
    std::uint64_t value = 0;
    const std::string_view taken = take(bytes);
    for (std::size_t i = 0; i < bytes; ++i) {
      const auto byte = static_cast<unsigned char>(taken[i]);
      value |= static_cast<std::uint64_t>(byte) << (8 * i);
    }
    return value;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    damaged();
  }

  std::string_view rest_;
  const std::string& place_;
};

Piece read_piece(
    std::string_view bytes, const std::string& place, SpieceUse use) {
  Piece piece;
  Message message(bytes, place);
  for (Field field; message.next(field);) {
    if (field.number == 1) {
      piece.text = field.bytes;
    } else if (field.number == 2) {
      const auto bits = static_cast<std::uint32_t>(field.value);
      piece.score = std::bit_cast<float>(bits);
      if (!std::isfinite(piece.score)) {
        refuse(place, "a piece's score is not finite");
      }
    } else if (field.number == 3) {
      if (field.value == 6 && use == SpieceUse::kT5) {
        refuse(place, "it falls back to bytes, which T5's tokenizer does not");
      }
      if (field.value < 1 || field.value > 6) {
        refuse(place, "a piece is of no known kind");
      }
      piece.kind = static_cast<PieceKind>(field.value);
    }
  }
  const bool readable = !piece.text.empty() && is_utf8(piece.text) &&
                        piece.text.find('\0') == std::string::npos;
  if (!readable) refuse(place, "a piece is empty or no text");
  return piece;
}

// The two kinds of model that are read.
constexpr std::uint64_t kUnigramModel = 1;
constexpr std::uint64_t kBpeModel = 2;

void check_trainer(
    std::string_view bytes,
    const std::string& place,
    SpieceUse use,
    SpieceFile& file) {
  Message message(bytes, place);
  for (Field field; message.next(field);) {
    if (field.number == 3) file.unigram = field.value == kUnigramModel;
    if (field.number == 3 && field.value != kUnigramModel) {
      if (use == SpieceUse::kT5)
        refuse(place, "it is not a unigram model, which T5's tokenizer is");
      if (field.value != kBpeModel)
        refuse(place, "it is neither a unigram nor a byte-pair model");
    }
    if (field.number == 24 && field.value != 0) {
      refuse(place, "it writes white space behind words");
    }
    if (field.number == 41) file.bos = static_cast<std::int32_t>(field.value);
    if (field.number == 42) file.eos = static_cast<std::int32_t>(field.value);
  }
}

void check_normaliser(
    std::string_view bytes, const std::string& place, SpieceFile& file) {
  Message message(bytes, place);
  for (Field field; message.next(field);) {
    if (field.number == 2 && !field.bytes.empty()) {
      const CharacterMap checked(field.bytes, place);
      file.maps_characters = true;
    }
    if (field.number == 3) file.adds_prefix = field.value != 0;
    if (field.number == 5 && field.value == 0) {
      refuse(place, "it does not write spaces as U+2581");
    }
  }
}

}  // namespace

SpieceFile check_spiece_file(
    std::string_view bytes, const std::string& place, SpieceUse use) {
  SpieceFile file;
  std::size_t unknown = 0;
  bool trainer = false;
  bool normaliser = false;
  SpieceFile ignored;
  Message message(bytes, place);
  for (Field field; message.next(field);) {
    if (field.number == 1) {
      file.pieces.push_back(read_piece(field.bytes, place, use));
      if (file.pieces.back().kind == PieceKind::kUnknown) ++unknown;
    } else if (field.number == 2) {
      trainer = true;
      check_trainer(field.bytes, place, use, file);
    } else if (field.number == 3) {
      normaliser = true;
      check_normaliser(field.bytes, place, file);
    } else if (field.number == 5) {
      check_normaliser(field.bytes, place, ignored);
    }
  }
  if (file.pieces.empty()) refuse(place, "it holds no pieces");
  if (!trainer || !normaliser) refuse(place, "it lacks its settings");
  if (unknown != 1) refuse(place, "it needs exactly one unknown piece");
  return file;
}

std::unique_ptr<sentencepiece::SentencePieceProcessor> make_spm_processor(
    const std::string& bytes, const std::string& place) {
  auto made = std::make_unique<sentencepiece::SentencePieceProcessor>();
  std::string complaint;
  try {
    const auto status = made->LoadFromSerializedProto(bytes);
    if (!status.ok()) complaint = status.ToString();
  } catch (const std::exception& error) {
    complaint = error.what();
  }
  if (complaint.empty()) return made;
  throw_caller_error(
      "{}: SentencePiece does not read it ({}); take the file that belongs to "
      "the model",
      place,
      complaint);
}

}  // namespace moft
