import Glibc

/// Why the output folder cannot be brought up to date.
package enum PublishingError: Error, Hashable, CustomStringConvertible {
    case cannotWrite(path: String, errno: Int32)
    case foreignIndex(folder: String)
    case foreignProducts(folder: String)
    /// Another process publishes there now.
    case busy(folder: String)

    package var description: String {
        switch self {
        case .cannotWrite(let path, ENOSPC), .cannotWrite(let path, EDQUOT):
            "there is no space left for \(path). Free some and run 'imgrec-agent reconcile' again; nothing is lost."
        case .cannotWrite(let path, EROFS):
            "\(path) is on a read-only file system. Correct output.folder; or, under systemd, let the service write there: systemctl edit imgrec-agent, and in it the lines [Service] and ReadWritePaths=... with the output folder."
        case .cannotWrite(let path, EACCES), .cannotWrite(let path, EPERM):
            "\(path) may not be written. Make it writable for the user that runs imgrec-agent, or correct output.folder."
        case .cannotWrite(let path, ENOTDIR), .cannotWrite(let path, ELOOP), .cannotWrite(let path, EISDIR):
            "something that imgrec-agent did not make is in the way at \(path). Move it away, or correct output.folder."
        case .cannotWrite(let path, let number):
            "\(path) cannot be written: \(String(cString: strerror(number)))"
        case .foreignProducts(let folder):
            "\(folder)/products has files, and there is no index.json that says that imgrec-agent wrote them. Give the recommendations a folder of their own in output.folder, or empty this one."
        case .busy(let folder):
            "another imgrec-agent is writing to \(folder). Give each its own output.folder, or wait until it has finished."
        case .foreignIndex(let folder):
            "\(folder)/index.json was not written by imgrec-agent. Give the recommendations a folder of their own in output.folder; if it is a damaged one of ours, delete it."
        }
    }
}
