import Products

/// Why a state folder may not be worked on now.
package enum LockError: ExplainedError, Hashable {
    /// Another process works on the same state folder.
    case busy(stateFolder: String)
    /// The lock's file cannot be opened or made.
    case cannotLock(file: String, reason: String)
    /// The file system gives no lock now.
    case noLock(path: String, errno: Int32)
    /// Root would leave files behind that their owner cannot change; others may not change anything.
    case notOwner(stateFolder: String, owner: String)

    package var explanation: Explanation {
        switch self {
        case .busy(let stateFolder):
            .init(
                "another imgrec-agent is working on \(stateFolder)",
                remedy: "Wait until it has finished, or stop it, then run this again.", .tryAgain)
        case .cannotLock(let file, let reason):
            .init("the lock \(file) cannot be taken: \(reason)", .cannotCreate)
        case .noLock(let path, let number):
            // It may give one later.
            .init("the file system gives no lock on \(path): \(errnoText(number))", .inputOutput)
        case .notOwner(let stateFolder, let owner):
            .init(
                "\(stateFolder) belongs to the user \(owner)",
                remedy: "Run this as that user, with 'sudo -u \(owner) imgrec-agent ...'.", .noPermission)
        }
    }
}
