// The order-entry protocol of the node: messages of nine bytes, a kind and an order's number, little-endian.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

enum class Kind : std::uint8_t {
    Logon = 1, // the first message of a connection; nothing else may be sent before its answer
    Order = 2,
    Cancel = 3, // takes back the order of this number
};

struct Message {
    static constexpr std::size_t LEN = 9;
    static constexpr std::uint8_t ANSWER = 0x80; // in the first byte, beside the kind
    using Bytes = std::array<std::uint8_t, LEN>;

    Kind kind;
    bool is_answer;
    std::uint64_t id;

    static constexpr Message request(Kind kind, std::uint64_t id) { return {kind, false, id}; }

    Bytes to_bytes() const {
        Bytes bytes{};
        bytes[0] = static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) | (is_answer ? ANSWER : 0));
        for (std::size_t i = 0; i < sizeof id; ++i) {
            bytes[1 + i] = static_cast<std::uint8_t>(id >> (8 * i));
        }
        return bytes;
    }

    // Nothing if the protocol has no such message.
    static std::optional<Message> from_bytes(const std::uint8_t *bytes) {
        const auto kind = static_cast<Kind>(bytes[0] & ~ANSWER);
        if (kind != Kind::Logon && kind != Kind::Order && kind != Kind::Cancel) {
            return std::nullopt;
        }
        std::uint64_t id = 0;
        for (std::size_t i = 0; i < sizeof id; ++i) {
            id |= std::uint64_t{bytes[1 + i]} << (8 * i);
        }
        return Message{kind, (bytes[0] & ANSWER) != 0, id};
    }
};
