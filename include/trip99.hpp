/*
 * trip99: a latency circuit breaker for trading engines. The C++ wrapper: header-only, C++14, over the C API alone.
 *
 *     trip99::Config config;
 *     config.threshold = std::chrono::milliseconds(5);
 *     trip99::Breaker breaker(config);
 *     for (;;) {
 *         if (breaker.allow()) {
 *             trip99::Call call = breaker.begin();
 *             ... send the order; when its answer comes: breaker.end(call), or breaker.fail(call) ...
 *         }
 *         breaker.poll();
 *     }
 *
 * Ask for what adds risk. Don't ask for cancels and reduce-only orders: refusing those would trap a position.
 *
 * trip99.h tells at length what each operation does, and which thread may call it. Here constructors, reconfigure, split and what
 * makes a lane, a gate, an observer or a reader of events or of the tap throw trip99::Error, and everything else is noexcept. (To give a halt's note
 * allocates, and so may throw std::bad_alloc.) Durations are std::chrono's. Points of time are nanoseconds on
 * the breaker's clock (`_ns`): a C++ clock would pretend that they are related to std::chrono's clocks.
 *
 * This header includes the parts in trip99/, which may be included alone, too. trip99_shared.hpp has functions that find,
 * halt and resume a page in a file by its name, and trip99_supervisor.hpp a thread that owns breakers.
 *
 * Licence: MIT OR Apache-2.0
 */
#ifndef TRIP99_HPP
#define TRIP99_HPP

#include "trip99/breaker.hpp"
#include "trip99/config.hpp"
#include "trip99/duration.hpp"
#include "trip99/error.hpp"
#include "trip99/events.hpp"
#include "trip99/gate.hpp"
#include "trip99/lane.hpp"
#include "trip99/language.hpp"
#include "trip99/observer.hpp"
#include "trip99/scoped_call.hpp"
#include "trip99/shared_options.hpp"
#include "trip99/tap.hpp"
#include "trip99/values.hpp"

#endif // TRIP99_HPP
