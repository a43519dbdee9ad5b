// Reads tensors from shards.
#include "moft/algorithms/stored_moments.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "moft/core/errors.h"

namespace moft {
namespace {

struct Range {
  std::string_view name;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// A whole number without sign or leading zeros, up to the 64 bits of a size.
std::optional<std::int64_t> read_number(std::string_view text) {
  std::int64_t value = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc() || end != last || value < 0) return {};
  return value;
}

// None for a name without a range.
std::optional<Range> read_range(const std::string& full) {
  const std::string_view text(full);
  const std::size_t open = text.rfind('[');
  if (open == std::string_view::npos || !text.ends_with(']')) return {};
  const std::string_view inner = text.substr(open + 1, text.size() - open - 2);
  const std::size_t colon = inner.find(':');
  if (colon == std::string_view::npos) return {};
  const auto begin = read_number(inner.substr(0, colon));
  const auto end = read_number(inner.substr(colon + 1));
  if (!begin || !end) return {};
  return Range{text.substr(0, open), *begin, *end};
}

}  // namespace

StoredMoments::StoredMoments(
    const std::map<std::string, at::Tensor>& tensors, std::string what)
    : what_(std::move(what)) {
  for (const auto& [name, tensor] : tensors) {
    const auto range = read_range(name);
    if (!range) {
      moments_[name].push_back({0, tensor.numel(), tensor, true});
      continue;
    }
    if (range->begin >= range->end || tensor.dim() != 1 ||
        tensor.numel() != range->end - range->begin) {
      throw_caller_error(
          "{} '{}' holds {} numbers, which its name does not say; "
          "resume from an intact checkpoint",
          what_,
          name,
          tensor.numel());
    }
    moments_[std::string(range->name)].push_back(
        {range->begin, range->end, tensor, false});
  }
  for (auto& [name, found] : moments_) {
    std::sort(found.begin(), found.end(), [](const Piece& a, const Piece& b) {
      return a.begin < b.begin;
    });
  }
}

void StoredMoments::refuse_shape(const std::string& name) const {
  throw_caller_error(
      "{} '{}' has another shape or type than its parameter; resume with the "
      "recipe that wrote it",
      what_,
      name);
}

const std::vector<StoredMoments::Piece>& StoredMoments::pieces(
    const std::string& name) const {
  const auto found = moments_.find(name);
  if (found != moments_.end()) return found->second;
  throw_caller_error(
      "{} '{}' is missing; resume from a complete checkpoint", what_, name);
}

at::Tensor StoredMoments::whole(
    const std::string& name, at::IntArrayRef shape, at::ScalarType type) const {
  const std::vector<Piece>& found = pieces(name);
  const at::Tensor& values = found.front().values;
  if (found.size() != 1 || !found.front().whole || values.sizes() != shape ||
      values.scalar_type() != type) {
    refuse_shape(name);
  }
  return values;
}

void StoredMoments::check(
    const std::string& name, at::IntArrayRef shape) const {
  const std::vector<Piece>& found = pieces(name);
  if (found.size() == 1 && found.front().whole) {
    whole(name, shape, at::kFloat);
    return;
  }
  std::int64_t reached = 0;
  for (const Piece& piece : found) {
    if (piece.values.scalar_type() != at::kFloat) refuse_shape(name);
    if (piece.whole) {
      throw_caller_error(
          "{} '{}' is there both whole and in shards; resume from "
          "an intact checkpoint",
          what_,
          name);
    }
    if (piece.begin < reached) {
      throw_caller_error(
          "{} '{}' has the elements {} to {} twice; resume from "
          "an intact checkpoint",
          what_,
          name,
          piece.begin,
          std::min(reached, piece.end) - 1);
    }
    if (piece.begin > reached) {
      throw_caller_error(
          "{} '{}' lacks the elements {} to {}; resume from a "
          "complete checkpoint",
          what_,
          name,
          reached,
          piece.begin - 1);
    }
    reached = piece.end;
  }
  if (reached != c10::multiply_integers(shape)) {
    throw_caller_error(
        "{} '{}' has {} elements, its parameter needs {}; resume "
        "from a complete checkpoint, with the recipe that wrote it",
        what_,
        name,
        reached,
        c10::multiply_integers(shape));
  }
}

void StoredMoments::copy(
    const std::string& name, std::int64_t begin, at::Tensor& out) const {
  const std::vector<Piece>& found = pieces(name);
  if (found.size() == 1 && found.front().values.sizes() == out.sizes() &&
      begin == found.front().begin) {
    out.copy_(found.front().values);
    return;
  }
  const at::Tensor flat = out.view(-1);
  const std::int64_t end = begin + out.numel();
  for (const Piece& piece : found) {
    const std::int64_t first = std::max(begin, piece.begin);
    const std::int64_t last = std::min(end, piece.end);
    if (first >= last) continue;
    flat.narrow(0, first - begin, last - first)
        .copy_(piece.values.reshape(-1).narrow(
            0, first - piece.begin, last - first));
  }
}

}  // namespace moft
