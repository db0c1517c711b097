import Foundation
import Products
import Settings

/// Speaks to a running agent over its control socket. Waits, but not for an agent that gives no sign of life; for commands.
///
/// FlyingFox's client reads an answer whole before it gives it back, and progress is to be seen while it happens:
/// hence these few lines of HTTP/1.1.
package struct ControlClient: ~Copyable {
    private let socket: String
    /// How long an agent may be silent, and how long all but an answer that takes work may take.
    private let timeout: Duration

    /// Between two tries, in microseconds.
    private static let pause: UInt32 = 100_000
    /// In bytes; a status names each photo that failed.
    private static let longestBody = 1 << 26

    /// Nil where no agent listens.
    ///
    /// - Throws: where one does but does not let us in.
    package init?(settings: Settings) throws(ControlError) {
        socket = settings.controlSocket
        timeout = settings.runtime.timeout
        guard FileManager.default.fileExists(atPath: socket) || access(settings.runtimeFolder, X_OK) != 0
        else {
            return nil
        }
        do throws(ConnectFailure) {
            close(try Self.connect(to: socket, timeout))
        } catch {
            switch error.errno {
            // A socket that nobody listens on was left by an agent that was killed.
            // And where the path is too long for a socket, nobody can listen.
            case ENOENT, ENOTDIR, ECONNREFUSED, ENAMETOOLONG: return nil
            // One listens and takes nobody in any more: a question will show.
            case EAGAIN: break
            case EACCES, EPERM:
                throw .cannotConnect(
                    socket: socket,
                    reason: "you may not use it",
                    remedy:
                        "Run this as root, or join its group with 'usermod --append --groups imgrec-agent USER'."
                )
            default: throw .cannotConnect(socket: socket, reason: errnoText(error.errno))
            }
        }
    }

    /// How the running agent is.
    ///
    /// - Throws: `ControlError.noAnswer` where it gives no sign of life.
    package borrowing func status() throws(ControlError) -> StatusReport {
        let end = ContinuousClock.now + timeout
        while true {
            do throws(ControlError) {
                return try value(of: "GET", "/status")
            } catch {
                // Many others ask.
                guard case .remote(_, .tryAgain) = error, .now < end else { throw error }
                usleep(Self.pause)
            }
        }
    }

    /// Has the vectors of models that are not used any more removed.
    package borrowing func prune() throws(ControlError) -> [PrunedModel] {
        try value(of: "POST", "/prune", takesLong: true)
    }

    /// Has everything compared, and waits until it is published, however long that takes as long as the agent is alive.
    package borrowing func reconcile(
        allowsMassRemoval: Bool, progress: (ReconcileProgress) -> Void
    ) throws(ControlError) -> ReconcileReport {
        var line = Data()
        var last = ControlMessage.Line()
        let target = "/reconcile\(allowsMassRemoval ? "?allow-mass-removal=1" : "")"
        try request("POST", target, takesLong: true) { part in
            var rest = part[...]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                line.append(rest[..<end])
                if let told = try? JSONDecoder().decode(ControlMessage.Line.self, from: line) {
                    last = told
                    if let step = told.progress { progress(step) }
                }
                line = Data()
                rest = rest[(end + 1)...]
            }
            line.append(rest)
            return line.count < Self.longestBody
        }
        if let error = last.error { throw .remote(message: error.message, error.exitCode) }
        guard let report = last.report else {
            throw .cannotConnect(
                socket: socket, reason: "it went away before it was done", remedy: "Run this again.")
        }
        return report
    }

    private borrowing func value<Value: Decodable>(
        of method: String, _ target: String, takesLong: Bool = false
    ) throws(ControlError) -> Value {
        var body = Data()
        try request(method, target, takesLong: takesLong) {
            body.append($0)
            return body.count < Self.longestBody
        }
        do {
            return try JSONDecoder().decode(Value.self, from: body)
        } catch {
            throw .cannotConnect(
                socket: socket, reason: "its answer cannot be understood",
                remedy: "If the agent is of another version than this command, restart the agent.")
        }
    }

    // MARK: HTTP

    /// - Parameters:
    ///   - takesLong: whether silence may mean work. Then it is asked beside whether it is alive.
    ///   - status: what the answer's first line has to have; nil where any will do.
    ///   - body: takes a part of the answer. False where it is no answer of an agent's.
    private borrowing func request(
        _ method: String, _ target: String, takesLong: Bool = false, accepts status: String? = " 200 ",
        _ body: (Data) -> Bool
    ) throws(ControlError) {
        let descriptor: Int32
        do throws(ConnectFailure) { descriptor = try Self.connect(to: socket, timeout) } catch {
            throw failure(error.errno)
        }
        defer { close(descriptor) }
        let head =
            "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        // One write suffices: it is shorter than any socket's buffer.
        guard send(descriptor, head, head.utf8.count, Int32(MSG_NOSIGNAL)) == head.utf8.count else {
            throw failure(errno)
        }
        var answer = Answer(accepts: status)
        // FileHandle would wait until its buffer is full.
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var end = ContinuousClock.now + timeout
        while true {
            let left = end - .now
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = Glibc.poll(&poll, 1, Int32(max(0, left.seconds * 1000).rounded(.up)))
            if ready < 0 && errno == EINTR { continue }
            guard ready > 0, takesLong || left > .zero else {
                guard ready >= 0, takesLong, isAlive() else { throw failure(ready < 0 ? errno : EAGAIN) }
                end = .now + timeout
                continue
            }
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure(errno) }
            guard count > 0 else { break }
            let hadHead = answer.hasHead
            guard answer.take(buffer[..<count], body) else {
                throw .cannotConnect(
                    socket: socket, reason: "its answer is not an agent's, or is too long")
            }
            // The head is a sign of life; and where work is done, so is each word of it.
            if answer.hasHead, takesLong || !hadHead { end = .now + timeout }
        }
        if let objection = answer.objection {
            throw .cannotConnect(socket: socket, reason: objection.reason, remedy: objection.remedy)
        }
        if let failure = answer.failure { throw .remote(message: failure.message, failure.exitCode) }
    }

    /// Whether it answers at all, be it that all is not well.
    private borrowing func isAlive() -> Bool {
        (try? request("GET", "/healthz", accepts: nil) { _ in true }) != nil
    }

    private borrowing func failure(_ number: Int32) -> ControlError {
        number == EAGAIN
            ? .noAnswer(socket: socket, seconds: timeout.seconds)
            : .cannotConnect(socket: socket, reason: errnoText(number))
    }

    private struct ConnectFailure: Error { let errno: Int32 }

    /// - Throws: EAGAIN where nobody takes the connection in time.
    private static func connect(to path: String, _ timeout: Duration) throws(ConnectFailure) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw ConnectFailure(errno: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ConnectFailure(errno: errno) }
        // It holds for connect(2) too, where many wait to be taken in.
        var limit = timeval(tv_sec: Int(timeout.seconds), tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let number = errno
            close(descriptor)
            throw ConnectFailure(errno: number)
        }
        return descriptor
    }
}
