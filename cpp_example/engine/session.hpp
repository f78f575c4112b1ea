// The connection to the node: logged on, or on its way there. Never blocks, and never allocates.
#pragma once

#include "fd.hpp"
#include "wire.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

class Session {
  public:
    explicit Session(std::uint16_t port) : port_(port) {}

    bool is_up() const { return stage_ == Stage::Up; }

    // The node doesn't read what it was sent: the next message would only wait behind the rest.
    bool is_backed_up() const { return outbox_len_ > 0; }

    // Connects and logs on if that is due, and gives each answer that has come to `on_answer`. False if the connection
    // was up and is lost now: what was sent and isn't answered yet never will be.
    template <typename OnAnswer> bool receive(std::uint64_t now_ns, OnAnswer on_answer) {
        if (stage_ == Stage::Down && now_ns >= retry_at_ns_) {
            connect(now_ns);
        }
        if (stage_ == Stage::Down || (flush() && read(on_answer))) {
            return true;
        }
        const bool was_up = is_up();
        hang_up(now_ns);
        return !was_up;
    }

    // Sends a request; false if the connection isn't up. (One that breaks now is found lost by the next `receive`.)
    bool send(Message message) {
        if (!is_up()) {
            return false;
        }
        queue(message);
        flush();
        return true;
    }

  private:
    enum class Stage { Down, LoggingOn, Up };

    static constexpr std::uint64_t RETRY_NS = 100'000'000;

    void connect(std::uint64_t now_ns) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port_);
        // Closes on exec, so that no child holds the connection open.
        socket_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        const int on = 1;
        ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        stage_ = Stage::LoggingOn;
        is_broken_ = ::connect(socket_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 &&
                     errno != EINPROGRESS;
        // While it is still connecting this waits in the outbox, as for any socket that takes nothing now.
        queue(Message::request(Kind::Logon, 0));
        retry_at_ns_ = now_ns + RETRY_NS;
    }

    void hang_up(std::uint64_t now_ns) {
        socket_.close();
        stage_ = Stage::Down;
        inbox_len_ = outbox_len_ = 0;
        retry_at_ns_ = now_ns + RETRY_NS;
    }

    void queue(Message message) {
        if (outbox_len_ + Message::LEN > sizeof outbox_) {
            is_broken_ = true; // so far behind, the node is as good as gone
            return;
        }
        std::memcpy(outbox_ + outbox_len_, message.to_bytes().data(), Message::LEN);
        outbox_len_ += Message::LEN;
    }

    // Sends what the socket takes now. False if the connection is broken.
    bool flush() {
        while (outbox_len_ > 0 && !is_broken_) {
            const ssize_t sent = ::send(socket_.get(), outbox_, outbox_len_, MSG_NOSIGNAL);
            if (sent < 0 && would_block()) {
                break;
            }
            if (sent > 0) {
                outbox_len_ -= static_cast<std::size_t>(sent);
                std::memmove(outbox_, outbox_ + sent, outbox_len_);
            } else if (errno != EINTR) {
                is_broken_ = true;
            }
        }
        return !is_broken_;
    }

    // Takes what has come. False if the connection is broken; what came before that counts.
    template <typename OnAnswer> bool read(OnAnswer &on_answer) {
        for (;;) {
            const ssize_t len = ::recv(socket_.get(), inbox_ + inbox_len_, sizeof inbox_ - inbox_len_, 0);
            if (len == 0) {
                return false; // the node has closed it
            }
            if (len < 0) {
                if (errno == EINTR) {
                    continue;
                }
                return would_block();
            }
            inbox_len_ += static_cast<std::size_t>(len);
            std::size_t at = 0;
            for (; at + Message::LEN <= inbox_len_; at += Message::LEN) {
                const std::optional<Message> message = Message::from_bytes(inbox_ + at);
                if (!message || !message->is_answer) {
                    return false; // not our protocol
                }
                if (message->kind == Kind::Logon) {
                    stage_ = Stage::Up;
                } else {
                    on_answer(*message);
                }
            }
            inbox_len_ -= at; // less than a message
            std::memmove(inbox_, inbox_ + at, inbox_len_);
        }
    }

    // Or still connecting, which some systems tell apart.
    static bool would_block() {
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOTCONN || errno == EINPROGRESS;
    }

    std::uint16_t port_;
    Fd socket_;
    Stage stage_ = Stage::Down;
    bool is_broken_ = false;
    std::uint64_t retry_at_ns_ = 0;
    std::uint8_t inbox_[4096];
    std::size_t inbox_len_ = 0;
    std::uint8_t outbox_[64 * 1024];
    std::size_t outbox_len_ = 0;
};
