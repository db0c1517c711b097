import Products

/// Why the changes cannot be handed over to the hook.
package enum HookError: ExplainedError, Hashable {
    case cannotWrite(file: String, reason: String)
    case cannotLock(file: String, reason: String)

    package var explanation: Explanation {
        switch self {
        case .cannotWrite(let file, let reason):
            .init("\(file) cannot be written: \(reason)", .cannotCreate)
        case .cannotLock(let file, let reason):
            .init("the lock \(file) cannot be taken: \(reason)", .cannotCreate)
        }
    }
}
