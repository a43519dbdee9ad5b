// What the decoders of all families share: slots, pages, steerings of rows,
// prompts on their way into the pages.
//
// Rows of one (prompt, steering) pair share the pages that its prompt fills;
// the page that it fills in part is copied for each of them once the prompt is
// read. A family says how it reads prompts and feeds tokens.
//
// Memory: per layer 2 * kv_heads * head_size floats for each entry of the pages
// (page_pool.h); a row's pages are reserved when it is admitted.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "moft/conditioning/row_steering.h"
#include "moft/kernels/paged.h"
#include "moft/models/decoder.h"
#include "moft/models/page_pool.h"

namespace moft {

// int32 [slots, most pages of a slot]; 0 where a slot has fewer.
at::Tensor block_table(
    std::span<const std::vector<PageId>> pages_of_slots, at::Device device);

class PagedDecoder : public Decoder {
 public:
  Admission admit(const DecodeGroup& group) final;
  ReadyRows prefill(std::int64_t tokens) final;
  at::Tensor step(
      std::span<const Slot> slots, std::span<const std::int32_t> tokens) final;
  void evict(Slot slot) final;

 protected:
  // Rows of one prompt under one steering, not yet decoding.
  struct Pair {
    Coefficients steering;
    std::vector<Slot> slots;  // the prompt is read into the first one's pages
  };
  struct Prompt {
    TokenIds ids;
    std::vector<Pair> pairs;
    std::int64_t read = 0;  // tokens
    bool recorded = false;  // of a group with record_features
    bool keeps_graph = false;
  };
  struct Chunk {
    const Prompt* prompt;
    std::int64_t begin, end;  // of its tokens

    std::int64_t length() const { return end - begin; }
    bool is_last() const { return end == std::ssize(prompt->ids); }
  };
  // Rows that are fed one token each.
  struct Turn {
    std::vector<Slot> rows;
    RowSteering steering;
    std::int64_t capacity = 0;  // entries that the largest row may have
    at::Tensor slots;           // int64 [rows]
    at::Tensor positions;       // int64 [rows]
    kernels::PagedQueries queries;
    bool is_new = true;  // other rows than in the turn before
  };

  // `model` must outlive the decoder.
  PagedDecoder(
      const LanguageModel& model, PageShape shape, const DecoderLimits& limits);

  // CallerError unless the model can read the prompt and then write this many
  // tokens.
  virtual void check(
      const TokenIds& prompt, std::int64_t max_new_tokens) const = 0;
  // Entries that reading a prompt leaves in its rows' pages.
  virtual std::int64_t entries_of(const TokenIds& prompt) const = 0;
  // Pages of a pair beside its rows' own.
  virtual std::int64_t pages_beside(const TokenIds& /*prompt*/) const {
    return 0;
  }
  virtual bool reads_in_chunks() const { return true; }
  // A pair's rows have their pages; and a row leaves.
  virtual void pair_admitted(const Prompt& /*prompt*/, const Pair& /*pair*/) {}
  virtual void row_evicted(Slot /*slot*/) {}
  // Reads the chunks; logits of the first token of the pairs whose prompt is
  // read now, one after the other: [pairs, V].
  virtual at::Tensor read(const std::vector<Chunk>& chunks) = 0;
  // Feeds ids (int64 [rows]): [rows, V].
  virtual at::Tensor feed(const at::Tensor& ids, const Turn& turn) = 0;

  at::Device device() const { return device_; }
  // int64, on the device.
  at::Tensor indices(const std::vector<std::int64_t>& values) const {
    return at::tensor(values, at::kLong).to(device_);
  }
  PagePool& pool() { return pool_; }
  kernels::KeyValuePages pages(std::int64_t layer) const;
  // A turn of rows with these entries, each feeding the next one.
  Turn turn_of(
      std::vector<Slot> slots, const std::vector<std::int64_t>& entries) const;

 private:
  struct Row {
    bool used = false;
    bool ready = false;    // its prompt is read
    bool leaving = false;  // evicted before it was
    Coefficients steering;
    std::int64_t entries = 0;
    std::int64_t capacity = 0;
  };

  std::vector<PageId>& own_pages(Slot slot) {
    return pages_[static_cast<std::size_t>(slot)];
  }
  Row& row(Slot slot) { return rows_[static_cast<std::size_t>(slot)]; }
  const Row& row(Slot slot) const {
    return rows_[static_cast<std::size_t>(slot)];
  }
  void check_group(const DecodeGroup& group) const;
  void check_recorded(const DecodeGroup& group) const;
  std::vector<Slot> free_slots(std::int64_t count) const;
  std::vector<Prompt> prompts_of(
      const DecodeGroup& group, const std::vector<Slot>& slots) const;
  std::int64_t pages_needed(const Prompt& prompt) const;
  void give_pages(const Pair& pair, std::int64_t shared_entries);
  std::vector<Chunk> next_chunks(std::int64_t tokens);
  ReadyRows finish(const std::vector<Chunk>& chunks, const at::Tensor& logits);
  void copy_partial_pages(const std::vector<Chunk>& chunks);
  void release(Slot slot);

  at::Device device_;
  std::int64_t vocabulary_;
  DecoderLimits limits_;
  PagePool pool_;
  std::vector<Row> rows_;                   // by slot
  std::vector<std::vector<PageId>> pages_;  // by slot
  at::Tensor table_;                        // of pages_
  std::deque<Prompt> waiting_;
  bool records_ = false;  // a group with record_features was admitted
  Turn turn_;             // the last one; no rows when it failed
};

}  // namespace moft
