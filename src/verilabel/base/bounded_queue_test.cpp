#include "verilabel/base/bounded_queue.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace verilabel {
namespace {

TEST(BoundedQueue, KeepsOrderAndDrainsAfterClose) {
  BoundedQueue<int> queue(3);
  EXPECT_TRUE(queue.push(1));
  EXPECT_TRUE(queue.push(2));
  queue.close();
  EXPECT_FALSE(queue.push(3));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.try_pop(), 2);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueue, PopWithinGivesUpAfterItsTimeAndWakesForAnItem) {
  BoundedQueue<int> queue(1);
  EXPECT_EQ(queue.pop_within(std::chrono::milliseconds(1)), std::nullopt);
  std::thread producer([&] { queue.push(7); });
  EXPECT_EQ(queue.pop_within(std::chrono::hours(1)), 7);
  producer.join();
  queue.close();
  EXPECT_EQ(queue.pop_within(std::chrono::hours(1)), std::nullopt);
}

TEST(BoundedQueue, EveryItemArrivesOnceAndNoMoreThanCapacityWait) {
  constexpr int kItems = 2000;
  constexpr int kCapacity = 4;
  BoundedQueue<std::unique_ptr<int>> queue(kCapacity);
  std::atomic<int> in_flight = 0;
  std::atomic<int> most_in_flight = 0;
  std::atomic<long> sum = 0;
  std::vector<std::thread> consumers;
  for (int c = 0; c < 2; ++c) {
    consumers.emplace_back([&] {
      while (auto item = queue.pop()) {
        --in_flight;
        sum += **item;
      }
    });
  }
  std::vector<std::thread> producers;
  for (int p = 0; p < 2; ++p) {
    producers.emplace_back([&, p] {
      for (int i = p; i < kItems; i += 2) {
        ASSERT_TRUE(queue.push(std::make_unique<int>(i)));
        const int now = ++in_flight;
        int most = most_in_flight;
        while (now > most && !most_in_flight.compare_exchange_weak(most, now)) {
        }
      }
    });
  }
  for (auto& producer : producers) {
    producer.join();
  }
  queue.close();
  for (auto& consumer : consumers) {
    consumer.join();
  }
  EXPECT_EQ(sum, static_cast<long>(kItems) * (kItems - 1) / 2);
  EXPECT_LE(most_in_flight, kCapacity + 4);  // each of the four threads may hold one beside the queue
}

TEST(BoundedQueue, CloseFreesAWaitingProducer) {
  BoundedQueue<int> queue(1);
  ASSERT_TRUE(queue.push(1));
  std::thread producer([&] { EXPECT_FALSE(queue.push(2)); });
  queue.close();
  producer.join();
}

}  // namespace
}  // namespace verilabel
