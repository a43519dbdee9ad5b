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
    {"data",
     &Handshake::data,
     "data",
     "copy the same data files to every machine"},
    {"model",
     &Handshake::model,
     "model",
     "copy the same model files to every machine"},
};

}  // namespace

std::string write_handshake(const Handshake& handshake) {
  nlohmann::json json;
  for (const Item& item : kItems)
    json[item.key] = handshake.*item.value;
  return dump_json(json);
}

Handshake read_handshake(std::string_view text, const std::string& place) {
  const nlohmann::json json = parse_json(text, place);
  Handshake handshake;
  for (const Item& item : kItems) {
    if (!json.is_object() || !json.contains(item.key) ||
        !json[item.key].is_string()) {
      throw_caller_error(
          "{}: its first message has no text `{}`; install the same build of "
          "moft on every machine",
          place,
          item.key);
    }
    handshake.*item.value = json[item.key].get<std::string>();
  }
  return handshake;
}

void check_same(std::span<const Handshake> ranks) {
  for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
    for (const Item& item : kItems) {
      const std::string& own = ranks[rank].*item.value;
      const std::string& first = ranks[0].*item.value;
      if (own == first) continue;
      throw_caller_error(
          "rank {}: {} {} differs from rank 0's {}; {}",
          rank,
          item.words,
          quote_text(own, 80),
          quote_text(first, 80),
          item.cure);
    }
  }
}

}  // namespace moft
