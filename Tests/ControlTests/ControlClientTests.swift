import Foundation
import Products
import Settings
import Synchronization
import TestSupport
import Testing

@testable import Control

/// An agent that says what a test wants, and falls silent or goes away where it wants.
private final class ScriptedAgent: Sendable {
    enum Step: Sendable {
        case say(String)
        case pause(Duration)
        /// Nothing more is said, and the connection stays.
        case fallSilent
    }

    private let listener: Int32
    private let isOver = Atomic(false)
    private let asked = Mutex<[String]>([])

    /// - Parameter script: by the request's first line, and how many came before it.
    init(at path: String, script: @escaping @Sendable (String, Int) -> [Step]) throws {
        listener = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) }
        }
        try #require(result == 0 && listen(listener, 16) == 0)
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0, !isOver.load(ordering: .relaxed) else { return }
                Thread.detachNewThread { [self] in answer(connection, script) }
            }
        }
    }

    /// The requests that came.
    var requests: [String] { asked.withLock { $0 } }

    func stop() {
        isOver.store(true, ordering: .relaxed)
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func answer(_ connection: Int32, _ script: (String, Int) -> [Step]) {
        defer { close(connection) }
        var request = ""
        var buffer = [UInt8](repeating: 0, count: 1024)
        while !request.contains("\r\n\r\n") {
            let count = read(connection, &buffer, buffer.count)
            guard count > 0 else { return }
            request += String(decoding: buffer[..<count], as: UTF8.self)
        }
        let line = String(request.prefix { !$0.isNewline })
        let before = asked.withLock {
            $0.append(line)
            return $0.count - 1
        }
        for step in script(line, before) {
            switch step {
            case .say(let text):
                guard send(connection, text, text.utf8.count, Int32(MSG_NOSIGNAL)) > 0 else { return }
            case .pause(let time): usleep(UInt32(time.seconds * 1e6))
            case .fallSilent: while read(connection, &buffer, buffer.count) > 0 {}
            }
        }
    }
}

@Suite("Speaking to an agent", .inLanes)
struct ControlClientTests {
    private let folder: TemporaryFolder
    private let settings: Settings
    private var socket: String { settings.controlSocket }

    init() throws {
        folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: "\(folder.path)/state", withIntermediateDirectories: true)
        settings = try Settings(
            """
            images.folder = "photos"
            output.folder = "out"
            state.folder = "state"
            runtime.timeout_seconds = 120
            """, file: "\(folder.path)/shop.toml")
    }

    private func agent(_ script: @escaping @Sendable (String, Int) -> [ScriptedAgent.Step]) throws
        -> ScriptedAgent
    { try ScriptedAgent(at: socket, script: script) }

    /// - Parameter isPatient: whether it waits for as long as tests do; else for a second.
    private func client(isPatient: Bool = true) throws -> ControlClient {
        var settings = settings
        if !isPatient { settings.runtime.timeout = .seconds(1) }
        guard let client = try ControlClient(settings: settings) else { throw NobodyListens() }
        return client
    }

    private struct NobodyListens: Error {}

    private func ok(_ body: String) -> String {
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n\(body)"
    }

    private func json(_ value: some Encodable) throws -> String {
        String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
    }

    private func chunked(_ lines: [String]) -> String {
        let chunks = lines.map { "\(String($0.utf8.count + 1, radix: 16))\r\n\($0)\n\r\n" }.joined()
        return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(chunks)0\r\n\r\n"
    }

    @Test("where no socket is, one that nobody listens on, or a path no socket can have, there is no agent")
    func nobody() throws {
        #expect(throws: NobodyListens.self) { _ = try client() }
        let agent = try agent { _, _ in [] }
        _ = try client()
        agent.stop()
        #expect(FileManager.default.fileExists(atPath: socket))
        #expect(throws: NobodyListens.self) { _ = try client() }
        let deep = "\(folder.path)/\(String(repeating: "x", count: 120))"
        try FileManager.default.createDirectory(atPath: deep, withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: "\(deep)/\(ControlMessage.socketName)"))
        var far = settings
        far.runtime.folder = deep
        let none = try ControlClient(settings: far) == nil
        #expect(none)
    }

    @Test("a status is what the agent says, and one that many others ask is asked again")
    func status() throws {
        var report = StatusReport(settings: settings)
        (report.products, report.failed) = (3, [.init(path: "ä\n.jpg", reason: "no", attempts: 2)])
        let (busy, answer) = (
            try json(ControlMessage.Failure(message: "ask again", exitCode: .tryAgain)), try json(report)
        )
        let agent = try agent { [ok] _, before in
            before < 2
                ? [.say("HTTP/1.1 503 Busy\r\n\r\n\(busy)")] : [.say(ok(answer))]
        }
        defer { agent.stop() }
        #expect(try client().status() == report)
        #expect(agent.requests == Array(repeating: "GET /status HTTP/1.1", count: 3))
    }

    @Test("what the agent says is wrong is what the command says, with its exit code")
    func remote() throws {
        let failure = try json(ControlMessage.Failure(message: "the disk is full", exitCode: .inputOutput))
        let agent = try agent { line, _ in
            [.say("HTTP/1.1 500 Error\r\n\r\n\(line.contains("status") ? failure : "oops")")]
        }
        defer { agent.stop() }
        #expect(throws: ControlError.remote(message: "the disk is full", .inputOutput)) {
            _ = try client().status()
        }
        let error = #expect(throws: ControlError.self) { _ = try client().prune() }
        #expect(error?.description.contains("it answers: HTTP/1.1 500 Error") == true)
    }

    @Test("an answer that is cut off anywhere is an error, never another answer")
    func cut() throws {
        var report = ReconcileReport()
        report.added = 12
        let lines = [
            try json(ControlMessage.Line(progress: .embedding(done: 1, of: 2))),
            try json(ControlMessage.Line(report: report)),
        ]
        let whole = chunked(lines)
        // After its last line nothing is missing that says anything.
        let complete = whole.utf8.count - "\r\n0\r\n\r\n".utf8.count
        let asked = Atomic(0)
        let agent = try agent { _, before in
            asked.store(before, ordering: .sequentiallyConsistent)
            return [.say(String(decoding: whole.utf8.prefix(before), as: UTF8.self))]
        }
        defer { agent.stop() }
        for length in 0...whole.utf8.count {
            do throws(ControlError) {
                let answer = try ControlClient(settings: settings)?.reconcile(allowsMassRemoval: false) { _ in
                }
                #expect(length >= complete && answer == report, "cut after \(length) bytes")
            } catch {
                #expect(length < complete, "cut after \(length) bytes: \(error)")
                #expect(error.description.contains("went away"), "\(error)")
            }
        }
        let last = asked.load(ordering: .sequentiallyConsistent)
        #expect(last == whole.utf8.count)
    }

    @Test(
        "an agent that says nothing, or only a little now and then, is waited for no longer than the settings say"
    )
    func silent() throws {
        let agent = try agent { [ok] line, before in
            if before % 2 == 0 { return [.fallSilent] }
            // It drips: each byte is one more, and no head comes of it.
            return ok("{}").prefix(12).flatMap { [.say(String($0)), .pause(.milliseconds(300))] }
                + [.fallSilent]
        }
        defer { agent.stop() }
        for _ in 0..<2 {
            let start = ContinuousClock.now
            #expect(throws: ControlError.noAnswer(socket: socket, seconds: 1)) {
                _ = try client(isPatient: false).status()
            }
            #expect(ContinuousClock.now - start >= .seconds(1))
        }
    }

    @Test("work that takes long is waited for while the agent is alive, and no longer")
    func long() throws {
        let report = ReconcileReport()
        let lines = [
            try json(ControlMessage.Line(progress: .ranking(done: 1, of: 2))),
            try json(ControlMessage.Line(report: report)),
        ]
        let isAlive = Atomic(true)
        let text = chunked(lines)
        let agent = try agent { line, _ in
            if line.contains("/healthz") {
                return isAlive.load(ordering: .relaxed)
                    ? [.say("HTTP/1.1 503 Trouble\r\n\r\n")] : [.fallSilent]
            }
            guard line.contains("allow-mass-removal=1") else {
                return [.say(String(text.prefix(100))), .fallSilent]
            }
            let half = text.count / 2
            return [
                .say(String(text.prefix(half))), .pause(.milliseconds(2500)),
                .say(String(text.dropFirst(half))),
            ]
        }
        defer { agent.stop() }
        var progress: [ReconcileProgress] = []
        #expect(
            try client(isPatient: false).reconcile(allowsMassRemoval: true) { progress.append($0) } == report)
        #expect(progress == [.ranking(done: 1, of: 2)])
        #expect(agent.requests.contains { $0.contains("/healthz") })
        isAlive.store(false, ordering: .relaxed)
        #expect(throws: ControlError.noAnswer(socket: socket, seconds: 1)) {
            _ = try client(isPatient: false).reconcile(allowsMassRemoval: false) { _ in }
        }
    }

    @Test("what is no agent is no agent, however much it says")
    func garbage() throws {
        let answers = [
            "garbage\r\n\r\n{}", "HTTP/1.1 200 OK\r\n\r\nno JSON", "HTTP/1.1 200 OK\r\n\r\n{}",
            String(repeating: "x", count: 200_000),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + String(repeating: "1", count: 200_000),
        ]
        let agent = try agent { _, before in [.say(answers[before])] }
        defer { agent.stop() }
        for _ in answers {
            let error = #expect(throws: ControlError.self) { _ = try client().status() }
            #expect(error?.systemExit == .unavailable)
        }
    }
}
