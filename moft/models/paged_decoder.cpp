// Bookkeeping of rows; the arithmetic is the families'.
#include "moft/models/paged_decoder.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

std::int64_t new_tokens_of(const DecodeGroup& group, std::size_t row) {
  return group.max_new_tokens[group.max_new_tokens.size() == 1 ? 0 : row];
}

// More than any model writes; lengths and pages of all rows add up safely.
constexpr std::int64_t kMostNewTokens =
    std::numeric_limits<std::int32_t>::max();

void check_index(
    std::size_t row, const char* of, std::int64_t index, std::size_t count) {
  if (index >= 0 && index < static_cast<std::int64_t>(count)) return;
  throw_caller_error(
      "row {} names {} {}, but the group has {}; give an index below that",
      row,
      of,
      index,
      count);
}

}  // namespace

at::Tensor block_table(
    std::span<const std::vector<PageId>> pages_of_slots, at::Device device) {
  std::size_t width = 1;
  for (const auto& pages : pages_of_slots)
    width = std::max(width, pages.size());
  const at::Tensor table = at::zeros(
      {std::ssize(pages_of_slots), static_cast<std::int64_t>(width)}, at::kInt);
  auto* entry = table.mutable_data_ptr<std::int32_t>();
  for (const auto& pages : pages_of_slots) {
    std::copy(pages.begin(), pages.end(), entry);
    entry += width;
  }
  return table.to(device);
}

PagedDecoder::PagedDecoder(
    const LanguageModel& model, PageShape shape, const DecoderLimits& limits)
    : device_(model.device()),
      vocabulary_(model.info().vocabulary),
      limits_(limits),
      pool_(shape, limits.pages, device_) {}

void PagedDecoder::check_group(const DecodeGroup& group) const {
  if (group.rows.empty())
    throw_caller_error("a group has no rows; give at least one row");
  const std::size_t rows = group.rows.size();
  if (group.max_new_tokens.size() != 1 && group.max_new_tokens.size() != rows) {
    throw_caller_error(
        "a group has {} rows and {} max_new_tokens; give one for each row, or "
        "one for all",
        rows,
        group.max_new_tokens.size());
  }
  for (std::size_t r = 0; r < rows; ++r) {
    const DecodeRow& given = group.rows[r];
    check_index(r, "prompt", given.prompt, group.prompts.size());
    check_index(r, "steering", given.steering, group.steerings.size());
    const auto& ids = group.prompts[static_cast<std::size_t>(given.prompt)];
    if (ids.empty()) {
      throw_caller_error(
          "prompt {} has no tokens; give at least one token", given.prompt);
    }
    const std::int64_t tokens = new_tokens_of(group, r);
    if (tokens < 0 || tokens > kMostNewTokens) {
      throw_caller_error(
          "max_new_tokens of row {} is {}; give at most {}",
          r,
          tokens,
          kMostNewTokens);
    }
    check(ids, tokens);
  }
  if (group.record_features || group.keep_graph) check_recorded(group);
}

void PagedDecoder::check_recorded(const DecodeGroup& group) const {
  if (records_) {
    throw_caller_error(
        "a decoder records the features of one group; open a decoder for each "
        "group");
  }
  std::vector<std::int64_t> steering(group.prompts.size(), -1);
  for (const DecodeRow& row : group.rows) {
    std::int64_t& own = steering[static_cast<std::size_t>(row.prompt)];
    if (own >= 0 && own != row.steering) {
      throw_caller_error(
          "prompt {} has rows under several steerings, but features are "
          "recorded; give each steering a prompt of its own",
          row.prompt);
    }
    own = row.steering;
  }
  const auto idle = std::find(steering.begin(), steering.end(), -1);
  if (idle == steering.end()) return;
  throw_caller_error(
      "prompt {} has no row, but features are recorded; leave it out",
      idle - steering.begin());
}

std::vector<Slot> PagedDecoder::free_slots(std::int64_t count) const {
  std::vector<Slot> result;
  const auto size = static_cast<Slot>(rows_.size());
  for (Slot slot = 0; slot < limits_.slots && std::ssize(result) < count;
       ++slot) {
    if (slot >= size || !row(slot).used) result.push_back(slot);
  }
  return result;
}

std::vector<PagedDecoder::Prompt> PagedDecoder::prompts_of(
    const DecodeGroup& group, const std::vector<Slot>& slots) const {
  std::map<std::int64_t, std::map<std::int64_t, Pair>> pairs;
  for (std::size_t r = 0; r < group.rows.size(); ++r) {
    const DecodeRow& given = group.rows[r];
    Pair& pair = pairs[given.prompt][given.steering];
    pair.steering = group.steerings[static_cast<std::size_t>(given.steering)];
    pair.slots.push_back(slots[r]);
  }
  std::vector<Prompt> prompts;
  for (auto& [index, of_prompt] : pairs) {
    Prompt prompt;
    prompt.ids = group.prompts[static_cast<std::size_t>(index)];
    prompt.recorded = group.record_features;
    prompt.keeps_graph = group.keep_graph;
    for (auto& [steering, pair] : of_prompt)
      prompt.pairs.push_back(std::move(pair));
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

std::int64_t PagedDecoder::pages_needed(const Prompt& prompt) const {
  const std::int64_t shared = entries_of(prompt.ids) / kPageSize;
  std::int64_t needed = 0;
  for (const Pair& pair : prompt.pairs) {
    needed += shared + pages_beside(prompt.ids);
    for (const Slot slot : pair.slots)
      needed += pages_of(row(slot).capacity) - shared;
  }
  return needed;
}

Admission PagedDecoder::admit(const DecodeGroup& group) {
  check_group(group);
  const std::int64_t count = std::ssize(group.rows);
  const std::vector<Slot> slots = free_slots(count);
  if (std::ssize(slots) < count) {
    return {
        {},
        fmt::format(
            "not enough slots: {} needed, {} of {} free",
            count,
            slots.size(),
            limits_.slots)};
  }
  const std::size_t before = rows_.size();
  rows_.resize(std::max(before, static_cast<std::size_t>(slots.back()) + 1));
  std::vector<Prompt> prompts = prompts_of(group, slots);
  for (std::size_t r = 0; r < group.rows.size(); ++r) {
    const auto p = static_cast<std::size_t>(group.rows[r].prompt);
    row(slots[r]).capacity =
        entries_of(group.prompts[p]) + new_tokens_of(group, r);
  }
  std::int64_t needed = 0;
  for (const Prompt& prompt : prompts)
    needed += pages_needed(prompt);
  if (needed > pool_.available()) {
    rows_.resize(before);
    return {
        {},
        fmt::format(
            "not enough pages of {} tokens: {} needed, {} of {} free",
            kPageSize,
            needed,
            pool_.available(),
            limits_.pages)};
  }
  pool_.reserve(needed);
  records_ = records_ || group.record_features;
  pages_.resize(rows_.size());
  for (Prompt& prompt : prompts) {
    for (const Pair& pair : prompt.pairs) {
      give_pages(pair, entries_of(prompt.ids));
      pair_admitted(prompt, pair);
    }
    waiting_.push_back(std::move(prompt));
  }
  table_ = block_table(pages_, device_);
  turn_ = Turn();  // a slot may belong to another row now
  return {slots, {}};
}

void PagedDecoder::give_pages(const Pair& pair, std::int64_t shared_entries) {
  const std::int64_t shared = shared_entries / kPageSize;
  const std::vector<PageId>& first = own_pages(pair.slots[0]);
  for (const Slot slot : pair.slots) {
    Row& own = row(slot);
    own.used = true;
    own.steering = pair.steering;
    std::vector<PageId> pages;
    if (slot != pair.slots[0]) {
      pages.assign(first.begin(), first.begin() + shared);
      pool_.share(pages);
    }
    const auto rest = pool_.take(pages_of(own.capacity) - std::ssize(pages));
    pages.insert(pages.end(), rest.begin(), rest.end());
    own_pages(slot) = std::move(pages);
  }
}

kernels::KeyValuePages PagedDecoder::pages(std::int64_t layer) const {
  return {pool_.keys(layer), pool_.values(layer), table_};
}

// The first prompts that fit into `tokens`, the last of them in part.
std::vector<PagedDecoder::Chunk> PagedDecoder::next_chunks(
    std::int64_t tokens) {
  std::vector<Chunk> chunks;
  for (Prompt& prompt : waiting_) {
    if (tokens <= 0 && !chunks.empty()) break;
    const std::int64_t size = std::ssize(prompt.ids);
    const std::int64_t pairs = std::ssize(prompt.pairs);
    std::int64_t end = size;
    if (reads_in_chunks()) {
      const std::int64_t most = std::max<std::int64_t>(1, tokens / pairs);
      end = size - prompt.read > most ? prompt.read + most : size;
    } else if (!chunks.empty() && tokens < size * pairs) {
      break;
    }
    if (prompt.recorded && (prompt.read > 0 || end < size)) {
      throw_caller_error(
          "{} of the {} tokens of a prompt were to be read, but its features "
          "are recorded; read it whole",
          end - prompt.read,
          size);
    }
    chunks.push_back({&prompt, prompt.read, end});
    tokens -= (end - prompt.read) * pairs;
  }
  return chunks;
}

ReadyRows PagedDecoder::prefill(std::int64_t tokens) {
  const at::NoGradGuard no_gradient;
  const std::vector<Chunk> chunks = next_chunks(tokens);
  if (chunks.empty()) return {};
  turn_ = Turn();  // read() may feed rows of its own
  const at::Tensor logits = read(chunks);
  for (std::size_t i = 0; i < chunks.size(); ++i)
    waiting_[i].read = chunks[i].end;
  ReadyRows ready = finish(chunks, logits);
  std::erase_if(waiting_, [](const Prompt& prompt) {
    return prompt.read == std::ssize(prompt.ids);
  });
  return ready;
}

ReadyRows PagedDecoder::finish(
    const std::vector<Chunk>& chunks, const at::Tensor& logits) {
  copy_partial_pages(chunks);
  std::vector<std::pair<Slot, std::int64_t>> found;  // and its pair's place
  std::int64_t place = 0;
  for (const Chunk& chunk : chunks) {
    if (!chunk.is_last()) continue;
    const std::int64_t entries = entries_of(chunk.prompt->ids);
    for (const Pair& pair : chunk.prompt->pairs) {
      for (const Slot slot : pair.slots) {
        row(slot).entries = entries;
        row(slot).ready = true;
        if (row(slot).leaving) {
          release(slot);
        } else {
          found.emplace_back(slot, place);
        }
      }
      ++place;
    }
  }
  if (found.empty()) return {};
  std::sort(found.begin(), found.end());
  ReadyRows ready;
  std::vector<std::int64_t> places;
  for (const auto& [slot, of_pair] : found) {
    ready.slots.push_back(slot);
    places.push_back(of_pair);
  }
  ready.logits = logits.index_select(0, indices(places));
  return ready;
}

// Rows that share a prompt get their own copy of the page that it ends in.
void PagedDecoder::copy_partial_pages(const std::vector<Chunk>& chunks) {
  std::vector<std::int64_t> from, to;
  std::int64_t most = 0;
  for (const Chunk& chunk : chunks) {
    const std::int64_t entries = entries_of(chunk.prompt->ids);
    const auto page = static_cast<std::size_t>(entries / kPageSize);
    if (!chunk.is_last() || entries % kPageSize == 0) continue;
    for (const Pair& pair : chunk.prompt->pairs) {
      for (std::size_t i = 1; i < pair.slots.size(); ++i) {
        from.push_back(own_pages(pair.slots[0])[page]);
        to.push_back(own_pages(pair.slots[i])[page]);
        most = std::max(most, entries % kPageSize);
      }
    }
  }
  pool_.copy(from, to, most);
}

PagedDecoder::Turn PagedDecoder::turn_of(
    std::vector<Slot> slots, const std::vector<std::int64_t>& entries) const {
  Turn turn;
  std::vector<Coefficients> steerings;
  std::vector<std::int64_t> index;
  for (const Slot slot : slots) {
    index.push_back(std::ssize(index));
    steerings.push_back(row(slot).steering);
    turn.capacity = std::max(turn.capacity, row(slot).capacity);
  }
  turn.steering = RowSteering::per_row(steerings, index, device_);
  turn.slots = indices(slots);
  turn.rows = std::move(slots);
  turn.queries.slots = turn.slots;
  turn.queries.longest = *std::max_element(entries.begin(), entries.end()) + 1;
  turn.positions = indices(entries);
  turn.queries.lengths = turn.positions + 1;
  return turn;
}

at::Tensor PagedDecoder::step(
    std::span<const Slot> slots, std::span<const std::int32_t> tokens) {
  const at::NoGradGuard no_gradient;
  if (tokens.size() != slots.size() || slots.empty()) {
    throw_caller_error(
        "a step got {} tokens for {} rows; give one token for each row",
        tokens.size(),
        slots.size());
  }
  check_vocabulary({tokens.begin(), tokens.end()}, vocabulary_);
  std::vector<std::int64_t> entries;
  for (const Slot slot : slots) {
    if (slot < 0 || slot >= std::ssize(rows_) || !row(slot).ready) {
      throw_caller_error(
          "slot {} has no row whose prompt is read; step the slots that "
          "prefill() returned",
          slot);
    }
    if (row(slot).entries >= row(slot).capacity) {
      throw_caller_error(
          "the row in slot {} was fed all of its max_new_tokens; evict it",
          slot);
    }
    entries.push_back(row(slot).entries);
  }
  // If anything throws, the next turn is a new one.
  Turn turn = std::exchange(turn_, Turn());
  if (std::equal(
          slots.begin(), slots.end(), turn.rows.begin(), turn.rows.end())) {
    turn.is_new = false;
    turn.positions = indices(entries);
    turn.queries.lengths = turn.positions + 1;
    turn.queries.longest =
        *std::max_element(entries.begin(), entries.end()) + 1;
  } else {
    turn = turn_of({slots.begin(), slots.end()}, entries);
  }
  const std::vector<std::int64_t> ids(tokens.begin(), tokens.end());
  at::Tensor logits = feed(indices(ids), turn);
  turn_ = std::move(turn);
  for (const Slot slot : slots)
    ++row(slot).entries;
  return logits;
}

void PagedDecoder::release(Slot slot) {
  row_evicted(slot);
  pool_.give_back(own_pages(slot));
  own_pages(slot).clear();
  row(slot) = Row();
}

// The prompt of a row that is not ready is read into its pages: it leaves when
// that is done, or with the last row that waits for the prompt.
void PagedDecoder::evict(Slot slot) {
  if (slot < 0 || slot >= std::ssize(rows_) || !row(slot).used) {
    throw_caller_error(
        "slot {} has no row; evict the slots that admit() returned", slot);
  }
  if (row(slot).ready) {
    release(slot);
    return;
  }
  row(slot).leaving = true;
  std::erase_if(waiting_, [this](const Prompt& prompt) {
    for (const Pair& pair : prompt.pairs) {
      for (const Slot waiting : pair.slots) {
        if (!row(waiting).leaving) return false;
      }
    }
    for (const Pair& pair : prompt.pairs) {
      for (const Slot waiting : pair.slots)
        release(waiting);
    }
    return true;
  });
}

}  // namespace moft
