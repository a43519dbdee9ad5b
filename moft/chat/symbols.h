// The names of one scope while the places of a template's variables are
// fixed: what jinja2 calls its symbols.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "moft/chat/template_nodes.h"

namespace moft::jinja {

class Symbols {
 public:
  // `scope` takes the variables; both outlive this.
  Symbols(const Symbols* outer, Scope& scope) : outer_(outer), scope_(scope) {}

  // The scope reads, sets or is handed a variable.
  void load(const std::string& name);
  void store(const std::string& name);
  int declare(const std::string& name);
  // Parts of the template of which one runs, or none.
  void branches(std::initializer_list<std::function<void()>> each);

  // REQUIRED: every load and store was noted; else the name is read here.
  SlotRef place_of(const std::string& name);
  // How each variable starts, into the scope.
  void finish();

 private:
  struct Entry {
    bool known = false;  // has a place in this scope
    bool stored = false;
    Slot::Load start = Slot::Load::kMissing;
    SlotRef outer = {};
  };

  // An entry about to be changed.
  Entry& change(const std::string& name);
  int slot_of(const std::string& name);
  // Where an outer scope has the name; up is -1 if none has.
  SlotRef outer_place(const std::string& name) const;
  void start_as_outer_or(
      Entry& entry, const std::string& name, Slot::Load otherwise);

  const Symbols* outer_;
  Scope& scope_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, int> slots_;
  std::vector<std::pair<std::string, Entry>> log_;  // what entries were
};

}  // namespace moft::jinja
