// A file descriptor that closes itself.
#pragma once

#include <unistd.h>
#include <utility>

class Fd {
  public:
    explicit Fd(int fd = -1) noexcept : fd_(fd) {}
    Fd(Fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd &operator=(Fd &&other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    Fd(const Fd &) = delete;
    Fd &operator=(const Fd &) = delete;
    ~Fd() { close(); }

    int get() const noexcept { return fd_; }
    bool is_open() const noexcept { return fd_ >= 0; }

    void close() noexcept {
        if (is_open()) {
            ::close(std::exchange(fd_, -1));
        }
    }

  private:
    int fd_;
};
