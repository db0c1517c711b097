import Glibc
import TestSupport
import Testing

@testable import Systemd

@Suite("Telling the service manager")
struct ServiceNotifierTests {
    @Test("a status is one datagram of one line")
    func status() throws {
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
        ServiceNotifier(socket: path).status("embedded 1 of 2\nREADY=1")
        var buffer = [UInt8](repeating: 0, count: 200)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        #expect(
            String(decoding: buffer.prefix(max(0, count)), as: UTF8.self) == "STATUS=embedded 1 of 2 READY=1")
    }

    @Test(
        "without a service manager nothing happens",
        arguments: [nil, "", "relative", "/nowhere/socket", String(repeating: "/x", count: 200)])
    func absent(socket: String?) {
        ServiceNotifier(socket: socket).status("x")
    }
}
