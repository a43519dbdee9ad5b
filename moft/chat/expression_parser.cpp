// Recursive descent, one function per precedence.
#include "moft/chat/expression_parser.h"

#include <algorithm>

#include "moft/chat/fault.h"

namespace moft::jinja {

namespace {

using TokenKind = Token::Kind;

constexpr int kMaxNested = 200;  // brackets, else and not
constexpr int kMaxDepth = 300;   // a + b + c + .. is nested to the left

bool is_comparison(const Token& token) {
  return token.kind == TokenKind::kOperator &&
         (token.text == "==" || token.text == "!=" || token.text == "<" ||
          token.text == "<=" || token.text == ">" || token.text == ">=");
}

class Nesting {
 public:
  Nesting(int& count, int line) : count_(count) {
    if (++count_ > kMaxNested) {
      --count_;
      fault_at(line, "an expression is nested over {} levels", kMaxNested);
    }
  }
  ~Nesting() { --count_; }

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

}  // namespace

ExpressionPtr ExpressionParser::checked(ExpressionPtr expression) const {
  int depth = 0;
  for (const ExpressionPtr& operand : expression->operands)
    if (operand != nullptr) depth = std::max(depth, operand->depth);
  for (const Keyword& keyword : expression->keywords)
    depth = std::max(depth, keyword.value->depth);
  for (const auto* more :
       {expression->more_operands.get(), expression->more_keywords.get()})
    if (more != nullptr) depth = std::max(depth, more->depth);
  expression->depth = depth + 1;
  if (depth >= kMaxDepth) {
    fault_at(
        expression->line, "an expression is nested over {} levels", kMaxDepth);
  }
  return expression;
}

ExpressionPtr ExpressionParser::make(
    Kind kind, int line, std::vector<ExpressionPtr> operands) {
  auto expression = std::make_unique<Expression>();
  expression->kind = kind;
  expression->line = line;
  expression->operands = std::move(operands);
  return checked(std::move(expression));
}

ExpressionPtr ExpressionParser::constant(Value value, int line) {
  auto expression = make(Kind::kConstant, line, {});
  expression->value = std::move(value);
  return expression;
}

ExpressionPtr ExpressionParser::parse(bool with_condition) {
  const Nesting nesting(nested_, tokens_.line());
  return with_condition ? parse_condition() : parse_or();
}

bool ExpressionParser::ends_tuple(std::string_view end) const {
  const Token& token = tokens_.current();
  return token.kind == TokenKind::kPrintEnd ||
         token.kind == TokenKind::kBlockEnd || token.is_operator(")") ||
         (!end.empty() && token.is_name(end));
}

ExpressionPtr ExpressionParser::parse_tuple(
    bool with_condition, std::string_view end) {
  const int line = tokens_.line();
  std::vector<ExpressionPtr> items;
  bool is_tuple = false;
  while (!ends_tuple(end)) {
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
  ExpressionPtr value = parse_or();
  while (tokens_.skip_name("if")) {
    ExpressionPtr test = parse_or();
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

ExpressionPtr ExpressionParser::parse_or() {
  const int line = tokens_.line();
  ExpressionPtr left = parse_and();
  while (tokens_.skip_name("or"))
    left = make(Kind::kOr, line, list_of(std::move(left), parse_and()));
  return left;
}

ExpressionPtr ExpressionParser::parse_and() {
  const int line = tokens_.line();
  ExpressionPtr left = parse_not();
  while (tokens_.skip_name("and"))
    left = make(Kind::kAnd, line, list_of(std::move(left), parse_not()));
  return left;
}

ExpressionPtr ExpressionParser::parse_not() {
  const int line = tokens_.line();
  if (!tokens_.skip_name("not")) return parse_compare();
  const Nesting nesting(nested_, line);
  return make(Kind::kNot, line, list_of(parse_not()));
}

ExpressionPtr ExpressionParser::parse_compare() {
  const int line = tokens_.line();
  std::vector<ExpressionPtr> operands = list_of(parse_sum());
  std::vector<std::string> operators;
  for (;;) {
    if (is_comparison(tokens_.current())) {
      operators.push_back(tokens_.next().text);
    } else if (tokens_.skip_name("in")) {
      operators.push_back("in");
    } else if (
        tokens_.current().is_name("not") && tokens_.look().is_name("in")) {
      tokens_.next();
      tokens_.next();
      operators.push_back("not in");
    } else {
      break;
    }
    operands.push_back(parse_sum());
  }
  if (operators.empty()) return std::move(operands[0]);
  auto node = make(Kind::kCompare, line, std::move(operands));
  node->operators = std::move(operators);
  return node;
}

ExpressionPtr ExpressionParser::parse_sum() {
  const int line = tokens_.line();
  ExpressionPtr left = parse_concatenation();
  while (tokens_.current().is_operator("+") ||
         tokens_.current().is_operator("-")) {
    std::string name = tokens_.next().text;
    left = make(
        Kind::kBinary, line, list_of(std::move(left), parse_concatenation()));
    left->name = std::move(name);
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_concatenation() {
  const int line = tokens_.line();
  std::vector<ExpressionPtr> parts = list_of(parse_product());
  while (tokens_.skip_operator("~"))
    parts.push_back(parse_product());
  if (parts.size() == 1) return std::move(parts[0]);
  return make(Kind::kConcatenate, line, std::move(parts));
}

ExpressionPtr ExpressionParser::parse_product() {
  const int line = tokens_.line();
  ExpressionPtr left = parse_power();
  const auto is_product = [&] {
    const Token& token = tokens_.current();
    return token.is_operator("*") || token.is_operator("/") ||
           token.is_operator("//") || token.is_operator("%");
  };
  while (is_product()) {
    std::string name = tokens_.next().text;
    left = make(Kind::kBinary, line, list_of(std::move(left), parse_power()));
    left->name = std::move(name);
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_power() {
  const int line = tokens_.line();
  ExpressionPtr left = parse_unary();
  while (tokens_.skip_operator("**")) {
    left = make(Kind::kBinary, line, list_of(std::move(left), parse_unary()));
    left->name = "**";
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_unary(bool with_filter) {
  const int line = tokens_.line();
  const Nesting nesting(nested_, line);
  ExpressionPtr node;
  if (tokens_.skip_operator("-")) {
    node = make(Kind::kNegative, line, list_of(parse_unary(false)));
  } else if (tokens_.skip_operator("+")) {
    node = make(Kind::kPositive, line, list_of(parse_unary(false)));
  } else {
    node = parse_primary();
  }
  node = parse_postfix(std::move(node));
  return with_filter ? parse_filters_and_tests(std::move(node))
                     : std::move(node);
}

ExpressionPtr ExpressionParser::parse_primary() {
  const Token& token = tokens_.current();
  const int line = token.line;
  switch (token.kind) {
    case TokenKind::kName:
      return parse_name();
    case TokenKind::kText: {
      std::string text;
      while (tokens_.current().kind == TokenKind::kText)
        text += tokens_.next().text;
      return constant(Value::constant(text), line);
    }
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return constant(tokens_.next().number, line);
    default:
      break;
  }
  if (tokens_.skip_operator("(")) return parse_parentheses();
  if (tokens_.skip_operator("[")) return parse_list();
  if (tokens_.skip_operator("{")) return parse_dict();
  tokens_.unexpected("an expression");
}

ExpressionPtr ExpressionParser::parse_name() {
  const Token& token = tokens_.next();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return constant(true, token.line);
  if (name == "false" || name == "False") return constant(false, token.line);
  if (name == "none" || name == "None") return constant(None{}, token.line);
  auto node = make(Kind::kName, token.line, {});
  node->name = name;
  return node;
}

ExpressionPtr ExpressionParser::parse_parentheses() {
  const int line = tokens_.line();
  ExpressionPtr node = tokens_.current().is_operator(")")
                           ? make(Kind::kTuple, line, {})
                           : parse_tuple();
  tokens_.expect_operator(")");
  return node;
}

ExpressionPtr ExpressionParser::parse_list() {
  const int line = tokens_.line();
  std::vector<ExpressionPtr> items;
  while (!tokens_.current().is_operator("]")) {
    if (!items.empty()) tokens_.expect_operator(",");
    if (tokens_.current().is_operator("]")) break;
    items.push_back(parse());
  }
  tokens_.expect_operator("]");
  return make(Kind::kList, line, std::move(items));
}

ExpressionPtr ExpressionParser::parse_dict() {
  const int line = tokens_.line();
  std::vector<ExpressionPtr> items;
  while (!tokens_.current().is_operator("}")) {
    if (!items.empty()) tokens_.expect_operator(",");
    if (tokens_.current().is_operator("}")) break;
    items.push_back(parse());
    tokens_.expect_operator(":");
    items.push_back(parse());
  }
  tokens_.expect_operator("}");
  return make(Kind::kDict, line, std::move(items));
}

ExpressionPtr ExpressionParser::parse_postfix(ExpressionPtr node) {
  for (;;) {
    const Token& token = tokens_.current();
    if (token.is_operator(".") || token.is_operator("[")) {
      node = parse_subscript(std::move(node));
    } else if (token.is_operator("(")) {
      node = parse_call(std::move(node));
    } else {
      return node;
    }
  }
}

ExpressionPtr ExpressionParser::parse_filters_and_tests(ExpressionPtr node) {
  for (;;) {
    const Token& token = tokens_.current();
    if (token.is_operator("|")) {
      node = parse_filters(std::move(node), false);
    } else if (token.is_name("is")) {
      node = parse_test(std::move(node));
    } else if (token.is_operator("(")) {
      node = parse_call(std::move(node));
    } else {
      return node;
    }
  }
}

ExpressionPtr ExpressionParser::parse_block_filter(bool starts_inline) {
  return parse_filters(nullptr, starts_inline);
}

ExpressionPtr ExpressionParser::parse_filters(
    ExpressionPtr node, bool starts_inline) {
  while (starts_inline || tokens_.skip_operator("|")) {
    starts_inline = false;
    const Token& token = tokens_.expect(TokenKind::kName, "a filter's name");
    auto filter = std::make_unique<Expression>();
    filter->kind = Kind::kFilter;
    filter->line = token.line;
    filter->name = token.text;
    while (tokens_.skip_operator("."))
      filter->name +=
          "." + tokens_.expect(TokenKind::kName, "a filter's name").text;
    filter->operands.push_back(std::move(node));
    if (tokens_.current().is_operator("(")) parse_arguments(*filter);
    node = checked(std::move(filter));
  }
  return node;
}

ExpressionPtr ExpressionParser::parse_test(ExpressionPtr node) {
  const int line = tokens_.next().line;
  const bool negated = tokens_.skip_name("not");
  auto test = std::make_unique<Expression>();
  test->kind = Kind::kTest;
  test->line = line;
  test->name = tokens_.expect(TokenKind::kName, "a test's name").text;
  while (tokens_.skip_operator("."))
    test->name += "." + tokens_.expect(TokenKind::kName, "a test's name").text;
  test->operands.push_back(std::move(node));
  const Token& token = tokens_.current();
  const bool is_word =
      token.is_name("else") || token.is_name("or") || token.is_name("and");
  const bool is_argument =
      token.kind == TokenKind::kName || token.kind == TokenKind::kText ||
      token.kind == TokenKind::kInteger || token.kind == TokenKind::kFloat ||
      token.is_operator("[") || token.is_operator("{");
  if (token.is_operator("(")) {
    parse_arguments(*test);
  } else if (is_argument && !is_word) {
    if (token.is_name("is"))
      fault_at(token.line, "tests with 'is' do not follow each other");
    test->operands.push_back(parse_postfix(parse_primary()));
  }
  node = checked(std::move(test));
  return negated ? make(Kind::kNot, line, list_of(std::move(node)))
                 : std::move(node);
}

ExpressionPtr ExpressionParser::parse_subscript(ExpressionPtr node) {
  const Token& token = tokens_.next();
  if (token.text == "[") return parse_bracket(std::move(node), token.line);
  const Token& name = tokens_.next();
  if (name.kind == TokenKind::kInteger) {
    return make(
        Kind::kItem,
        token.line,
        list_of(std::move(node), constant(name.number, name.line)));
  }
  if (name.kind != TokenKind::kName)
    fault_at(name.line, "found {} behind '.'", description(name));
  auto attribute = make(Kind::kAttribute, token.line, list_of(std::move(node)));
  attribute->name = name.text;
  return attribute;
}

// Behind "[": an expression, several, or a slice.
ExpressionPtr ExpressionParser::parse_bracket(ExpressionPtr node, int line) {
  const auto ends = [&] {
    return tokens_.current().is_operator("]") ||
           tokens_.current().is_operator(",");
  };
  std::vector<ExpressionPtr> bounds(1);
  if (!tokens_.current().is_operator(":")) bounds[0] = parse();
  while (bounds.size() < 3 && tokens_.skip_operator(":")) {
    const bool given = !ends() && !tokens_.current().is_operator(":");
    bounds.push_back(given ? parse() : nullptr);
  }
  if (tokens_.current().is_operator(","))
    fault_at(line, "several subscripts in one bracket are not supported");
  tokens_.expect_operator("]");
  std::vector<ExpressionPtr> operands = list_of(std::move(node));
  const bool is_slice = bounds.size() > 1;
  if (is_slice) bounds.resize(3);
  for (ExpressionPtr& bound : bounds)
    operands.push_back(std::move(bound));
  return make(is_slice ? Kind::kSlice : Kind::kItem, line, std::move(operands));
}

ExpressionPtr ExpressionParser::parse_call(ExpressionPtr node) {
  auto call = std::make_unique<Expression>();
  call->kind = Kind::kCall;
  call->line = tokens_.line();
  call->operands.push_back(std::move(node));
  parse_arguments(*call);
  return checked(std::move(call));
}

void ExpressionParser::parse_arguments(Expression& call) {
  const int line = tokens_.line();
  tokens_.expect_operator("(");
  const auto ensure = [&](bool holds) {
    if (!holds) fault_at(line, "the arguments of a call are in no valid order");
  };
  for (bool first = true; !tokens_.current().is_operator(")"); first = false) {
    if (!first) {
      tokens_.expect_operator(",");
      if (tokens_.current().is_operator(")")) break;
    }
    const bool open = call.more_operands == nullptr;
    const bool named_open = call.more_keywords == nullptr;
    if (tokens_.skip_operator("*")) {
      ensure(open && named_open);
      call.more_operands = parse();
    } else if (tokens_.skip_operator("**")) {
      ensure(named_open);
      call.more_keywords = parse();
    } else if (
        tokens_.current().kind == TokenKind::kName &&
        tokens_.look().is_operator("=")) {
      ensure(named_open);
      std::string name = tokens_.next().text;
      tokens_.next();
      for (const Keyword& other : call.keywords)
        if (other.name == name) fault_at(line, "'{}' is given twice", name);
      call.keywords.push_back({std::move(name), parse()});
    } else {
      ensure(open && named_open && call.keywords.empty());
      call.operands.push_back(parse());
    }
  }
  tokens_.expect_operator(")");
}

}  // namespace moft::jinja
