import GRDB

/// Why the catalogue cannot be used.
package enum CatalogueError: Error, Hashable, CustomStringConvertible {
    case cannotCreate(folder: String, reason: String)
    case full(file: String)
    case damaged(file: String, message: String)
    case fromNewerVersion(file: String)
    case failed(file: String, message: String)
    case vectors(file: String, reason: String)

    init(file: String, _ error: DatabaseError) {
        switch error.resultCode {
        case .SQLITE_FULL: self = .full(file: file)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            self = .damaged(file: file, message: error.message ?? "\(error)")
        default: self = .failed(file: file, message: "\(error)")
        }
    }

    package var description: String {
        switch self {
        case .cannotCreate(let folder, let reason):
            "the state folder \(folder) cannot be made: \(reason). Make it, writable for the user that runs imgrec-agent, or correct state.folder."
        case .full(let file):
            "there is no space left for \(file). Free some and run again; nothing is lost."
        case .damaged(let file, let message):
            "\(file) is damaged (\(message)). Delete it and run 'imgrec-agent reconcile': it is made anew from the photos."
        case .fromNewerVersion(let file):
            "\(file) was made by a newer imgrec-agent. Install that version, or delete the file: it is made anew from the photos."
        case .vectors(let file, let reason):
            "\(file) cannot be read or written: \(reason). Mend that and run again; the file may be deleted, it is made anew."
        case .failed(let file, let message):
            "\(file): \(message)"
        }
    }
}
