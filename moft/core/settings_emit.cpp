// Settings trees to YAML text.
#include "moft/core/settings_emit.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "moft/core/settings_tree.h"
#include "moft/core/text.h"

namespace moft {

namespace {

using Kind = SettingsNode::Kind;

bool is_reserved_word(std::string text) {
  for (char& c : text)
    c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  static constexpr std::string_view kWords[] = {
      "null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  return std::find(std::begin(kWords), std::end(kWords), text) !=
         std::end(kWords);
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool can_stand_unquoted(const std::string& text) {
  if (text.empty() || text.size() > 200 || text.back() == ' ') return false;
  if (!is_letter(text[0]) && text[0] != '/') return false;
  for (char c : text) {
    bool digit = c >= '0' && c <= '9';
    bool sign = c == '.' || c == '/' || c == '-' || c == ' ';
    if (!is_letter(c) && !digit && !sign) return false;
  }
  return !is_reserved_word(text);
}

// Double-quoted YAML. Line separators of Unicode are escaped because some
// readers break lines there.
std::string double_quoted(const std::string& text) {
  std::string result = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    std::string_view rest = std::string_view(text).substr(i);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += text[i];
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (c < 0x20 || c == 0x7F) {
      result += fmt::format("\\x{:02x}", c);
    } else if (
        rest.starts_with("\xC2") && rest.size() > 1 &&
        static_cast<unsigned char>(rest[1]) < 0xA0) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(rest[1]));
      i += 1;
    } else if (rest.starts_with("\xE2\x80\xA8")) {
      result += "\\u2028";
      i += 2;
    } else if (rest.starts_with("\xE2\x80\xA9")) {
      result += "\\u2029";
      i += 2;
    } else if (rest.starts_with("\xEF\xBB\xBF")) {
      result += "\\ufeff";
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result + "\"";
}

std::string emit_text(const std::string& text) {
  return can_stand_unquoted(text) ? text : double_quoted(text);
}

std::string emit_scalar(const SettingsNode& node) {
  if (node.kind == Kind::kNull) return "null";
  if (node.kind == Kind::kString) return emit_text(node.text);
  if (node.kind != Kind::kPlain) return node.text;
  bool typed =
      parse_real(node.text) || node.text == "true" || node.text == "false";
  return typed ? node.text : emit_text(node.text);
}

bool fits_one_line(const SettingsNode& node) {
  if (node.kind == Kind::kMap) return node.members.empty();
  return std::all_of(
      node.items.begin(), node.items.end(), [](const SettingsNode& item) {
        return item.kind != Kind::kMap && fits_one_line(item);
      });
}

void emit_block(const SettingsNode& node, int indent, std::string& out);

void emit_after_key(const SettingsNode& node, int indent, std::string& out) {
  if (fits_one_line(node)) {
    out += " " + emit_inline(node) + "\n";
  } else {
    out += "\n";
    emit_block(node, indent + 2, out);
  }
}

void emit_block(const SettingsNode& node, int indent, std::string& out) {
  std::string margin(static_cast<std::size_t>(indent), ' ');
  for (const auto& [key, value] : node.members) {
    out += margin + emit_text(key) + ":";
    emit_after_key(value, indent, out);
  }
  for (const SettingsNode& item : node.items) {
    out += margin + "-";
    emit_after_key(item, indent, out);
  }
}

}  // namespace

std::string emit_yaml(const SettingsNode& tree) {
  if (tree.kind == Kind::kMap && tree.members.empty()) return "{}\n";
  std::string out;
  emit_block(tree, 0, out);
  return out;
}

std::string emit_inline(const SettingsNode& tree) {
  if (tree.is_scalar()) return emit_scalar(tree);
  std::vector<std::string> parts;
  for (const SettingsNode& item : tree.items) {
    parts.push_back(emit_inline(item));
  }
  for (const auto& [key, value] : tree.members) {
    parts.push_back(emit_text(key) + ": " + emit_inline(value));
  }
  std::string inside = join(parts, ", ");
  return tree.kind == Kind::kList ? "[" + inside + "]" : "{" + inside + "}";
}

}  // namespace moft
