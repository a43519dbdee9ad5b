// Answers and rewards as bytes, from rank to rank.
#include "moft/evaluation/answers.h"

#include "moft/distributed/bytes.h"

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

void gather_answers(Group& group, std::vector<Answers>& steerings) {
  BytesWriter writer;
  for (const Answers& answers : steerings)
    write(writer, answers);
  std::vector<Answers> all(steerings.size());
  for (const std::string& bytes : group.gather(writer.bytes())) {
    BytesReader reader(bytes);
    for (Answers& answers : all)
      append(reader, answers);
  }
  steerings = std::move(all);
}

void gather_scores(
    Group& group,
    std::size_t scorers,
    std::size_t objectives,
    std::vector<RewardColumns>& steerings) {
  const auto own = static_cast<std::size_t>(group.rank());
  BytesWriter writer;
  for (std::size_t k = own; own < scorers && k < steerings.size();
       k += scorers) {
    for (std::size_t i = 0; i < objectives; ++i) {
      writer.list(steerings[k].raw[i]);
      writer.list(steerings[k].mapped[i]);
    }
  }
  const std::vector<std::string> all = group.gather(writer.bytes());
  for (std::size_t rank = 0; rank < scorers; ++rank) {
    BytesReader reader(all[rank]);
    for (std::size_t k = rank; k < steerings.size(); k += scorers) {
      steerings[k] = {};
      for (std::size_t i = 0; i < objectives; ++i) {
        steerings[k].raw.push_back(reader.list<std::vector<double>>());
        steerings[k].mapped.push_back(reader.list<std::vector<double>>());
      }
    }
  }
}

}  // namespace moft
