import Glibc
import TestSupport
import Testing

@testable import Systemd

@Suite("Telling the service manager")
struct ServiceNotifierTests {
    /// What a notifier sends.
    private func sent(watchdog: String? = nil, _ send: (ServiceNotifier) -> Void) throws -> [String] {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/notify"
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
        send(ServiceNotifier(socket: path, watchdogMicroseconds: watchdog))
        var messages: [String] = []
        var buffer = [UInt8](repeating: 0, count: 200)
        while case let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT)), count > 0 {
            messages.append(String(decoding: buffer.prefix(count), as: UTF8.self))
        }
        return messages
    }

    @Test("a status is one datagram of one line")
    func status() throws {
        #expect(try sent { $0.status("embedded 1 of 2\nREADY=1") } == ["STATUS=embedded 1 of 2 READY=1"])
    }

    @Test("start, reload and stop are told in the words of sd_notify")
    func states() throws {
        let messages = try sent {
            $0.ready()
            $0.reloading()
            $0.stopping()
        }
        #expect(messages.count == 3 && messages[0] == "READY=1" && messages[2] == "STOPPING=1")
        #expect(messages[1].wholeMatch(of: /RELOADING=1\nMONOTONIC_USEC=[0-9]+/) != nil)
    }

    @Test("the watchdog is told only where there is one")
    func watchdog() throws {
        #expect(try sent(watchdog: "3000000") { $0.watchdog() } == ["WATCHDOG=1"])
        for none in [nil, "", "0", "-1", "x"] { #expect(try sent(watchdog: none) { $0.watchdog() } == []) }
        #expect(
            ServiceNotifier(socket: nil, watchdogMicroseconds: "3000000").watchdogTimeout == .seconds(3))
    }

    @Test(
        "without a service manager nothing happens",
        arguments: [nil, "", "relative", "/nowhere/socket", String(repeating: "/x", count: 200)])
    func absent(socket: String?) {
        ServiceNotifier(socket: socket).status("x")
    }
}
