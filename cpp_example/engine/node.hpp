// The node, a process of its own: started, told what to do, and ended.
#pragma once

#include "fd.hpp"
#include "script.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>

extern char **environ;

// The engine can't do its work, for reasons that aren't the breaker's.
struct CannotRun : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// `trip99 demo-node`: prints its port, reads phases from standard input, and ends with that. So it doesn't outlive the
// engine, however that ends.
class Node {
  public:
    // Starts it and waits for it to listen. Throws CannotRun.
    explicit Node(const std::string &program) : program_(program) {
        Pipe input, output;
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, input.read.get(), STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, output.write.get(), STDOUT_FILENO);
        std::string path = program, command = "demo-node";
        char *argv[] = {path.data(), command.data(), nullptr};
        const int error = ::posix_spawnp(&pid_, path.c_str(), &actions, nullptr, argv, environ);
        ::posix_spawn_file_actions_destroy(&actions);
        if (error != 0) {
            throw CannotRun(program + " can't be started: " + std::strerror(error) +
                            "; legal: --trip99 and the path of the trip99 program, or trip99 on the PATH");
        }
        input_ = std::move(input.write);
        output.write.close(); // or its end would never be seen here
        try {
            port_ = read_port(output.read.get());
        } catch (...) {
            end();
            throw;
        }
    }

    Node(const Node &) = delete;
    Node &operator=(const Node &) = delete;
    ~Node() { end(); }

    std::uint16_t port() const { return port_; }
    int pid() const { return pid_; }

    // Tells it to begin a phase. Throws CannotRun.
    void enter(Phase phase) {
        const std::string line = std::string(name(phase)) + "\n";
        if (::write(input_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
            throw CannotRun("the node listens no more: " + std::string(std::strerror(errno)));
        }
    }

    // Throws CannotRun if it has ended by itself. Cheap enough for now and then, not for each turn: a system call.
    void check() {
        if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) {
            pid_ = 0;
            throw CannotRun("the node has ended in the middle of the run");
        }
    }

  private:
    struct Pipe {
        Fd read, write;

        Pipe() {
            int fds[2];
            // Closes on exec: the node gets the ends that it needs, and no others.
            if (::pipe2(fds, O_CLOEXEC) != 0) {
                throw CannotRun("no pipe to the node: " + std::string(std::strerror(errno)));
            }
            read = Fd(fds[0]);
            write = Fd(fds[1]);
        }
    };

    std::uint16_t read_port(int output) const {
        constexpr int PATIENCE_MS = 5000;
        std::string line;
        char letter = 0;
        pollfd readable{output, POLLIN, 0};
        while (line.size() < 80 && ::poll(&readable, 1, PATIENCE_MS) == 1 && ::read(output, &letter, 1) == 1) {
            if (letter == '\n') {
                break;
            }
            line += letter;
        }
        char *rest = nullptr;
        const unsigned long port = std::strtoul(line.c_str(), &rest, 10);
        if (line.empty() || *rest != '\0' || port == 0 || port > 65535) {
            throw CannotRun(program_ + " demo-node said \"" + line +
                            "\", not its port; legal: --trip99 and the path of the trip99 program");
        }
        return static_cast<std::uint16_t>(port);
    }

    // Asks it to end by closing its input, and kills it if it doesn't listen.
    void end() {
        input_.close();
        if (pid_ <= 0) {
            return; // it has ended
        }
        for (int turn = 0; turn < 100; ++turn) {
            if (::waitpid(pid_, nullptr, WNOHANG) != 0) {
                return;
            }
            ::usleep(10'000);
        }
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    std::string program_;
    pid_t pid_ = -1;
    std::uint16_t port_ = 0;
    Fd input_;
};
