// A process that loads libtorch and does next to nothing: what start-up times
// are measured against.
#include <ATen/ATen.h>

int main() {
  return static_cast<int>(at::zeros({1}).item<float>());
}
