// Handshakes written, read and compared.
#include "moft/distributed/handshake.h"

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/core/text.h"

namespace moft {
namespace {

struct Item {
  const char* key;
  std::string Handshake::*value;
  // "its .. differs".
  const char* words;
  const char* cure;
};

constexpr Item kItems[] = {
    {"build",
     &Handshake::build,
     "program",
     "install the same build of moft on every machine"},
    {"recipe",
     &Handshake::recipe,
     "recipe",
     "start every rank with the same recipe and flags"},
    {"device",
     &Handshake::device,
     "device",
     "give device: cpu, or a CUDA device to every rank"},
};
constexpr char kInputs[] = "inputs";
constexpr char kInputCure[] = "give every machine a copy of the same files";

[[noreturn]] void throw_differs(
    std::size_t rank,
    const std::string& what,
    const std::string& own,
    const std::string& first,
    const char* cure) {
  throw_caller_error(
      "rank {}: {} {} differs from rank 0's {}; {}",
      rank,
      what,
      quote_text(own, 80),
      quote_text(first, 80),
      cure);
}

void check_inputs(
    std::size_t rank,
    const std::map<std::string, std::string>& own,
    const std::map<std::string, std::string>& first) {
  const auto value = [](const auto& inputs, const std::string& name) {
    const auto found = inputs.find(name);
    return found == inputs.end() ? std::string() : found->second;
  };
  for (const auto* names : {&first, &own}) {
    for (const auto& [name, hash] : *names) {
      if (value(own, name) != value(first, name)) {
        throw_differs(
            rank, name, value(own, name), value(first, name), kInputCure);
      }
    }
  }
}

}  // namespace

std::string write_handshake(const Handshake& handshake) {
  nlohmann::json json;
  for (const Item& item : kItems)
    json[item.key] = handshake.*item.value;
  json[kInputs] = handshake.inputs;
  return dump_json(json);
}

namespace {

[[noreturn]] void throw_no(const char* key, const std::string& place) {
  throw_caller_error(
      "{}: its first message has no `{}` as expected; install the same build "
      "of moft on every machine",
      place,
      key);
}

}  // namespace

Handshake read_handshake(std::string_view text, const std::string& place) {
  const nlohmann::json json = parse_json(text, place);
  Handshake handshake;
  for (const Item& item : kItems) {
    if (!json.is_object() || !json.contains(item.key) ||
        !json[item.key].is_string()) {
      throw_no(item.key, place);
    }
    handshake.*item.value = json[item.key].get<std::string>();
  }
  try {
    handshake.inputs =
        json.at(kInputs).get<std::map<std::string, std::string>>();
  } catch (const nlohmann::json::exception&) {
    throw_no(kInputs, place);
  }
  return handshake;
}

void check_same(std::span<const Handshake> ranks) {
  for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
    for (const Item& item : kItems) {
      const std::string& own = ranks[rank].*item.value;
      const std::string& first = ranks[0].*item.value;
      if (own != first) throw_differs(rank, item.words, own, first, item.cure);
    }
    check_inputs(rank, ranks[rank].inputs, ranks[0].inputs);
  }
}

}  // namespace moft
