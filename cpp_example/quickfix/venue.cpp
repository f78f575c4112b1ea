// A venue that makes trouble: a FIX acceptor with the script of script.hpp, which begins with the first logon. With a third argument it
// is back after a crash: for so long it refuses logons, and it wants the latest messages again. It ends with standard input.
//
//     venue PORT FOLDER [REFUSES_MS]

#include "script.hpp"
#include "settings.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <mutex>
#include <quickfix/Application.h>
#include <quickfix/FileLog.h>
#include <quickfix/FileStore.h>
#include <quickfix/Message.h>
#include <quickfix/Session.h>
#include <quickfix/SocketAcceptor.h>
#include <string>
#include <thread>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

struct Answer {
    Clock::time_point due{};
    std::string id{};
};

class Venue : public FIX::Application {
  public:
    // Without `refuses` it plays the script.
    explicit Venue(const std::chrono::milliseconds *refuses) {
        if (refuses != nullptr) {
            welcomes_ = Clock::now() + *refuses;
            is_back_ = true;
        }
    }

    void onCreate(const FIX::SessionID &) override {}
    void onLogon(const FIX::SessionID &) override {
        if (!has_begun_.exchange(true)) {
            began_ = Clock::now();
            is_timed_ = true;
        }
    }
    void onLogout(const FIX::SessionID &) override {}
    void toAdmin(FIX::Message &, const FIX::SessionID &) override {}
    void toApp(FIX::Message &, const FIX::SessionID &) throw(FIX::DoNotSend) override {}

    void fromAdmin(const FIX::Message &message, const FIX::SessionID &) throw(FIX::FieldNotFound, FIX::IncorrectDataFormat,
                                                                             FIX::IncorrectTagValue,
                                                                             FIX::RejectLogon) override {
        if (phase() == Phase::Gone && message.getHeader().getField(35) == "A") {
            throw FIX::RejectLogon("gone");
        }
    }

    void fromApp(const FIX::Message &message, const FIX::SessionID &) throw(FIX::FieldNotFound, FIX::IncorrectDataFormat,
                                                                           FIX::IncorrectTagValue,
                                                                           FIX::UnsupportedMessageType) override {
        std::lock_guard<std::mutex> lock(mutex_);
        const bool is_again = message.getHeader().isSetField(43) && message.getHeader().getField(43) == "Y";
        resent_orders_ += is_again && message.getHeader().getField(35) == "D";
        switch (phase()) {
        case Phase::Reject: throw FIX::IncorrectTagValue(11);
        case Phase::Silent: return;
        case Phase::Slow: return answer(message, std::chrono::milliseconds(350));
        case Phase::Calm:
        case Phase::Gone: return answer(message, std::chrono::milliseconds(10));
        }
    }

    // Sends what is due, for ever.
    void act(const FIX::SessionID &session) {
        for (;;) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            for (Answer next; take_due(next);) {
                report(next.id, session);
            }
        }
    }

    // New orders that came once more.
    int resent_orders() {
        std::lock_guard<std::mutex> lock(mutex_);
        return resent_orders_;
    }

  private:
    Phase phase() const {
        if (is_back_) {
            return Clock::now() < welcomes_ ? Phase::Gone : Phase::Calm;
        }
        if (!is_timed_) {
            return Phase::Calm;
        }
        Clock::duration age = Clock::now() - began_;
        for (const Act &act : SCRIPT) {
            if (age < act.lasts) {
                return act.phase;
            }
            age -= act.lasts;
        }
        return Phase::Calm;
    }

    void answer(const FIX::Message &message, std::chrono::milliseconds after) {
        answers_.push_back({Clock::now() + after, message.getField(11)});
    }

    bool take_due(Answer &out) {
        std::lock_guard<std::mutex> lock(mutex_);
        for (auto answer = answers_.begin(); answer != answers_.end(); ++answer) {
            if (answer->due <= Clock::now()) {
                out = *answer;
                answers_.erase(answer);
                return true;
            }
        }
        return false;
    }

    static void report(const std::string &id, const FIX::SessionID &session) {
        FIX::Message message;
        message.getHeader().setField(35, "8");
        message.setField(11, id);
        message.setField(37, id);
        message.setField(17, id);
        message.setField(150, "0"); // new
        message.setField(39, "0");
        message.setField(55, "XYZ");
        message.setField(54, "1");
        message.setField(151, "1");
        message.setField(14, "0");
        message.setField(6, "0");
        FIX::Session::sendToTarget(message, session);
    }

    bool is_back_ = false;
    Clock::time_point welcomes_{};
    std::atomic<bool> has_begun_{false};
    std::atomic<bool> is_timed_{false};
    Clock::time_point began_{};
    std::mutex mutex_{};
    std::deque<Answer> answers_{};
    int resent_orders_ = 0;
};

} // namespace

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) {
        std::fputs("usage: venue PORT FOLDER [REFUSES_MS]\n", stderr);
        return 2;
    }
    try {
        const FIX::SessionSettings settings = session_settings(false, std::atoi(argv[1]), argv[2]);
        const std::chrono::milliseconds refuses(argc == 4 ? std::atoi(argv[3]) : 0);
        Venue venue(argc == 4 ? &refuses : nullptr);
        FIX::FileStoreFactory store(settings);
        FIX::FileLogFactory log(settings);
        FIX::SocketAcceptor acceptor(venue, store, settings, log);
        if (argc == 4) {
            FIX::Session *session = FIX::Session::lookupSession(session_id(false));
            session->setNextTargetMsgSeqNum(std::max(1, session->getExpectedTargetNum() - 20));
        }
        acceptor.start();
        std::thread([&] { venue.act(session_id(false)); }).detach();
        std::puts("listens");
        std::fflush(stdout);
        char byte;
        while (::read(STDIN_FILENO, &byte, 1) > 0) {
        }
        std::printf("%d\n", venue.resent_orders());
        std::fflush(stdout);
        std::_Exit(0); // the thread goes with the process
    } catch (const std::exception &mistake) {
        std::fprintf(stderr, "venue: %s\n", mistake.what());
        return 2;
    }
}
