// Settings trees from YAML text and from `key=value`.
#include "moft/core/settings_yaml.h"

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "moft/core/errors.h"
#include "moft/core/settings_tree.h"
#include "moft/core/text.h"
#include "moft/core/utf8.h"

namespace moft {

namespace {

using Kind = SettingsNode::Kind;

// Builds the tree from yaml-cpp's events: unlike its document class, events
// show duplicate keys, and every limit holds before memory is spent.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, std::string file, bool with_lines)
      : text_(text), file_(std::move(file)), with_lines_(with_lines) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    SettingsNode node = scalar(mark, Kind::kNull, "");
    // yaml-cpp reports nothing at the place of what comes next.
    if (!open_.empty() && open_.back().key) node.line = open_.back().key_line;
    add(std::move(node), anchor);
  }

  void OnScalar(
      const YAML::Mark& mark,
      const std::string& tag,
      YAML::anchor_t anchor,
      const std::string& value) override {
    bool plain = tag == "?" || tag.empty();
    refuse_tag(mark, plain ? "" : tag);
    if (!plain) refuse_open_quote(mark);
    add(scalar(mark, plain ? Kind::kPlain : Kind::kString, value), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      fail(mark, "an alias is inside the value that it repeats");
    }
    SettingsNode copy = found->second;
    count(mark, copy);
    if (depth(copy) + open_.size() > kMaxSettingsDepth) fail_depth(mark);
    copy.line = line(mark);
    add(std::move(copy), 0, /*counted=*/true);
  }

  void OnSequenceStart(
      const YAML::Mark& mark,
      const std::string& tag,
      YAML::anchor_t anchor,
      YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Kind::kList);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(
      const YAML::Mark& mark,
      const std::string& tag,
      YAML::anchor_t anchor,
      YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Kind::kMap);
  }
  void OnMapEnd() override { close(); }

  SettingsNode take() { return std::move(root_); }

 private:
  struct Open {
    SettingsNode node;
    YAML::anchor_t anchor;
    std::optional<std::string> key = std::nullopt;
    int key_line = 0;
  };

  int line(const YAML::Mark& mark) const {
    return with_lines_ ? mark.line + 1 : 0;
  }

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& message) {
    if (with_lines_) {
      throw_caller_error("{}:{}: {}", file_, mark.line + 1, message);
    }
    throw_caller_error("{}: {}", file_, message);
  }

  [[noreturn]] void fail_depth(const YAML::Mark& mark) {
    fail(
        mark,
        fmt::format("settings are nested over {} levels", kMaxSettingsDepth));
  }

  SettingsNode scalar(const YAML::Mark& mark, Kind kind, std::string text) {
    SettingsNode node;
    node.kind = kind;
    node.text = std::move(text);
    node.line = line(mark);
    last_mark_ = mark;
    return node;
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    fail(
        mark,
        fmt::format(
            "the tag {} is not supported; leave it out", quote_text(tag)));
  }

  // yaml-cpp lets the end of the text close a quote.
  void refuse_open_quote(const YAML::Mark& mark) {
    std::size_t at = static_cast<std::size_t>(std::max(mark.pos, 0));
    // The mark may come before an anchor or a tag.
    while (at < text_.size() && (text_[at] == '&' || text_[at] == '!')) {
      at = text_.find_first_of(" \t\n", at);
      at = text_.find_first_not_of(" \t\r\n", at);
    }
    if (at >= text_.size()) return;
    char quote = text_[at];
    if (quote != '"' && quote != '\'') return;
    for (++at; at < text_.size(); ++at) {
      bool twice = quote == '\'' && text_.substr(at, 2) == "''";
      if ((quote == '"' && text_[at] == '\\') || twice) {
        ++at;
      } else if (text_[at] == quote) {
        return;
      }
    }
    fail(mark, "a quote is opened here and never closed");
  }

  void open(
      const YAML::Mark& mark,
      const std::string& tag,
      YAML::anchor_t anchor,
      Kind kind) {
    refuse_tag(mark, tag);
    if (open_.size() >= kMaxSettingsDepth) fail_depth(mark);
    if (!open_.empty() && open_.back().node.kind == Kind::kMap &&
        !open_.back().key) {
      fail(
          mark,
          "a key is a list or a map, or a bracket is not closed; give a word");
    }
    SettingsNode node;
    node.kind = kind;
    node.line = line(mark);
    last_mark_ = mark;
    open_.push_back({std::move(node), anchor});
  }

  void close() {
    Open finished = std::move(open_.back());
    open_.pop_back();
    add(std::move(finished.node), finished.anchor, /*counted=*/false);
  }

  static std::size_t depth(const SettingsNode& node) {
    std::size_t deepest = 0;
    for (const SettingsNode& item : node.items) {
      deepest = std::max(deepest, depth(item));
    }
    for (const auto& [key, item] : node.members) {
      deepest = std::max(deepest, depth(item));
    }
    return deepest + 1;
  }

  // Copies of aliases count in full: ten lines of YAML can name 10^10 nodes.
  void count(const YAML::Mark& mark, const SettingsNode& node) {
    if (++nodes_ > kMaxSettingsNodes) {
      fail(
          mark, fmt::format("settings have over {} values", kMaxSettingsNodes));
    }
    for (const SettingsNode& item : node.items)
      count(mark, item);
    for (const auto& [key, item] : node.members)
      count(mark, item);
  }

  void add(SettingsNode node, YAML::anchor_t anchor, bool counted = false) {
    if (!counted && ++nodes_ > kMaxSettingsNodes) {
      fail(
          last_mark_,
          fmt::format("settings have over {} values", kMaxSettingsNodes));
    }
    bool is_key = !open_.empty() && open_.back().node.kind == Kind::kMap &&
                  !open_.back().key;
    if (anchor) anchors_[anchor] = node;
    if (is_key) return add_key(node);
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (open_.back().node.kind == Kind::kList) {
      open_.back().node.items.push_back(std::move(node));
    } else {
      Open& map = open_.back();
      map.node.members.push_back({std::move(*map.key), std::move(node)});
      map.key.reset();
    }
  }

  void add_key(const SettingsNode& key) {
    bool word = key.is_scalar() && key.kind != Kind::kNull && !key.text.empty();
    if (!word) fail(last_mark_, "a key is empty or not a word; give a word");
    Open& map = open_.back();
    if (map.node.find(key.text)) {
      fail(
          last_mark_,
          fmt::format("duplicate key '{}'; keep one", path_of_open(key.text)));
    }
    map.key = key.text;
    map.key_line = key.line;
  }

  std::string path_of_open(const std::string& key) const {
    std::string path;
    for (std::size_t i = 0; i + 1 < open_.size(); ++i) {
      path += open_[i].key ? *open_[i].key
                           : std::to_string(open_[i].node.items.size());
      path += ".";
    }
    return path + key;
  }

  std::string_view text_;
  std::string file_;
  bool with_lines_;
  SettingsNode root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, SettingsNode> anchors_;
  std::size_t nodes_ = 0;
  YAML::Mark last_mark_;
};

void check_settings_text(std::string_view text, const std::string& file) {
  if (text.size() > kMaxSettingsBytes) {
    throw_caller_error(
        "{}: settings of {} bytes are over the limit of {}",
        file,
        text.size(),
        kMaxSettingsBytes);
  }
  if (!is_utf8(text)) {
    throw_caller_error("{}: not valid UTF-8; save the file as UTF-8", file);
  }
  if (text.find('\0') != std::string_view::npos) {
    throw_caller_error("{}: holds a NUL byte; settings are text", file);
  }
}

SettingsNode parse_document(
    std::string_view text, const std::string& file, bool with_lines) {
  check_settings_text(text, file);
  // A byte order mark would shift yaml-cpp's positions.
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::istringstream stream{std::string(text)};
  TreeBuilder builder(text, file, with_lines);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    SettingsNode tree = builder.take();
    if (parser.HandleNextDocument(builder)) {
      throw_caller_error(
          "{}: holds more than one YAML document; keep one", file);
    }
    return tree;
  } catch (const YAML::ParserException& error) {
    const bool alias = error.msg == YAML::ErrorMsg::UNKNOWN_ANCHOR;
    const std::string message =
        error.msg +
        (alias ? "; put a text that begins with '*' in quotes" : "");
    if (with_lines && error.mark.line >= 0) {
      throw_caller_error(
          "{}:{}: not valid YAML: {}", file, error.mark.line + 1, message);
    }
    throw_caller_error("{}: not valid YAML: {}", file, message);
  } catch (const YAML::Exception& error) {
    throw_caller_error("{}: not valid YAML: {}", file, error.msg);
  }
}

}  // namespace

SettingsNode parse_yaml(std::string_view text, const std::string& file) {
  SettingsNode tree = parse_document(text, file, /*with_lines=*/true);
  if (tree.kind == Kind::kNull) tree.kind = Kind::kMap;
  if (tree.kind != Kind::kMap) {
    throw_caller_error(
        "{}: holds no settings; give lines of the form 'key: value'", file);
  }
  return tree;
}

std::string assignment_place(const std::string& assignment) {
  return "override " + quote_text(assignment, 80);
}

SettingsNode parse_assignment(const std::string& assignment) {
  std::string place = assignment_place(assignment);
  std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw_caller_error(
        "{}: not of the form key=value, for example training.steps=10", place);
  }
  std::vector<std::string> keys = split(assignment.substr(0, equals), '.');
  if (keys.size() > kMaxSettingsDepth) {
    throw_caller_error(
        "{}: settings are nested over {} levels", place, kMaxSettingsDepth);
  }
  const std::string_view value =
      std::string_view(assignment).substr(equals + 1);
  SettingsNode tree;
  if (value.starts_with('*')) {
    // An alias would have nothing to repeat: "data.train=*.jsonl" is a text.
    check_settings_text(value, place);
    tree.kind = Kind::kPlain;
    tree.text = value;
  } else {
    tree = parse_document(value, place, /*with_lines=*/false);
  }
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    if (key->empty()) {
      throw_caller_error("{}: a part of the dotted key is empty", place);
    }
    SettingsNode parent;
    parent.kind = Kind::kMap;
    parent.partial = true;
    parent.members.push_back({*key, std::move(tree)});
    tree = std::move(parent);
  }
  return tree;
}

}  // namespace moft
