// Text that knows, byte for byte, where it came from: the strings of the
// template interpreter.
//
// Marks travel with the bytes through every operation. Text is valid UTF-8;
// positions are bytes at the edges of characters unless a name says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moft::jinja {

// Bits of a byte's mark; 0 is the template's own text.
using Marks = std::uint8_t;
inline constexpr Marks kOwnText = 0;
inline constexpr Marks kFromConversation = 1;
inline constexpr Marks kInGeneration = 2;

class MarkedText {
 public:
  // Bytes up to `end` that are not in an earlier run; neighbours differ.
  struct Run {
    std::size_t end;
    Marks marks;
  };

  MarkedText() = default;
  explicit MarkedText(std::string_view bytes, Marks marks = kOwnText) {
    append(bytes, marks);
  }

  const std::string& bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  // Characters (code points).
  std::size_t length() const { return length_; }
  const std::vector<Run>& runs() const { return runs_; }

  void append(std::string_view bytes, Marks marks);
  void append(const MarkedText& other) { append(other, 0, other.size()); }
  // Bytes [from, to) of `other`, which is another text.
  void append(const MarkedText& other, std::size_t from, std::size_t to);
  MarkedText part(std::size_t from, std::size_t to) const;

  // REQUIRES at < size().
  Marks marks_at(std::size_t at) const;
  // The bits that some byte has.
  Marks any_marks() const;
  // Adds bits to the bytes [from, size()).
  void mark_from(std::size_t from, Marks bits);

  // Where character `index` begins; size() for index >= length().
  std::size_t offset_of(std::size_t index) const;

 private:
  std::vector<Run>::const_iterator run_of(std::size_t at) const;
  void add_run(std::size_t end, Marks marks);

  std::string bytes_;
  std::vector<Run> runs_;
  std::size_t length_ = 0;
};

// Code points of valid UTF-8.
std::size_t count_characters(std::string_view text);
// Bytes of the character that begins at text[at].
std::size_t character_size(std::string_view text, std::size_t at);

}  // namespace moft::jinja
