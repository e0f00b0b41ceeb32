#include "verilabel/base/parallel.h"

#include <string>

#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

TEST(Parallel, EachCallIsMadeOnceAndTheFirstFailureWins) {
  for (const unsigned threads : {0U, 1U, 4U}) {
    std::vector<int> calls(1000);
    for_each_in_parallel(calls.size(), threads, [&](std::size_t i) { ++calls[i]; });
    EXPECT_EQ(calls, std::vector<int>(1000, 1));
    try {
      for_each_in_parallel(1000, threads, [](std::size_t i) {
        if (i >= 300) {
          throw Error(ErrorCode::internal, std::to_string(i));
        }
      });
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), "300");
    }
  }
  for_each_in_parallel(0, 2, [](std::size_t) { FAIL(); });
}

}  // namespace
}  // namespace verilabel
