import CSandbox
import Files
import Glibc
import Products
import Synchronization

/// A process that looks at files for the agent. Where a disk does not answer, it is the process that hangs, which not even
/// SIGKILL ends before the disk does: the agent loses an answer, and can go on and end.
///
/// May be asked from several threads; one after another is answered.
package final class FileWorker: Sendable {
    /// What a file is like.
    package struct Stamp: Hashable, Sendable {
        package let bytes: Int
        /// When it was changed last.
        package let seconds: Int
        package let nanoseconds: Int
    }

    private struct State {
        var running: (process: pid_t, channel: Int32)?
        /// Those that were killed and have not ended yet, with the path that they hang at.
        var hanging: [(process: pid_t, path: String)] = []
    }

    /// How many may hang before no other is started.
    private static let mostHanging = 4

    private let program: String
    private let argument: String
    private let state = Mutex(State())

    /// - Parameters:
    ///   - program: what to run, when it is first asked; `argument` has it call `FileWorkerMain.run`.
    package init(program: String, argument: String) {
        (self.program, self.argument) = (program, argument)
    }

    deinit {
        state.withLock { state in
            // It ends when its channel does.
            if let running = state.running { Self.end(running) }
        }
    }

    /// The process that answers; nil where none has been started, or the last has ended.
    var process: pid_t? { state.withLock { $0.running?.process } }

    /// What a file is like now; nil where there is none that may be looked at, or something else than a file.
    ///
    /// - Parameter timeoutSeconds: how long the answer may take.
    package func stamp(of path: String, timeoutSeconds: Int) throws(FileWorkerFailure) -> Stamp? {
        try ask(.stamp, path, timeoutSeconds) { (next) throws(FileWorkerFailure) in
            try Self.stamp(in: try next())
        }
    }

    /// A file's bytes, and what it was like before they were read; nil where there is none that may be read.
    ///
    /// - Parameters:
    ///   - limit: how many bytes it may have.
    ///   - timeoutSeconds: how long that may take, from the question to the last byte.
    package func contents(
        of path: String, limit: Int, timeoutSeconds: Int
    ) throws(FileWorkerFailure) -> (stamp: Stamp, bytes: [UInt8])? {
        try ask(.contents, path, timeoutSeconds) { (next) throws(FileWorkerFailure) in
            guard let stamp = try Self.stamp(in: try next()) else { return nil }
            var bytes: [UInt8] = []
            while true {
                let part = try next()
                switch part.first.flatMap(FileWorkerMain.Answer.init(rawValue:)) {
                case .part:
                    guard bytes.count + part.count - 1 <= limit else { throw .tooLarge(limit: limit) }
                    bytes += part.dropFirst()
                case .end: return (stamp, bytes)
                case .nothing: return nil
                case .failed: throw Self.failure(in: part)
                case .stamp, nil: throw .lost
                }
            }
        }
    }

    private static func stamp(in answer: [UInt8]) throws(FileWorkerFailure) -> Stamp? {
        switch answer.first.flatMap(FileWorkerMain.Answer.init(rawValue:)) {
        case .nothing: return nil
        case .failed: throw failure(in: answer)
        case .stamp where answer.count == 25:
            let numbers = stride(from: 1, to: 25, by: 8).map {
                Message.number(Array(answer[$0..<$0 + 8])) ?? 0
            }
            return Stamp(bytes: numbers[0], seconds: numbers[1], nanoseconds: numbers[2])
        default: throw .lost
        }
    }

    private static func failure(in answer: [UInt8]) -> FileWorkerFailure {
        answer.count == 9 ? .failed(errno: Int32(Message.number(Array(answer.dropFirst())) ?? 0)) : .lost
    }

    private func ask<Value: Sendable>(
        _ question: FileWorkerMain.Question, _ path: String, _ timeoutSeconds: Int,
        _ take: (() throws(FileWorkerFailure) -> [UInt8]) throws(FileWorkerFailure) -> Value?
    ) throws(FileWorkerFailure) -> Value? {
        // There is no longer path, and a message has its limit too.
        guard path.utf8.count < PATH_MAX else { return nil }
        let result = state.withLock { state -> Result<Value?, FileWorkerFailure> in
            do throws(FileWorkerFailure) {
                return .success(try exchange(&state, question, path, timeoutSeconds, take))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func exchange<Value>(
        _ state: inout State, _ question: FileWorkerMain.Question, _ path: String, _ timeoutSeconds: Int,
        _ take: (() throws(FileWorkerFailure) -> [UInt8]) throws(FileWorkerFailure) -> Value
    ) throws(FileWorkerFailure) -> Value {
        let end = ContinuousClock.now + .seconds(timeoutSeconds)
        state.hanging.removeAll { Self.hasEnded($0.process) }
        guard state.hanging.count < Self.mostHanging, !state.hanging.contains(where: { $0.path == path })
        else {
            // Another would hang as well.
            throw .silent(seconds: timeoutSeconds)
        }
        let running = try start(&state)
        do throws(FileWorkerFailure) {
            guard Message.send([question.rawValue] + Array(path.utf8), to: running.channel) else {
                throw .lost
            }
            return try take { () throws(FileWorkerFailure) in
                switch Message.receive(from: running.channel, until: end) {
                case .message(let bytes): return bytes
                case .timeout: throw .silent(seconds: timeoutSeconds)
                case .closed, .tooLong: throw .lost
                }
            }
        } catch {
            if case .failed = error { throw error }  // an answer like others
            // What it says from now on would be taken for an answer to another question.
            state.running = nil
            if !Self.end(running) { state.hanging.append((running.process, path)) }
            throw error
        }
    }

    private func start(_ state: inout State) throws(FileWorkerFailure) -> (process: pid_t, channel: Int32) {
        if let running = state.running { return running }
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0
        else {
            throw .cannotStart(errno: errno)
        }
        var process: pid_t = 0
        let error = imgrec_spawn_worker(program, argument, ends[1], ends[1], ends[1], &process)
        close(ends[1])
        guard error == 0 else {
            close(ends[0])
            throw .cannotStart(errno: error)
        }
        state.running = (process, ends[0])
        return (process, ends[0])
    }

    /// Ends a process. Returns false where it has not ended at once.
    @discardableResult
    private static func end(_ running: (process: pid_t, channel: Int32)) -> Bool {
        close(running.channel)
        kill(running.process, SIGKILL)
        let end = ContinuousClock.now + .milliseconds(200)
        while !hasEnded(running.process) {
            guard .now < end else { return false }
            usleep(1000)
        }
        return true
    }

    private static func hasEnded(_ process: pid_t) -> Bool {
        var status: Int32 = 0
        return waitpid(process, &status, WNOHANG) != 0
    }
}

/// Why there is no answer.
package enum FileWorkerFailure: Error, Hashable {
    case silent(seconds: Int)
    /// The process ended.
    case lost
    /// The disk answers that it cannot.
    case failed(errno: Int32)
    case cannotStart(errno: Int32)
    case tooLarge(limit: Int)

    /// What an errno of looking at a file, or of reading it, says; nil where it says that there is no such file, or none for us.
    /// All else may pass.
    package init?(looking number: Int32) {
        guard !isFinding(errno: number) else { return nil }
        self = .failed(errno: number)
    }
}

/// The process that `FileWorker` starts.
package enum FileWorkerMain {
    enum Question: UInt8 {
        case stamp = 0x73
        case contents = 0x72
    }

    enum Answer: UInt8 {
        case nothing = 0x6E
        case stamp = 0x66
        case failed = 0x78
        case part = 0x70
        case end = 0x65
    }

    /// Answers until the agent is gone.
    package static func run() -> Never {
        let channel = Int32(IMGREC_WORKER_CHANNEL)
        while case .message(let bytes) = Message.receive(from: channel) {
            guard let question = bytes.first.flatMap(Question.init(rawValue:)) else { exit(64) }
            let path = String(decoding: bytes.dropFirst(), as: UTF8.self)
            guard answer(question, path, to: channel) else { exit(0) }
        }
        exit(0)
    }

    /// Returns false where nobody hears the answer.
    static func answer(
        _ question: Question, _ path: String, to channel: Int32, files: any FileCalls = SystemFiles()
    ) -> Bool {
        switch question {
        case .stamp: Message.write(stamp(of: path, files), to: channel)
        case .contents: sendContents(of: path, to: channel, files)
        }
    }

    private static func stamp(of path: String, _ files: any FileCalls) -> [UInt8] {
        var status = stat()
        return files.fstatat(AT_FDCWD, path, &status, 0) == 0 ? stamp(status) : failure(errno)
    }

    private static func stamp(_ status: stat) -> [UInt8] {
        guard status.st_mode & S_IFMT == S_IFREG else { return [Answer.nothing.rawValue] }
        return [Answer.stamp.rawValue] + Message.number(Int(status.st_size))
            + Message.number(status.st_mtim.tv_sec) + Message.number(status.st_mtim.tv_nsec)
    }

    private static func failure(_ number: Int32) -> [UInt8] {
        FileWorkerFailure(looking: number) == nil
            ? [Answer.nothing.rawValue] : [Answer.failed.rawValue] + Message.number(Int(number))
    }

    /// The stamp comes first: a change while it is read is noticed later.
    private static func sendContents(of path: String, to channel: Int32, _ files: any FileCalls) -> Bool {
        let descriptor = files.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
        defer { if descriptor >= 0 { close(descriptor) } }
        var status = stat()
        guard descriptor >= 0, files.fstat(descriptor, &status) == 0 else {
            return Message.write(failure(errno), to: channel)
        }
        let first = stamp(status)
        guard Message.write(first, to: channel) else { return false }
        guard first[0] == Answer.stamp.rawValue else { return true }
        var buffer = [UInt8](repeating: Answer.part.rawValue, count: Message.longest)
        while true {
            let (count, failed) = buffer.withUnsafeMutableBytes {
                files.readAll(descriptor, UnsafeMutableRawBufferPointer(rebasing: $0.dropFirst()))
            }
            if let failed { return Message.write(failure(failed), to: channel) }
            guard count > 0 else { return Message.write([Answer.end.rawValue], to: channel) }
            guard Message.write(Array(buffer[...count]), to: channel) else { return false }
        }
    }
}
