#include "moft/tokenizers/spiece_file.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "moft/core/errors.h"
#include "moft/tokenizers/unicode.h"

namespace moft {
namespace {

[[noreturn]] void refuse(const std::string& place, std::string_view what) {
  throw_caller_error(
      "{}: {}; take the spiece.model that belongs to the model", place, what);
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

// The rules of a normaliser: the size of a trie, the trie (a double array of
// darts-clone's units), then the replacements, each closed by a zero byte.
class CharacterMap {
 public:
  CharacterMap(std::string_view bytes, const std::string& place)
      : place_(place) {
    std::uint32_t size = 0;
    if (bytes.size() < 4) damaged();
    std::memcpy(&size, bytes.data(), 4);
    bytes.remove_prefix(4);
    if (size > bytes.size() || size < 1024 || size % 4 != 0) damaged();
    units_.resize(size / 4);
    std::memcpy(units_.data(), bytes.data(), size);
    replacements_ = bytes.substr(size);
    if (replacements_.empty() || replacements_.back() != '\0' ||
        !is_valid_utf8(replacements_)) {
      damaged();
    }
  }

  // Follows every path from the root.
  void check() const {
    std::vector<bool> seen(units_.size());
    std::vector<std::uint32_t> open;
    const auto visit = [&](std::uint32_t base) {
      // Any next byte may be looked up from here.
      if ((base | 0xff) >= units_.size()) damaged();
      if (seen[base]) return;
      seen[base] = true;
      open.push_back(base);
    };
    visit(offset(units_[0]));
    while (!open.empty()) {
      const std::uint32_t base = open.back();
      open.pop_back();
      for (std::uint32_t byte = 0; byte < 256; ++byte) {
        const std::uint32_t place = base ^ byte;
        const std::uint32_t unit = units_[place];
        if ((unit & 0x800000ff) != byte) continue;
        const std::uint32_t next = place ^ offset(unit);
        visit(next);
        if ((unit >> 8 & 1) != 0) check_value(units_[next] & 0x7fffffff);
      }
    }
  }

 private:
  [[noreturn]] void damaged() const {
    refuse(place_, "the normaliser's table of characters is damaged");
  }

  static std::uint32_t offset(std::uint32_t unit) {
    return (unit >> 10) << ((unit & (1 << 9)) >> 6);
  }

  // A value is where a replacement begins.
  void check_value(std::uint32_t value) const {
    if (value >= replacements_.size() ||
        (value > 0 && replacements_[value - 1] != '\0')) {
      damaged();
    }
  }

  const std::string& place_;
  std::vector<std::uint32_t> units_;
  std::string_view replacements_;
};

Piece read_piece(std::string_view bytes, const std::string& place) {
  Piece piece;
  Message message(bytes, place);
  for (Field field; message.next(field);) {
    if (field.number == 1) {
      piece.text = field.bytes;
    } else if (field.number == 2) {
      const auto bits = static_cast<std::uint32_t>(field.value);
      if (!std::isfinite(std::bit_cast<float>(bits))) {
        refuse(place, "a piece's score is not finite");
      }
    } else if (field.number == 3) {
      if (field.value == 6) {
        refuse(place, "it falls back to bytes, which T5's tokenizer does not");
      }
      if (field.value < 1 || field.value > 5) {
        refuse(place, "a piece is of no known kind");
      }
      piece.kind = static_cast<PieceKind>(field.value);
    }
  }
  const bool readable = !piece.text.empty() && is_valid_utf8(piece.text) &&
                        piece.text.find('\0') == std::string::npos;
  if (!readable) refuse(place, "a piece is empty or no text");
  return piece;
}

void check_trainer(std::string_view bytes, const std::string& place) {
  Message message(bytes, place);
  for (Field field; message.next(field);) {
    if (field.number == 3 && field.value != 1) {
      refuse(place, "it is no unigram model, which T5's tokenizer is");
    }
    if (field.number == 24 && field.value != 0) {
      refuse(place, "it writes white space behind words");
    }
  }
}

void check_normaliser(std::string_view bytes, const std::string& place) {
  Message message(bytes, place);
  for (Field field; message.next(field);) {
    if (field.number == 2 && !field.bytes.empty()) {
      CharacterMap(field.bytes, place).check();
    }
    if (field.number == 5 && field.value == 0) {
      refuse(place, "it does not write spaces as U+2581");
    }
  }
}

}  // namespace

std::vector<Piece> check_spiece_file(
    std::string_view bytes, const std::string& place) {
  std::vector<Piece> pieces;
  std::size_t unknown = 0;
  bool trainer = false;
  bool normaliser = false;
  Message message(bytes, place);
  for (Field field; message.next(field);) {
    if (field.number == 1) {
      pieces.push_back(read_piece(field.bytes, place));
      if (pieces.back().kind == PieceKind::kUnknown) ++unknown;
    } else if (field.number == 2) {
      trainer = true;
      check_trainer(field.bytes, place);
    } else if (field.number == 3 || field.number == 5) {
      normaliser = normaliser || field.number == 3;
      check_normaliser(field.bytes, place);
    }
  }
  if (pieces.empty()) refuse(place, "it holds no pieces");
  if (!trainer || !normaliser) refuse(place, "it lacks its settings");
  if (unknown != 1) refuse(place, "it needs exactly one unknown piece");
  return pieces;
}

}  // namespace moft
