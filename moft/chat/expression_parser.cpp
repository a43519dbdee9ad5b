// Recursive descent, one function per precedence.
#include "moft/chat/expression_parser.h"

#include <algorithm>

namespace moft::jinja {

namespace {

using TokenKind = Token::Kind;

// Levels of operators, the weakest first: or, and, not, comparisons, + -, ~,
// * %.
constexpr int kNotLevel = 2;
constexpr int kComparisonLevel = 3;
constexpr int kUnaryLevel = 7;

constexpr int kMaxNested = 200;  // brackets, else and not
constexpr int kMaxDepth = 300;   // a + b + c + .. is nested to the left

class Nesting {
 public:
  Nesting(int& count, int line) : count_(count) {
    if (count_ >= kMaxNested)
      fault_at(line, "an expression is nested over {} levels", kMaxNested);
    ++count_;
  }
  ~Nesting() { --count_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  int& count_;
};

std::vector<ExpressionPtr> list_of(
    ExpressionPtr a, ExpressionPtr b = nullptr, ExpressionPtr c = nullptr) {
  std::vector<ExpressionPtr> list;
  list.push_back(std::move(a));
  if (b != nullptr) list.push_back(std::move(b));
  if (c != nullptr) list.push_back(std::move(c));
  return list;
}

ExpressionPtr named(Expression::Kind kind, const Token& token) {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->line = token.line;
  node->name = token.text;
  return node;
}

}  // namespace

ExpressionPtr ExpressionParser::checked(ExpressionPtr expression) const {
  int depth = 0;
  for (const ExpressionPtr& operand : expression->operands)
    if (operand != nullptr) depth = std::max(depth, operand->depth);
  for (const Keyword& keyword : expression->keywords)
    depth = std::max(depth, keyword.value->depth);
  expression->depth = depth + 1;
  if (depth >= kMaxDepth) {
    fault_at(
        expression->line, "an expression is nested over {} levels", kMaxDepth);
  }
  return expression;
}

ExpressionPtr ExpressionParser::make(
    Kind kind, int line, std::vector<ExpressionPtr> operands) const {
  auto expression = std::make_unique<Expression>();
  expression->kind = kind;
  expression->line = line;
  expression->operands = std::move(operands);
  return checked(std::move(expression));
}

ExpressionPtr ExpressionParser::constant(Value value, int line) const {
  auto expression = make(Kind::kConstant, line, {});
  expression->value = std::move(value);
  return expression;
}

ExpressionPtr ExpressionParser::parse(bool with_condition) {
  const Nesting nesting(nested_, tokens_.line());
  return with_condition ? parse_condition() : parse_operators(0);
}

ExpressionPtr ExpressionParser::parse_tuple(
    bool with_condition, std::string_view end) {
  const int line = tokens_.line();
  const auto ends = [&] {
    const Token& token = tokens_.current();
    return token.kind == TokenKind::kPrintEnd ||
           token.kind == TokenKind::kBlockEnd || token.is_operator(")") ||
           (!end.empty() && token.is_name(end));
  };
  std::vector<ExpressionPtr> items;
  bool is_tuple = false;
  while (!ends()) {
    items.push_back(parse(with_condition));
    if (!tokens_.skip_operator(",")) break;
    is_tuple = true;
  }
  if (is_tuple) return make(Kind::kTuple, line, std::move(items));
  if (items.empty()) tokens_.unexpected("an expression");
  return std::move(items[0]);
}

ExpressionPtr ExpressionParser::parse_condition() {
  int line = tokens_.line();
  ExpressionPtr value = parse_operators(0);
  while (tokens_.skip_name("if")) {
    ExpressionPtr test = parse_operators(0);
    ExpressionPtr otherwise;
    if (tokens_.skip_name("else")) otherwise = parse();
    value = make(
        Kind::kConditional,
        line,
        list_of(std::move(test), std::move(value), std::move(otherwise)));
    line = tokens_.line();
  }
  return value;
}

ExpressionPtr ExpressionParser::parse_operators(int level) {
  const int line = tokens_.line();
  if (level == kUnaryLevel) return parse_unary(true);
  if (level == kNotLevel && tokens_.skip_name("not")) {
    const Nesting nesting(nested_, line);
    return make(Kind::kNot, line, list_of(parse_operators(level)));
  }
  ExpressionPtr left = parse_operators(level + 1);
  int count = 0;
  for (const Operator* op = operator_here(level); op != nullptr;
       op = operator_here(level)) {
    if (level == kComparisonLevel && ++count > 1)
      fault_at(line, "comparisons that follow each other are not supported");
    if (op->kind == Kind::kConstant)
      fault_at(line, "the operator '{}' is not supported", op->name);
    tokens_.next();
    if (op->name == "not in") tokens_.next();
    ExpressionPtr right = parse_operators(level + 1);
    if (op->kind == Kind::kConcatenate && left->kind == op->kind) {
      left->depth = std::max(left->depth, right->depth + 1);
      left->operands.push_back(std::move(right));
    } else {
      left = make(op->kind, line, list_of(std::move(left), std::move(right)));
      left->name = op->name;
    }
  }
  return left;
}

const ExpressionParser::Operator* ExpressionParser::operator_here(
    int level) const {
  static constexpr Operator kOperators[] = {
      {"or", 0, Kind::kOr},
      {"and", 1, Kind::kAnd},
      {"==", kComparisonLevel, Kind::kBinary},
      {"!=", kComparisonLevel, Kind::kBinary},
      {"<", kComparisonLevel, Kind::kBinary},
      {"<=", kComparisonLevel, Kind::kBinary},
      {">", kComparisonLevel, Kind::kBinary},
      {">=", kComparisonLevel, Kind::kBinary},
      {"in", kComparisonLevel, Kind::kBinary},
      {"not in", kComparisonLevel, Kind::kBinary},
      {"+", 4, Kind::kBinary},
      {"-", 4, Kind::kBinary},
      {"~", 5, Kind::kConcatenate},
      {"*", 6, Kind::kBinary},
      {"%", 6, Kind::kBinary},
      {"/", 6, Kind::kConstant},
      {"//", 6, Kind::kConstant},
      {"**", 6, Kind::kConstant},
  };
  const Token& token = tokens_.current();
  const bool can_be =
      token.kind == TokenKind::kName || token.kind == TokenKind::kOperator;
  const bool is_negated = token.is_name("not") && tokens_.look().is_name("in");
  std::string_view name = token.text;
  if (is_negated) name = "not in";
  for (const Operator& each : kOperators)
    if (can_be && each.level == level && each.name == name) return &each;
  return nullptr;
}

// A sign comes before filters: -1|string is (-1)|string.
ExpressionPtr ExpressionParser::parse_unary(bool with_filters) {
  const int line = tokens_.line();
  const Nesting nesting(nested_, line);
  ExpressionPtr node =
      tokens_.skip_operator("-")
          ? make(Kind::kNegative, line, list_of(parse_unary(false)))
          : parse_primary();
  return parse_postfix(std::move(node), with_filters);
}

ExpressionPtr ExpressionParser::parse_primary() {
  const Token& token = tokens_.current();
  const int line = token.line;
  if (token.kind == TokenKind::kName) return parse_name();
  if (token.kind == TokenKind::kInteger)
    return constant(tokens_.next().number, line);
  if (token.kind == TokenKind::kText) {
    std::string text;
    while (tokens_.current().kind == TokenKind::kText)
      text += tokens_.next().text;
    return constant(Value::constant(text), line);
  }
  if (tokens_.skip_operator("(")) return parse_parentheses();
  if (tokens_.skip_operator("[")) return parse_items(Kind::kList, "]");
  if (tokens_.skip_operator("{")) return parse_items(Kind::kDict, "}");
  tokens_.unexpected("an expression");
}

ExpressionPtr ExpressionParser::parse_name() {
  const Token& token = tokens_.next();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return constant(true, token.line);
  if (name == "false" || name == "False") return constant(false, token.line);
  if (name == "none" || name == "None") return constant(None{}, token.line);
  return checked(named(Kind::kName, token));
}

ExpressionPtr ExpressionParser::parse_parentheses() {
  const int line = tokens_.line();
  if (tokens_.skip_operator(")")) return make(Kind::kTuple, line, {});
  ExpressionPtr node = parse_tuple();
  tokens_.expect_operator(")");
  return node;
}

// The items of a list, or the keys and values of an object.
ExpressionPtr ExpressionParser::parse_items(Kind kind, std::string_view end) {
  const int line = tokens_.line();
  std::vector<ExpressionPtr> items;
  while (!tokens_.current().is_operator(end)) {
    items.push_back(parse());
    if (kind == Kind::kDict) {
      tokens_.expect_operator(":");
      items.push_back(parse());
    }
    if (!tokens_.skip_operator(",")) break;
  }
  tokens_.expect_operator(end);
  return make(kind, line, std::move(items));
}

ExpressionPtr ExpressionParser::parse_postfix(
    ExpressionPtr node, bool with_filters) {
  // After a filter or test, only calls, filters and tests follow.
  bool with_subscripts = true;
  for (;;) {
    const Token& token = tokens_.current();
    if (token.is_operator("(")) {
      node = parse_call(std::move(node));
    } else if (with_subscripts && token.is_operator(".")) {
      node = parse_attribute(std::move(node));
    } else if (with_subscripts && token.is_operator("[")) {
      node = parse_bracket(std::move(node));
    } else if (with_filters && token.is_operator("|")) {
      node = parse_filter(std::move(node));
      with_subscripts = false;
    } else if (with_filters && token.is_name("is")) {
      node = parse_test(std::move(node));
      with_subscripts = false;
    } else {
      return node;
    }
  }
}

ExpressionPtr ExpressionParser::parse_filter(ExpressionPtr node) {
  tokens_.next();
  ExpressionPtr filter =
      named(Kind::kFilter, tokens_.expect(TokenKind::kName, "a filter's name"));
  filter->operands.push_back(std::move(node));
  if (tokens_.current().is_operator("(")) parse_arguments(*filter);
  return checked(std::move(filter));
}

ExpressionPtr ExpressionParser::parse_test(ExpressionPtr node) {
  const int line = tokens_.next().line;
  const bool negated = tokens_.skip_name("not");
  ExpressionPtr test =
      named(Kind::kTest, tokens_.expect(TokenKind::kName, "a test's name"));
  test->line = line;
  test->operands.push_back(std::move(node));
  const Token& token = tokens_.current();
  const bool is_word =
      token.is_name("else") || token.is_name("or") || token.is_name("and");
  if (token.is_name("is"))
    fault_at(line, "tests with 'is' do not follow each other");
  if (token.is_one_of("([{") || token.kind == TokenKind::kText ||
      token.kind == TokenKind::kInteger ||
      (token.kind == TokenKind::kName && !is_word))
    fault_at(line, "arguments of '{}' are not supported", test->name);
  node = checked(std::move(test));
  return negated ? make(Kind::kNot, line, list_of(std::move(node)))
                 : std::move(node);
}

ExpressionPtr ExpressionParser::parse_attribute(ExpressionPtr node) {
  const int line = tokens_.next().line;
  const Token& name = tokens_.next();
  if (name.kind != TokenKind::kName)
    fault_at(name.line, "found {} behind '.'", description(name));
  auto attribute = make(Kind::kAttribute, line, list_of(std::move(node)));
  attribute->name = name.text;
  return attribute;
}

// "[": an expression or a slice.
ExpressionPtr ExpressionParser::parse_bracket(ExpressionPtr node) {
  const int line = tokens_.next().line;
  std::vector<ExpressionPtr> operands = list_of(std::move(node));
  const auto parse_bound = [&] {
    const bool given = !tokens_.current().is_one_of(":],");
    operands.push_back(given ? parse() : nullptr);
  };
  if (tokens_.current().is_operator("]")) tokens_.unexpected("an expression");
  parse_bound();
  while (operands.size() < 4 && tokens_.skip_operator(":"))
    parse_bound();
  if (tokens_.current().is_operator(","))
    fault_at(line, "several subscripts in one bracket are not supported");
  tokens_.expect_operator("]");
  const bool is_slice = operands.size() > 2;
  if (is_slice) operands.resize(4);
  return make(is_slice ? Kind::kSlice : Kind::kItem, line, std::move(operands));
}

ExpressionPtr ExpressionParser::parse_call(ExpressionPtr node) {
  ExpressionPtr call = named(Kind::kCall, tokens_.current());
  call->operands.push_back(std::move(node));
  parse_arguments(*call);
  return checked(std::move(call));
}

void ExpressionParser::parse_arguments(Expression& call) {
  const int line = tokens_.line();
  tokens_.expect_operator("(");
  while (!tokens_.current().is_operator(")")) {
    const Token& token = tokens_.current();
    if (token.is_operator("*") || token.is_operator("**"))
      fault_at(line, "'{}' in a call is not supported", token.text);
    if (token.kind == TokenKind::kName && tokens_.look().is_operator("=")) {
      const std::string name = tokens_.next().text;
      tokens_.next();
      for (const Keyword& other : call.keywords)
        if (other.name == name) fault_at(line, "'{}' is given twice", name);
      call.keywords.push_back({name, parse()});
    } else if (call.keywords.empty()) {
      call.operands.push_back(parse());
    } else {
      fault_at(line, "arguments by place come before those by name");
    }
    if (!tokens_.skip_operator(",")) break;
  }
  tokens_.expect_operator(")");
}

}  // namespace moft::jinja
