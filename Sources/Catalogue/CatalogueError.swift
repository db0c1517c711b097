import GRDB
import Glibc
import Products

/// Why the catalogue cannot be used.
package enum CatalogueError: ExplainedError, Hashable {
    case cannotCreate(folder: String, reason: String)
    case full(file: String)
    case damaged(file: String, message: String)
    case fromNewerVersion(file: String)
    /// Or not finished: whoever made it was killed.
    case fromOlderVersion(file: String)
    /// A database that is no catalogue.
    case foreign(file: String)
    /// Something else lies in its place, or in that of its log.
    case notAFile(String)
    case cannotOpen(file: String, message: String)
    case unreachable(file: String, reason: String)
    /// This user may not read it.
    case notAllowed(file: String, reason: String)
    /// Its log and the log's index are not beside it, and this user may not make them.
    case noLog(file: String)
    /// Deleted or replaced while it was open.
    case gone(file: String)
    case failed(file: String, message: String)
    case vectors(file: String, reason: String)

    init(file: String, _ error: DatabaseError) {
        if error.extendedResultCode == .SQLITE_READONLY_ROLLBACK {
            self = .fromOlderVersion(file: file)
            return
        }
        switch error.resultCode {
        case .SQLITE_FULL: self = .full(file: file)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            self = .damaged(file: file, message: error.message ?? "\(error)")
        case .SQLITE_CANTOPEN, .SQLITE_READONLY:
            self = .cannotOpen(file: file, message: error.message ?? "\(error)")
        default: self = .failed(file: file, message: "\(error)")
        }
    }

    /// - Parameter errno: why it cannot be read.
    init(reading file: String, errno number: Int32) {
        let reason = errnoText(number)
        self =
            number == EACCES || number == EPERM
            ? .notAllowed(file: file, reason: reason) : .unreachable(file: file, reason: reason)
    }

    // Longer than 60 lines: a table, a case a row.
    package var explanation: Explanation {
        switch self {
        case .cannotCreate(let folder, let reason):
            .init(
                "the state folder \(folder) cannot be made: \(reason)",
                remedy:
                    "Make it, writable for the user that runs imgrec-agent, or correct state.folder.",
                .cannotCreate)
        case .full(let file):
            .init(
                "there is no space left for \(file)",
                remedy: "Free some and run this again; nothing is lost.", .inputOutput)
        case .damaged(let file, let message):
            .init(
                "\(file) is damaged (\(message))",
                remedy:
                    "Delete it and run 'imgrec-agent reconcile': it is made anew from the photos.", .dataError
            )
        case .fromNewerVersion(let file):
            .init(
                "\(file) was made by a newer imgrec-agent",
                remedy:
                    "Install that version, or delete the file: it is made anew from the photos.", .dataError)
        case .fromOlderVersion(let file):
            .init(
                "\(file) was made by an older imgrec-agent, or was not finished, and this command only reads it",
                remedy: "Start the agent or run 'imgrec-agent reconcile' to bring it up to date.", .tryAgain)
        case .foreign(let file):
            .init(
                "\(file) is a database, and not one of imgrec-agent's; it was left as it is",
                remedy: "Move it away, or correct state.folder.", .dataError)
        case .notAFile(let file):
            .init("\(file) is no file", remedy: "Move it away, or correct state.folder.", .dataError)
        case .unreachable(let file, let reason):
            .init(
                "\(file) cannot be reached: \(reason)",
                remedy: "Mend that, or move it away: it is made anew from the photos.", .inputOutput)
        case .cannotOpen(let file, let message):
            .init(
                "\(file) cannot be opened: \(message)",
                remedy: "Make it readable and writable for the user that runs imgrec-agent.", .inputOutput)
        case .notAllowed(let file, let reason):
            .init(
                "\(file) cannot be read: \(reason)",
                remedy:
                    "Run this as the user that the state folder belongs to, as root, or as a member of its group.",
                .noPermission)
        case .noLog(let file):
            .init(
                "\(file) cannot be read by this user: its log (-wal, -shm) is not beside it, as after a copy or an older version",
                remedy:
                    "Start the agent once, which makes it, or run this as the user that the file belongs to.",
                .noPermission)
        case .gone(let file):
            .init(
                "\(file) was deleted or replaced while the agent was running",
                remedy: "Restart the agent: what is missing is made anew from the photos.", .inputOutput)
        case .vectors(let file, let reason):
            .init(
                "\(file) cannot be read or written: \(reason)",
                remedy: "Mend that and run this again. The file may be deleted: it is made anew.",
                .inputOutput)
        case .failed(let file, let message):
            .init("\(file): \(message)", .inputOutput)
        }
    }
}
