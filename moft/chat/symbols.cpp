// Names of a scope.
#include "moft/chat/symbols.h"

#include <set>

namespace moft::jinja {

Symbols::Entry& Symbols::change(const std::string& name) {
  Entry& entry = entries_[name];
  log_.emplace_back(name, entry);
  return entry;
}

int Symbols::slot_of(const std::string& name) {
  const auto [place, is_new] =
      slots_.try_emplace(name, static_cast<int>(scope_.slots.size()));
  if (is_new) scope_.slots.push_back({name, Slot::Load::kMissing, {}});
  return place->second;
}

SlotRef Symbols::outer_place(const std::string& name) const {
  int up = 1;
  for (const Symbols* each = outer_; each != nullptr; each = each->outer_) {
    const auto entry = each->entries_.find(name);
    if (entry != each->entries_.end() && entry->second.known)
      return {up, each->slots_.at(name)};
    ++up;
  }
  return {};
}

void Symbols::start_as_outer_or(
    Entry& entry, const std::string& name, Slot::Load otherwise) {
  const SlotRef place = outer_place(name);
  entry.start = place.up >= 0 ? Slot::Load::kOuter : otherwise;
  entry.outer = place;
}

void Symbols::load(const std::string& name) {
  const auto entry = entries_.find(name);
  if (entry != entries_.end() && entry->second.known) return;
  if (outer_place(name).up >= 0) return;
  Entry& made = change(name);
  made.known = true;
  made.start = Slot::Load::kContext;
  slot_of(name);
}

void Symbols::store(const std::string& name) {
  Entry& entry = change(name);
  entry.stored = true;
  if (entry.known) return;
  entry.known = true;
  slot_of(name);
  start_as_outer_or(entry, name, Slot::Load::kMissing);
}

int Symbols::declare(const std::string& name) {
  Entry& entry = change(name);
  entry.known = true;
  entry.stored = true;
  entry.start = Slot::Load::kParameter;
  return slot_of(name);
}

void Symbols::branches(std::initializer_list<std::function<void()>> each) {
  std::vector<std::pair<std::string, Entry>> changes;
  std::set<std::string> newly_stored;
  for (const auto& visit : each) {
    const std::size_t mark = log_.size();
    visit();
    std::set<std::string> touched;
    for (std::size_t i = mark; i < log_.size(); ++i)
      touched.insert(log_[i].first);
    for (const std::string& name : touched)
      changes.emplace_back(name, entries_[name]);
    while (log_.size() > mark) {
      entries_[log_.back().first] = log_.back().second;
      log_.pop_back();
    }
  }
  for (const auto& [name, after] : changes) {
    Entry& entry = change(name);
    if (after.stored && !entry.stored) newly_stored.insert(name);
    const bool stored = entry.stored;
    entry = after;
    entry.stored = stored;
  }
  for (const std::string& name : newly_stored) {
    Entry& entry = change(name);
    entry.stored = true;
    start_as_outer_or(entry, name, Slot::Load::kContext);
  }
}

SlotRef Symbols::place_of(const std::string& name) {
  auto entry = entries_.find(name);
  if (entry != entries_.end() && entry->second.known)
    return {0, slots_.at(name)};
  const SlotRef outer = outer_place(name);
  if (outer.up >= 0) return outer;
  load(name);
  return {0, slots_.at(name)};
}

void Symbols::finish() {
  for (const auto& [name, entry] : entries_) {
    if (!entry.known) continue;
    Slot& slot = scope_.slots[static_cast<std::size_t>(slots_.at(name))];
    slot.load = entry.start;
    slot.outer = entry.outer;
  }
}

}  // namespace moft::jinja
