import Glibc
import Products

/// Why the output folder cannot be brought up to date.
package enum PublishingError: ExplainedError, Hashable {
    case cannotWrite(path: String, errno: Int32)
    case foreignIndex(folder: String)
    case foreignProducts(folder: String)
    /// Another process publishes there now.
    case busy(folder: String)
    /// The file system gives no lock now.
    case noLock(folder: String, errno: Int32)

    package var explanation: Explanation {
        switch self {
        case .cannotWrite(let path, ENOSPC), .cannotWrite(let path, EDQUOT):
            .init(
                "there is no space left for \(path)",
                remedy: "Free some and run 'imgrec-agent reconcile' again; nothing is lost.", .inputOutput)
        case .cannotWrite(let path, EROFS):
            .init(
                "\(path) is on a read-only file system",
                remedy:
                    "Correct output.folder; or, under systemd, let the service write there: systemctl edit imgrec-agent, and in it the lines [Service] and ReadWritePaths=... with the output folder.",
                .cannotCreate)
        case .cannotWrite(let path, EACCES), .cannotWrite(let path, EPERM):
            .init(
                "\(path) may not be written",
                remedy: "Make it writable for the user that runs imgrec-agent, or correct output.folder.",
                .cannotCreate)
        case .cannotWrite(let path, ENOTDIR), .cannotWrite(let path, ELOOP), .cannotWrite(let path, EISDIR):
            .init(
                "something that imgrec-agent did not make is in the way at \(path)",
                remedy: "Move it away, or correct output.folder.", .cannotCreate)
        case .cannotWrite(let path, let number):
            // An error of the disk mends itself, or is mended without touching the settings.
            .init(
                "\(path) cannot be written: \(errnoText(number))",
                number == EIO ? .inputOutput : .cannotCreate)
        case .foreignProducts(let folder):
            .init(
                "\(folder)/products has files, and there is no index.json that says that imgrec-agent wrote them",
                remedy:
                    "Give the recommendations a folder of their own in output.folder, or empty this one.",
                .cannotCreate)
        case .busy(let folder):
            .init(
                "another imgrec-agent is writing to \(folder)",
                remedy: "Give each its own output.folder, or wait until it has finished.", .tryAgain)
        case .noLock(let folder, let number):
            // It may give one later.
            .init("the file system gives no lock on \(folder): \(errnoText(number))", .inputOutput)
        case .foreignIndex(let folder):
            .init(
                "\(folder)/index.json was not written by imgrec-agent",
                remedy:
                    "Give the recommendations a folder of their own in output.folder; if it is a damaged one of ours, delete it.",
                .cannotCreate)
        }
    }
}
