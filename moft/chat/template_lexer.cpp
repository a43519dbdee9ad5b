// Tags, literals and the white space around them.
#include "moft/chat/template_lexer.h"

#include <algorithm>
#include <array>

#include "moft/chat/text_functions.h"
#include "moft/core/text.h"
#include "moft/core/utf8.h"

namespace moft::jinja {

namespace {

using TokenKind = Token::Kind;

constexpr std::array<std::string_view, 6> kLongOperators = {
    "//", "**", "==", "!=", ">=", "<="};
constexpr std::string_view kShortOperators = "+-/*%~[](){}><=.:|,;";

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

// Names are ASCII, as in public templates.
bool is_name_part(char byte) {
  return byte == '_' || is_digit(byte) ||
         ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}

// The text between the quotes, its escapes resolved.
std::string unescaped(std::string_view literal, int line) {
  static constexpr std::string_view kKnown = "\\'\"nrt";
  static constexpr std::string_view kValues = "\\'\"\n\r\t";
  std::string text;
  for (std::size_t at = 0; at < literal.size(); ++at) {
    const bool is_escape = literal[at] == '\\' && at + 1 < literal.size();
    if (!is_escape) {
      text += literal[at];
      continue;
    }
    const std::size_t known = kKnown.find(literal[++at]);
    if (known == std::string_view::npos) {
      fault_at(
          line,
          "the escape {} in a text is not supported",
          quote_text(literal.substr(at - 1, 2)));
    }
    text += kValues[known];
  }
  return text;
}

// Every line break as \n, one at the end dropped.
std::string with_plain_line_breaks(std::string_view source) {
  std::string result;
  result.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      result += source[i];
      continue;
    }
    result += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!result.empty() && result.back() == '\n') result.pop_back();
  return result;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source)
      : source_(with_plain_line_breaks(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size())
      read_data();
    put(TokenKind::kEnd);
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const {
    return std::string_view(source_).substr(at_);
  }
  bool at(std::string_view text) const { return rest().starts_with(text); }

  void put(TokenKind kind, std::string text = {}, Value number = {}) {
    tokens_.push_back({kind, std::move(text), std::move(number), line_});
  }

  // Moves on, counting lines.
  void move_to(std::size_t place) {
    const auto from = source_.begin() + static_cast<std::ptrdiff_t>(at_);
    const auto to = source_.begin() + static_cast<std::ptrdiff_t>(place);
    line_ += static_cast<int>(std::count(from, to, '\n'));
    at_ = place;
  }

  // Where the next tag begins, or the end.
  std::size_t next_tag() const {
    for (std::size_t i = at_; i + 1 < source_.size(); ++i) {
      if (source_[i] != '{') continue;
      const char next = source_[i + 1];
      if (next == '{' || next == '%' || next == '#') return i;
    }
    return source_.size();
  }

  // Text up to a tag, then the tag.
  void read_data() {
    const std::size_t tag = next_tag();
    if (tag == source_.size()) {
      put(TokenKind::kData, source_.substr(at_));
      at_ = tag;
      return;
    }
    const char kind = source_[tag + 1];
    std::size_t after = tag + 2;
    const char sign = after < source_.size() ? source_[after] : '\0';
    const bool has_sign = sign == '-' || sign == '+';
    if (has_sign) ++after;
    put_data(tag, has_sign ? sign : '\0', kind == '{');
    move_to(after);
    line_starts_ = false;
    if (kind == '#') {
      skip_comment();
    } else {
      read_tag(kind == '%');
    }
    line_starts_ = at_ > 0 && source_[at_ - 1] == '\n';
  }

  // The text before a tag, its end stripped as the tag asks.
  void put_data(std::size_t end, char sign, bool is_print) {
    std::string_view text(source_);
    text = text.substr(at_, end - at_);
    std::size_t kept = text.size();
    if (sign == '-') {
      kept = end_without_space(text);
    } else if (sign != '+' && !is_print) {
      const std::size_t line_break = text.rfind('\n');
      const bool has_break = line_break != std::string_view::npos;
      const std::size_t start = has_break ? line_break + 1 : 0;
      if ((has_break || line_starts_) && skip_space(text, start) == text.size())
        kept = start;
    }
    if (kept > 0) put(TokenKind::kData, std::string(text.substr(0, kept)));
    move_to(end);
  }

  // Whether a tag ends here with `end` ("%}", "#}"); moves past it.
  bool take_end(std::string_view end, bool takes_line_break, bool allows_plus) {
    std::size_t place = at_;
    const bool minus = source_[place] == '-';
    if (minus || (allows_plus && source_[place] == '+')) ++place;
    if (!std::string_view(source_).substr(place).starts_with(end)) return false;
    const bool plus = !minus && place > at_;
    place += end.size();
    if (minus) {
      place = skip_space(source_, place);
    } else if (
        takes_line_break && !plus && place < source_.size() &&
        source_[place] == '\n') {
      ++place;
    }
    move_to(place);
    return true;
  }

  void skip_comment() {
    const int line = line_;
    if (at_ == source_.size()) return;  // jinja2 lets such an end pass
    while (at_ < source_.size()) {
      if (take_end("#}", true, true)) return;
      move_to(at_ + 1);
    }
    fault_at(line, "a comment has no end '#}}'");
  }

  // Tokens up to the end of a {% or {{ tag.
  void read_tag(bool is_block) {
    put(is_block ? TokenKind::kBlockBegin : TokenKind::kPrintBegin);
    const int line = line_;
    std::string open;  // the closing brackets that are due
    while (at_ < source_.size()) {
      if (open.empty() &&
          take_end(is_block ? "%}" : "}}", is_block, is_block)) {
        put(is_block ? TokenKind::kBlockEnd : TokenKind::kPrintEnd);
        return;
      }
      read_token(open);
    }
    // jinja2's parser finds out that the tag has no end.
    line_ = std::max(line, line_);
  }

  void read_token(std::string& open) {
    const std::size_t space = skip_space(source_, at_);
    if (space > at_) return move_to(space);
    const char first = source_[at_];
    if (is_digit(first)) return read_number();
    if (is_name_part(first)) return read_name();
    if (first == '\'' || first == '"') return read_text(first);
    for (const std::string_view name : kLongOperators) {
      if (!at(name)) continue;
      put(TokenKind::kOperator, std::string(name));
      at_ += 2;
      return;
    }
    if (kShortOperators.find(first) == std::string_view::npos) {
      const std::size_t size = character_size(source_, at_);
      fault_at(
          line_,
          "{} does not belong into a tag",
          quote_text(source_.substr(at_, size)));
    }
    balance(first, open);
    put(TokenKind::kOperator, std::string(1, first));
    ++at_;
  }

  void balance(char bracket, std::string& open) const {
    if (bracket == '(') open += ')';
    if (bracket == '[') open += ']';
    if (bracket == '{') open += '}';
    if (bracket != ')' && bracket != ']' && bracket != '}') return;
    if (open.empty() || open.back() != bracket)
      fault_at(line_, "'{}' closes nothing", bracket);
    open.pop_back();
  }

  void read_name() {
    std::size_t end = at_;
    while (end < source_.size() && is_name_part(source_[end]))
      ++end;
    put(TokenKind::kName, source_.substr(at_, end - at_));
    at_ = end;
    // What follows it is not read as tags, so it is refused here.
    const bool is_tag =
        tokens_[tokens_.size() - 2].kind == TokenKind::kBlockBegin;
    if (is_tag && tokens_.back().text == "raw")
      fault_at(line_, "the tag 'raw' is not supported");
  }

  void read_number() {
    std::size_t end = at_;
    while (end < source_.size() && is_digit(source_[end]))
      ++end;
    const std::string text = source_.substr(at_, end - at_);
    const std::string_view rest = std::string_view(source_).substr(end);
    const bool is_whole =
        rest.size() < 2 || rest[0] != '.' || !is_digit(rest[1]);
    if (!is_whole || (!rest.empty() && is_name_part(rest[0])))
      fault_at(line_, "numbers that go on behind {} are not supported", text);
    if (text[0] == '0' && text.find_first_not_of('0') != std::string::npos)
      fault_at(line_, "numbers that begin with 0 are not supported");
    const auto value = parse_integer(text);
    if (!value) fault_at(line_, "the number {} is beyond 64 bits", text);
    put(TokenKind::kInteger, text, *value);
    at_ = end;
  }

  void read_text(char quote) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote)
      end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fault_at(line_, "a text in quotes has no end");
    put(TokenKind::kText, unescaped(rest().substr(1, end - at_ - 1), line_));
    move_to(end + 1);
  }

  const std::string source_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starts_ = true;
};

}  // namespace

std::vector<Token> lex_template(std::string_view source) {
  return Lexer(source).run();
}

std::string description(const Token& token) {
  switch (token.kind) {
    case TokenKind::kEnd:
      return "the end of the template";
    case TokenKind::kBlockEnd:
      return "'%}'";
    case TokenKind::kPrintEnd:
      return "'}}'";
    default:
      return quote_text(token.text);
  }
}

}  // namespace moft::jinja
