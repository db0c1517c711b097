import Foundation
import Products
import Sandbox
import Settings

/// How tables that the settings name are looked at.
package protocol TableFiles: Sendable {
    /// What a file is like now; nil where there is none.
    func stamp(of file: String) throws(AgentError) -> FileStamp?

    /// A file's bytes, and what it was like before they were read; nil where there is none that can be read.
    func contents(of file: String) throws(AgentError) -> (stamp: FileStamp, bytes: Data)?
}

/// For commands: whoever waits for them can end them.
struct DirectTableFiles: TableFiles {
    func stamp(of file: String) -> FileStamp? { FileStamp(of: file) }

    func contents(of file: String) -> (stamp: FileStamp, bytes: Data)? {
        // Taken first: a change while it is read is noticed later.
        guard let stamp = FileStamp(of: file), let bytes = FileManager.default.contents(atPath: file) else {
            return nil
        }
        return (stamp, bytes)
    }
}

/// For the running agent, which must not hang where a disk does not answer: a process of its own looks.
final class PatientTableFiles: TableFiles {
    /// Tells the program to be that process.
    static let command = "look-at-files"

    private let worker: FileWorker
    private let timeoutSeconds: Int

    /// Starts nothing yet.
    static func worker(executable: String) -> FileWorker {
        FileWorker(program: runnable(executable), argument: command)
    }

    init(_ worker: FileWorker, _ settings: Settings) {
        self.worker = worker
        timeoutSeconds = settings.attributesTimeoutSeconds
    }

    func stamp(of file: String) throws(AgentError) -> FileStamp? {
        do throws(FileWorkerFailure) {
            return try worker.stamp(of: file, timeoutSeconds: timeoutSeconds).map(FileStamp.init)
        } catch {
            throw .tableNotReached(file: file, error)
        }
    }

    func contents(of file: String) throws(AgentError) -> (stamp: FileStamp, bytes: Data)? {
        do throws(FileWorkerFailure) {
            return try worker.contents(of: file, timeoutSeconds: timeoutSeconds).map {
                (FileStamp($0.stamp), Data($0.bytes))
            }
        } catch {
            throw .tableNotReached(file: file, error)
        }
    }
}

extension FileStamp {
    init(_ stamp: FileWorker.Stamp) {
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
