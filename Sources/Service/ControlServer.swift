import Catalogue
import Control
import FlyingFox
import FlyingSocks
import Foundation
import Logging
import Products
import ServiceLifecycle
import Settings
import Synchronization
import Threads

/// Answers on the control socket: a Unix socket, never one of a network.
struct ControlServer: Service {
    let path: String
    let agent: AgentService
    let log: Logger
    private let slots = AnswerSlots()

    init(path: String, agent: AgentService, log: Logger) {
        (self.path, self.agent, self.log) = (path, agent, log)
    }

    /// Between the end of a server that failed and the next one.
    private static let pause = Duration.seconds(1)
    /// In seconds. Who asks knows how long to wait; removing millions of vectors takes long.
    private static let longestAnswer: Double = 86_400

    private enum Event { case listening, ended }

    /// Takes the socket's place, and removes one there that nobody listens on.
    ///
    /// - Returns: what keeps another agent from taking it too.
    static func takeSocket(_ settings: Settings) throws -> FolderLock {
        let lock = try FolderLock(settings.runtimeFolder, stateFolder: settings.state.folder)
        let (folder, socket) = (settings.runtimeFolder, settings.controlSocket)
        let limit = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1
        guard socket.utf8.count <= limit else {
            throw ServiceError.cannotServe(
                socket: socket, reason: "the path is longer than the \(limit) bytes that a socket's may have")
        }
        guard access(folder, W_OK | X_OK) == 0 else {
            throw ServiceError.cannotServe(socket: socket, reason: errnoText(errno))
        }
        // Throws where somebody listens whom we may not speak to.
        if try ControlClient(settings: settings) != nil {
            throw LockError.busy(stateFolder: settings.state.folder)
        }
        var status = stat()
        if lstat(socket, &status) == 0, status.st_mode & S_IFMT != S_IFSOCK {
            throw ServiceError.cannotServe(
                socket: socket, reason: "something else lies there",
                remedy: "Move it away, or correct runtime.folder.")
        }
        guard unlink(socket) == 0 || errno == ENOENT else {
            throw ServiceError.cannotServe(socket: socket, reason: errnoText(errno))
        }
        return lock
    }

    func run() async throws {
        var hasListened = false
        while true {
            do {
                try await serve { hasListened = true }
            } catch  where hasListened && !Task.isShuttingDownGracefully && !Task.isCancelled {
                // An error that accept(2) gives, as for want of descriptors, ends the server.
                log.error("the control socket failed: \(error); it is opened again")
                try await Task.sleep(for: Self.pause)
                unlink(path)
                continue
            } catch  where !hasListened {
                throw ServiceError.cannotServe(socket: path, reason: "\(error)")
            } catch {}
            break
        }
        unlink(path)
    }

    /// Answers until it is to stop, or until it cannot any more.
    private func serve(onListening: () -> Void) async throws {
        let server = await makeServer()
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Event.self) { group in
                group.addTask {
                    try await server.run()
                    return .ended
                }
                group.addTask {
                    try await server.waitUntilListening()
                    return .listening
                }
                defer { group.cancelAll() }
                while case .listening? = try await group.next() {
                    // Until now nobody but the owner could connect.
                    chmod(path, 0o660)
                    onListening()
                    agent.controlIsListening()
                }
            }
        } onGracefulShutdown: {
            Task { await server.stop(timeout: 1) }
        }
    }

    private func makeServer() async -> HTTPServer {
        let server = HTTPServer(
            address: .unix(path: path), timeout: Self.longestAnswer, logger: .disabled)
        await server.appendRoute("GET /status") { _ in
            try await looking { try answer(try agent.status()) }
        }
        await server.appendRoute("GET /metrics") { _ in
            try await looking {
                HTTPResponse(
                    statusCode: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
                    body: Data(try agent.metrics().utf8))
            }
        }
        await server.appendRoute("POST /prune") { _ in
            try await looking { try answer(try agent.prune()) }
        }
        await server.appendRoute("GET /healthz") { _ in
            let isWell = agent.isWell
            return HTTPResponse(
                statusCode: isWell ? .ok : .serviceUnavailable, headers: [.contentType: "text/plain"],
                body: Data((isWell ? "ok\n" : "trouble; see /status\n").utf8))
        }
        await server.appendRoute("POST /reconcile") { request in
            let allows = request.query.contains { $0.name == "allow-mass-removal" && $0.value == "1" }
            return HTTPResponse(
                statusCode: .ok, headers: [.contentType: "application/x-ndjson"],
                body: HTTPBodySequence(from: ReconcileLines(lines: reconcile(allowsMassRemoval: allows))))
        }
        return server
    }

    /// Asks for a comparison of everything, and gives back what is said of it.
    private func reconcile(allowsMassRemoval: Bool) -> AsyncStream<ControlMessage.Line> {
        let (lines, continuation) = AsyncStream.makeStream(
            of: ControlMessage.Line.self, bufferingPolicy: .bufferingNewest(64))
        let request = ReconcileRequest(allowsMassRemoval: allowsMassRemoval) { event in
            switch event {
            case .progress(let progress):
                continuation.yield(ControlMessage.Line(progress: progress))
            case .done(let report):
                continuation.yield(ControlMessage.Line(report: report))
                continuation.finish()
            case .failed(let error):
                continuation.yield(ControlMessage.Line(error: ControlMessage.Failure(error)))
                continuation.finish()
            }
        }
        guard slots.begin() else {
            let refusal = AnswerSlots.refusal
            request.end(.failure(ControlError.remote(message: refusal.message, refusal.exitCode)))
            return lines
        }
        do {
            // It may wait for a lock, behind somebody who waits for a disk.
            try OwnThread("ask") { [agent, slots] in
                agent.ask(request)
                slots.end()
            }
        } catch {
            slots.end()
            request.end(.failure(error))
        }
        return lines
    }

    /// Answers from a thread that may wait for the disk; those that others share may not. Where too many wait already, and
    /// the disk perhaps does not answer at all, says so.
    private func looking(_ body: @escaping @Sendable () throws -> HTTPResponse) async throws -> HTTPResponse {
        guard slots.begin() else { return try refuse(AnswerSlots.refusal, .serviceUnavailable) }
        defer { slots.end() }
        do {
            return try await onOwnThread("look", body)
        } catch {
            return try refuse(ControlMessage.Failure(error), .internalServerError)
        }
    }

    private func refuse(_ failure: ControlMessage.Failure, _ status: HTTPStatusCode) throws -> HTTPResponse {
        HTTPResponse(
            statusCode: status, headers: [.contentType: "application/json"],
            body: try JSONEncoder().encode(failure))
    }

    private func answer(_ value: some Encodable) throws -> HTTPResponse {
        HTTPResponse(
            statusCode: .ok, headers: [.contentType: "application/json"],
            body: try JSONEncoder().encode(value))
    }
}

/// Counts who is being answered on a thread that may wait.
private final class AnswerSlots: Sendable {
    private static let most = 16
    static let refusal = ControlMessage.Failure(
        message: "too many others are waiting for an answer. Ask again in a moment.", exitCode: .tryAgain)
    private let count = Mutex(0)

    func begin() -> Bool {
        count.withLock {
            guard $0 < Self.most else { return false }
            $0 += 1
            return true
        }
    }

    func end() { count.withLock { $0 -= 1 } }
}

/// The lines of a streamed answer, as they come.
private struct ReconcileLines: AsyncBufferedSequence {
    typealias Element = UInt8

    let lines: AsyncStream<ControlMessage.Line>

    func makeAsyncIterator() -> Iterator { Iterator(lines: lines.makeAsyncIterator()) }

    struct Iterator: AsyncBufferedIteratorProtocol {
        var lines: AsyncStream<ControlMessage.Line>.Iterator
        private var rest: ArraySlice<UInt8> = []

        init(lines: AsyncStream<ControlMessage.Line>.Iterator) { self.lines = lines }

        mutating func next() async throws -> UInt8? {
            if rest.isEmpty { rest = try await nextBuffer(suggested: 1)?[...] ?? [] }
            return rest.popFirst()
        }

        mutating func nextBuffer(suggested count: Int) async throws -> [UInt8]? {
            if !rest.isEmpty {
                defer { rest = [] }
                return Array(rest)
            }
            guard let line = await lines.next() else { return nil }
            return Array(try JSONEncoder().encode(line)) + [UInt8(ascii: "\n")]
        }
    }
}
