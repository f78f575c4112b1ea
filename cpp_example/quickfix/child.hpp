// The venue, a process of its own. It ends when the trader does, since it reads until its standard input ends.
#pragma once

#include <csignal>
#include <cstdlib>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// A port of the loopback that nobody uses now.
inline int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    const bool is_bound = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr *>(&address), length) == 0 &&
                          ::getsockname(fd, reinterpret_cast<sockaddr *>(&address), &length) == 0;
    ::close(fd);
    if (!is_bound) {
        throw std::runtime_error("no free port");
    }
    return ntohs(address.sin_port);
}

class Child {
  public:
    // Starts `program PORT FOLDER [MORE]`, and waits until it says that it listens.
    Child(const std::string &program, int port, const std::string &folder, const char *more = nullptr) {
        int in[2], out[2];
        if (::pipe(in) != 0 || ::pipe(out) != 0) {
            throw std::runtime_error("no pipe to the venue");
        }
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(in[0], STDIN_FILENO);
            ::dup2(out[1], STDOUT_FILENO);
            for (const int fd : {in[0], in[1], out[0], out[1]}) {
                ::close(fd);
            }
            ::execl(program.c_str(), program.c_str(), std::to_string(port).c_str(), folder.c_str(), more,
                    static_cast<char *>(nullptr));
            ::_exit(127);
        }
        ::close(in[0]);
        ::close(out[1]);
        to_ = in[1];
        from_ = out[0];
        if (pid_ < 0 || line() != "listens") {
            throw std::runtime_error(program + " doesn't start; legal: the venue's path after --venue");
        }
    }
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;
    ~Child() {
        ::close(to_);
        ::close(from_);
        ::waitpid(pid_, nullptr, 0);
    }

    // As a crash does.
    void kill() { ::kill(pid_, SIGKILL); }

    // Lets it end, and returns its last line.
    std::string end() {
        ::close(to_);
        to_ = -1;
        return line();
    }

  private:
    std::string line() {
        std::string text;
        for (char byte; ::read(from_, &byte, 1) == 1 && byte != '\n';) {
            text += byte;
        }
        return text;
    }

    pid_t pid_ = -1;
    int to_ = -1;
    int from_ = -1;
};
