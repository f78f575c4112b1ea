// The orders that are alive, each in a slot of a fixed table by its number. Never allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <trip99.hpp>

enum class Stage : std::uint8_t {
    Gone,
    Sent,
    Resting, // answered, and in the node's book
    Cancelling,
};

class Trader;

struct Order {
    std::uint64_t id = 0;
    Stage stage = Stage::Gone;
    // Who gave the order, and has its ticket: null = the breaker's owner, which cancels all orders.
    Trader *trader = nullptr;
    // Of the order, and then of its cancel: the breaker's ticket until the answer comes.
    trip99::Call call{};
    // The row of this call in the log.
    std::size_t row = 0;

    bool awaits_answer() const { return stage == Stage::Sent || stage == Stage::Cancelling; }
};

class Orders {
  public:
    // The slot for the next order, or null if its former owner still lives: then there is no room now.
    Order *room() {
        Order &slot = slots_[next_id_ % SLOTS];
        return slot.stage == Stage::Gone ? &slot : nullptr;
    }

    // A new order in the slot that `room` gave.
    void add(Order &slot, Trader *trader) { slot = Order{next_id_++, Stage::Sent, trader, {}, 0}; }

    // Null if there is none alive.
    Order *find(std::uint64_t id) {
        Order &slot = slots_[id % SLOTS];
        return slot.id == id && slot.stage != Stage::Gone ? &slot : nullptr;
    }

    // All that are alive, the oldest first.
    template <typename Visit> void for_each(Visit visit) {
        for (std::uint64_t i = 0; i < SLOTS; ++i) {
            Order &slot = slots_[(next_id_ + i) % SLOTS];
            if (slot.stage != Stage::Gone) {
                visit(slot);
            }
        }
    }

  private:
    // Many times what is alive at once: orders are few while the node is slow, as the breaker pauses them.
    static constexpr std::size_t SLOTS = 1024;

    std::array<Order, SLOTS> slots_{};
    std::uint64_t next_id_ = 1;
};
