// The settings of a FIX session, in memory.
#pragma once

#include <quickfix/SessionID.h>
#include <quickfix/SessionSettings.h>
#include <sstream>
#include <string>

inline FIX::SessionID session_id(bool is_trader) {
    return is_trader ? FIX::SessionID("FIX.4.4", "TRADER", "VENUE") : FIX::SessionID("FIX.4.4", "VENUE", "TRADER");
}

inline FIX::SessionSettings session_settings(bool is_trader, int port, const std::string &folder) {
    std::ostringstream text;
    text << "[DEFAULT]\n"
         << "ConnectionType=" << (is_trader ? "initiator" : "acceptor") << "\n"
         << "FileStorePath=" << folder << "/store\n"
         << "FileLogPath=" << folder << "/log\n"
         << "StartTime=00:00:00\nEndTime=00:00:00\nHeartBtInt=5\nReconnectInterval=1\n"
         << "UseDataDictionary=N\nSocketNodelay=Y\n"
         << "SocketConnectHost=127.0.0.1\nSocketConnectPort=" << port << "\n"
         << "SocketAcceptPort=" << port << "\nSocketReuseAddress=Y\n"
         << "[SESSION]\nBeginString=FIX.4.4\n"
         << "SenderCompID=" << (is_trader ? "TRADER" : "VENUE") << "\n"
         << "TargetCompID=" << (is_trader ? "VENUE" : "TRADER") << "\n";
    std::istringstream stream(text.str());
    return FIX::SessionSettings(stream);
}
