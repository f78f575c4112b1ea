/* One byte that any thread may ask. Part of trip99.hpp. */
#ifndef TRIP99_GATE_HPP
#define TRIP99_GATE_HPP

#include "../trip99.h"

namespace trip99 {

/**
 * One byte that tells whether calls pass. It is for other threads, while the breaker lives. The owner's allow() asks it inline
 * anyway.
 */
class Gate {
  public:
    explicit Gate(const cb_gate *gate) noexcept : gate_(gate) {}

    /** Makes one relaxed load, inline. True: every call passes. False: ask allow(), which knows more. */
    bool closed() const noexcept { return cb_gate_closed(gate_); }

  private:
    const cb_gate *gate_;
};

} // namespace trip99

#endif // TRIP99_GATE_HPP
