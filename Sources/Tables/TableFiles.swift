import Files
import Foundation
import Products
import Sandbox
import Settings
import Synchronization

/// How tables that the settings name are looked at.
package protocol TableFiles: Sendable {
    /// What a file is like now; nil where there is none.
    func stamp(of file: String) throws(TableError) -> FileStamp?

    /// A file's bytes, and what it was like before they were read; nil where there is none that can be read.
    func contents(of file: String) throws(TableError) -> (stamp: FileStamp, bytes: Data)?
}

/// For commands: whoever waits for them can end them.
package struct DirectTableFiles: TableFiles {
    private let limit: Int
    private let files: any FileCalls

    /// - Parameters:
    ///   - limit: how many bytes a table may have.
    ///   - files: the calls to the file system.
    package init(limit: Int, files: any FileCalls = SystemFiles()) {
        (self.limit, self.files) = (limit, files)
    }

    package func stamp(of file: String) throws(TableError) -> FileStamp? {
        var status = Glibc.stat()
        guard files.fstatat(AT_FDCWD, file, &status, 0) == 0 else { return try none(file, errno) }
        return status.st_mode & S_IFMT == S_IFREG ? FileStamp(status) : nil
    }

    package func contents(of file: String) throws(TableError) -> (stamp: FileStamp, bytes: Data)? {
        // Taken first: a change while it is read is noticed later.
        guard let stamp = try stamp(of: file) else { return nil }
        let (bytes, failure) = files.contents(ofFile: file, limit: limit)
        if failure == EFBIG { throw .notReached(file: file, .tooLarge(limit: limit)) }
        if let failure { return try none(file, failure) }
        return (stamp, Data(bytes))
    }

    private func none<Value>(_ file: String, _ number: Int32) throws(TableError) -> Value? {
        guard let failure = FileWorkerFailure(looking: number) else { return nil }
        throw .notReached(file: file, failure)
    }
}

/// For the running agent, which must not hang where a disk does not answer: a process of its own looks. After a failure the
/// disk is left alone for a while, and the answer is that failure.
package final class PatientTableFiles: TableFiles {
    /// Tells the program to be that process.
    static let command = "look-at-files"

    private struct Failure {
        let error: TableError
        let isOver: ContinuousClock.Instant
    }

    private struct State {
        var failure: Failure?
        /// In a row.
        var failedReadings = 0
    }

    private let worker: FileWorker
    private let timeoutSeconds: Int
    private let limit: Int
    private let state = Mutex(State())

    private static let shortestPause = Duration.seconds(1)
    private static let longestPause = Duration.seconds(60)
    /// How many times as long as it was waited for in vain it is left alone: others have work to do.
    private static let pauseShare = 2

    /// Starts nothing yet.
    package static func worker(executable: String) -> FileWorker {
        FileWorker(program: OwnProgram.runnable(executable), argument: command)
    }

    package init(_ worker: FileWorker, _ settings: Settings) {
        self.worker = worker
        timeoutSeconds = settings.output.attributesTimeoutSeconds
        limit = settings.output.attributesMaxBytes
    }

    package func stamp(of file: String) throws(TableError) -> FileStamp? {
        try asking(file) { () throws(FileWorkerFailure) in
            try worker.stamp(of: file, timeoutSeconds: timeoutSeconds).map(FileStamp.init)
        }
    }

    package func contents(of file: String) throws(TableError) -> (stamp: FileStamp, bytes: Data)? {
        let answer = try asking(file, isReading: true) { () throws(FileWorkerFailure) in
            try worker.contents(of: file, limit: limit, timeoutSeconds: timeoutSeconds).map {
                (FileStamp($0.stamp), Data($0.bytes))
            }
        }
        state.withLock { $0.failedReadings = 0 }
        return answer
    }

    private func asking<Answer>(
        _ file: String, isReading: Bool = false, _ ask: () throws(FileWorkerFailure) -> Answer
    ) throws(TableError) -> Answer {
        let start = ContinuousClock.now
        if let failure = state.withLock({ $0.failure }), start < failure.isOver { throw failure.error }
        do throws(FileWorkerFailure) {
            return try ask()
        } catch {
            let failure = TableError.notReached(file: file, error)
            let now = ContinuousClock.now
            state.withLock {
                if isReading { $0.failedReadings += 1 }
                // A file that can be looked at and not be read is tried ever later.
                let backOff = Self.shortestPause * (1 << min($0.failedReadings, 6))
                let pause = max(min(backOff, Self.longestPause), (now - start) * Self.pauseShare)
                $0.failure = Failure(error: failure, isOver: now + pause)
            }
            throw failure
        }
    }
}

extension FileStamp {
    /// A table that has not changed for so long is taken for whole.
    private static let youngTable = Duration.seconds(1)

    /// Whether somebody may still be writing the table.
    package var isYoungTable: Bool { isYoung(within: Self.youngTable) }

    fileprivate init(_ stamp: FileWorker.Stamp) {
        self.init(bytes: stamp.bytes, seconds: stamp.seconds, nanoseconds: stamp.nanoseconds)
    }
}

/// The process that `PatientTableFiles` starts.
package enum TableWorkerMain {
    /// Whether this process was started to be one.
    package static func isWanted(_ arguments: [String]) -> Bool {
        arguments.count == 2 && arguments[1] == PatientTableFiles.command
    }

    /// Looks at files until the agent is gone.
    package static func run() -> Never { FileWorkerMain.run() }
}
