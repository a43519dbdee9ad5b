// What travels between ranks: a plain tensor itself, of any other a copy.
#include "moft/algorithms/staging.h"

#include <gtest/gtest.h>

#include "moft/algorithms/shards.h"

namespace moft {
namespace {

TEST(Staged, APlainTensorIsItsOwnBuffer) {
  const at::Tensor tensor = at::arange(12, at::kFloat).view({3, 4});
  for (const Staged& staged :
       {Staged::to_send(tensor), Staged::to_receive(tensor)}) {
    EXPECT_EQ(staged.numbers().const_data_ptr(), tensor.const_data_ptr());
    staged.put_back();
  }
}

TEST(Staged, AnyOtherIsCopied) {
  const at::Tensor columns = at::arange(12, at::kFloat).view({3, 4}).t();
  const Staged sent = Staged::to_send(columns);
  ASSERT_TRUE(is_plain(sent.numbers()));
  EXPECT_TRUE(sent.numbers().equal(columns));
  at::Tensor there = at::zeros({3, 4}).t();
  const Staged received = Staged::to_receive(there);
  ASSERT_TRUE(is_plain(received.numbers()));
  at::Tensor buffer = received.numbers();
  buffer.copy_(sent.numbers());
  EXPECT_EQ(there.sum().item<float>(), 0.0F);
  received.put_back();
  EXPECT_TRUE(there.equal(columns));
}

TEST(Staged, OnlyFloat32Travels) {
  EXPECT_THROW(Staged::to_send(at::zeros({2}, at::kDouble)), c10::Error);
}

}  // namespace
}  // namespace moft
