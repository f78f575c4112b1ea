// From one thread to one other: a bounded queue that never locks and never allocates.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

template <typename T, std::size_t LEN> class Queue {
  public:
    // The sender's. There must be room: whoever uses this knows how much can be on its way.
    void push(const T &item) {
        const std::size_t sent = sent_.load(std::memory_order_relaxed);
        items_[sent % LEN] = item;
        sent_.store(sent + 1, std::memory_order_release);
    }

    // The receiver's. False if there is nothing now.
    bool pop(T &item) {
        const std::size_t received = received_.load(std::memory_order_relaxed);
        if (received == sent_.load(std::memory_order_acquire)) {
            return false;
        }
        item = items_[received % LEN];
        received_.store(received + 1, std::memory_order_release);
        return true;
    }

  private:
    std::array<T, LEN> items_{};
    // Each on a cache line of its own, as each is written by another thread.
    alignas(128) std::atomic<std::size_t> sent_{0};
    alignas(128) std::atomic<std::size_t> received_{0};
};
