// Answers and rewards as bytes, from rank to rank.
#include "moft/evaluation/answers.h"

#include "moft/distributed/bytes.h"
#include "moft/distributed/together.h"

namespace moft {
namespace {

void write(BytesWriter& writer, const Answers& answers) {
  writer.number(answers.texts.size());
  for (const std::string& text : answers.texts)
    writer.list(text);
  writer.list(answers.kl);
  writer.list(answers.finished);
  writer.list(answers.tokens);
  writer.list(answers.prompts);
  writer.number(answers.ids.size());
  for (const auto& ids : answers.ids)
    writer.list(ids);
}

template <class T>
void append(BytesReader& reader, std::vector<T>& all) {
  const auto more = reader.list<std::vector<T>>();
  all.insert(all.end(), more.begin(), more.end());
}

void append(BytesReader& reader, Answers& all) {
  for (auto left = reader.number<std::size_t>(); left > 0; --left)
    all.texts.push_back(reader.list<std::string>());
  append(reader, all.kl);
  append(reader, all.finished);
  append(reader, all.tokens);
  append(reader, all.prompts);
  for (auto left = reader.number<std::size_t>(); left > 0; --left)
    all.ids.push_back(reader.list<std::vector<TokenId>>());
}

}  // namespace

void gather_answers(
    Group& group,
    std::vector<Answers>& steerings,
    const std::function<void()>& answer) {
  const auto ranks = gather_results(group, [&] {
    answer();
    BytesWriter writer;
    for (const Answers& answers : steerings)
      write(writer, answers);
    return std::string(writer.bytes());
  });
  std::vector<Answers> all(steerings.size());
  for (const std::string& bytes : ranks) {
    BytesReader reader(bytes);
    for (Answers& answers : all)
      append(reader, answers);
  }
  steerings = std::move(all);
}

std::vector<RewardColumns> gather_scores(
    Group& group, const std::function<RewardColumns()>& score) {
  const auto ranks = gather_results(group, [&] {
    const RewardColumns own = score();
    BytesWriter writer;
    writer.number(own.raw.size());
    for (std::size_t i = 0; i < own.raw.size(); ++i) {
      writer.list(own.raw[i]);
      writer.list(own.mapped[i]);
    }
    return std::string(writer.bytes());
  });
  std::vector<RewardColumns> all;
  for (const std::string& bytes : ranks) {
    BytesReader reader(bytes);
    RewardColumns& columns = all.emplace_back();
    for (auto left = reader.number<std::size_t>(); left > 0; --left) {
      columns.raw.push_back(reader.list<std::vector<double>>());
      columns.mapped.push_back(reader.list<std::vector<double>>());
    }
  }
  return all;
}

}  // namespace moft
