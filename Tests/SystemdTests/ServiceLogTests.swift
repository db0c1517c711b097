import Glibc
import Logging
import TestSupport
import Testing

@testable import Systemd

@Suite("The log of a service")
struct ServiceLogTests {
    /// What is written for a message, to a file that the service manager names or not.
    private func written(_ message: String, level: Logger.Level = .info, isForJournal: Bool) throws -> String
    {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/log"
        let descriptor = open(path, O_CREAT | O_RDWR, 0o600)
        defer { close(descriptor) }
        var file = stat()
        try #require(fstat(descriptor, &file) == 0)
        let stream = isForJournal ? "\(file.st_dev):\(file.st_ino)" : "\(file.st_dev):\(file.st_ino + 1)"
        var log = Logger(label: "test") { _ in
            ServiceLog(level: .debug, descriptor: descriptor, journalStream: stream)
        }
        log.logLevel = .debug
        log.log(level: level, "\(message)")
        var bytes = [UInt8](repeating: 0, count: 1000)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    @Test(
        "lines for the journal carry the priority of syslog",
        arguments: [
            (Logger.Level.debug, 7), (.info, 6), (.notice, 5), (.warning, 4), (.error, 3), (.critical, 2),
        ])
    func priorities(level: Logger.Level, priority: Int) throws {
        #expect(try written("ready", level: level, isForJournal: true) == "<\(priority)>ready\n")
    }

    @Test("lines for a person carry the time and the level")
    func person() throws {
        let line = try written("ready", level: .warning, isForJournal: false)
        #expect(line.wholeMatch(of: /\d\d:\d\d:\d\d warning: ready\n/) != nil, "\(line)")
    }

    @Test("each line is a record of its own, and a name cannot move a terminal's cursor or forge a record")
    func control() throws {
        #expect(
            try written("a\n<0>b\u{1B}[2J\u{7F}", isForJournal: true) == "<6>a\n<6><0>b?[2J?\n")
    }
}
