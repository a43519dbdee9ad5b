// Marked text: bytes and runs of equal marks.
#include "moft/chat/marked_text.h"

#include <algorithm>

namespace moft::jinja {

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
      }));
}

std::size_t character_size(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0xc0) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

void MarkedText::add_run(std::size_t end, Marks marks) {
  if (!runs_.empty() && runs_.back().marks == marks) {
    runs_.back().end = end;
  } else if (end > (runs_.empty() ? 0 : runs_.back().end)) {
    runs_.push_back({end, marks});
  }
}

void MarkedText::append(std::string_view bytes, Marks marks) {
  if (bytes.empty()) return;
  bytes_ += bytes;
  length_ += count_characters(bytes);
  add_run(bytes_.size(), marks);
}

void MarkedText::append(
    const MarkedText& other, std::size_t from, std::size_t to) {
  if (from >= to) return;
  const std::size_t start = bytes_.size();
  const std::string_view bytes(other.bytes_.data() + from, to - from);
  bytes_ += bytes;
  const bool whole = bytes.size() == other.bytes_.size();
  length_ += whole ? other.length_ : count_characters(bytes);
  for (auto run = other.run_of(from); run != other.runs_.end(); ++run) {
    add_run(start + std::min(run->end, to) - from, run->marks);
    if (run->end >= to) break;
  }
}

MarkedText MarkedText::part(std::size_t from, std::size_t to) const {
  MarkedText result;
  result.append(*this, from, to);
  return result;
}

std::vector<MarkedText::Run>::const_iterator MarkedText::run_of(
    std::size_t at) const {
  return std::upper_bound(
      runs_.begin(), runs_.end(), at, [](std::size_t place, const Run& run) {
        return place < run.end;
      });
}

Marks MarkedText::marks_at(std::size_t at) const {
  return run_of(at)->marks;
}

Marks MarkedText::any_marks() const {
  Marks marks = 0;
  for (const Run& run : runs_)
    marks |= run.marks;
  return marks;
}

void MarkedText::mark_from(std::size_t from, Marks bits) {
  if (from >= size()) return;
  const auto first = run_of(from) - runs_.cbegin();
  const std::vector<Run> tail(runs_.begin() + first, runs_.end());
  runs_.resize(static_cast<std::size_t>(first));
  const std::size_t start = runs_.empty() ? 0 : runs_.back().end;
  if (start < from) add_run(from, tail[0].marks);
  for (const Run& run : tail)
    add_run(run.end, static_cast<Marks>(run.marks | bits));
}

std::size_t MarkedText::offset_of(std::size_t index) const {
  if (index >= length_) return size();
  if (length_ == size()) return index;
  std::size_t at = 0;
  for (std::size_t i = 0; i < index; ++i)
    at += character_size(bytes_, at);
  return at;
}

}  // namespace moft::jinja
