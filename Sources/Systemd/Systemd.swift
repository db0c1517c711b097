// Systemd: what the service manager is told, and how its journal wants to be written to. Without one, the notifier
// does nothing, and log lines are for a terminal.
//
// The protocol is that of sd_notify(3): one datagram of `NAME=value` lines to the socket that NOTIFY_SOCKET
// names. It is ten lines of sockets, and spares the dependency on libsystemd.

import Glibc

/// Sends the state of this process to the service manager that started it.
package struct ServiceNotifier: Sendable {
    private let address: [UInt8]?
    /// How long the service manager waits for `watchdog()` before it kills; nil where it does not wait.
    package let watchdogTimeout: Duration?

    /// - Parameters:
    ///   - socket: the value of NOTIFY_SOCKET; a path, or a name after `@` in Linux' abstract namespace.
    ///   - watchdogMicroseconds: the value of WATCHDOG_USEC.
    package init(socket: String?, watchdogMicroseconds: String? = nil) {
        watchdogTimeout = watchdogMicroseconds.flatMap { Int64($0) }.flatMap {
            $0 > 0 ? .microseconds($0) : nil
        }
        guard let socket, let first = socket.utf8.first,
            first == UInt8(ascii: "/") || first == UInt8(ascii: "@"),
            socket.utf8.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path)
        else {
            address = nil
            return
        }
        var bytes = Array(socket.utf8)
        if first == UInt8(ascii: "@") { bytes[0] = 0 }
        address = bytes
    }

    /// The notifier of this process.
    package static let current = ServiceNotifier(
        socket: environment("NOTIFY_SOCKET"),
        // The watchdog may be meant for another process, whose child this is.
        watchdogMicroseconds: environment("WATCHDOG_PID").map { Int32($0) == getpid() } ?? true
            ? environment("WATCHDOG_USEC") : nil)

    /// Whether there is a service manager, which starts the agent again where it has to be.
    package var isPresent: Bool { address != nil }

    /// Tells nobody.
    package static let none = ServiceNotifier(socket: nil)

    private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// One line for `systemctl status`. A lost message is no error: the state is told again.
    package func status(_ text: String) {
        send("STATUS=\(text.map { $0.isNewline ? " " : String($0) }.joined())")
    }

    /// Start-up, or reading the settings again, is over.
    package func ready() { send("READY=1") }

    /// The settings are being read again; `ready` follows.
    package func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)")
    }

    package func stopping() { send("STOPPING=1") }

    /// This process is alive and at work.
    package func watchdog() {
        if watchdogTimeout != nil { send("WATCHDOG=1") }
    }

    private func send(_ message: String) {
        guard let path = address else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + path.count)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                _ = sendto(descriptor, message, message.utf8.count, Int32(MSG_NOSIGNAL), target, length)
            }
        }
    }
}
