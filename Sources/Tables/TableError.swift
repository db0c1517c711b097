import Glibc
import Products
import Sandbox

/// Why a table that the settings or a command name cannot be used.
package enum TableError: ExplainedError, Hashable {
    case none(file: String, remedy: String)
    case bad(file: String, reason: String, remedy: String? = nil)
    /// The disk that it is on does not answer, or nobody can ask it.
    case notReached(file: String, FileWorkerFailure)

    package var explanation: Explanation {
        switch self {
        case .none(let file, let remedy):
            .init("there is no file \(file) that can be read", remedy: remedy, .noInput)
        case .bad(let file, let reason, let remedy):
            .init("\(file) is no table that can be used: \(reason)", remedy: remedy, .dataError)
        case .notReached(let file, .silent(let seconds)):
            .init(
                "\(file) cannot be reached: it could not be looked at, or not read, in \(seconds) s (output.attributes_timeout_seconds)",
                remedy: "Check that its disk is mounted, and that its server is there and fast enough.",
                .inputOutput)
        case .notReached(let file, .tooLarge(let limit)):
            .init(
                "\(file) has more than the \(limit) bytes that a table may have (output.attributes_max_bytes)",
                remedy: "Make it smaller, or raise the limit.", .dataError)
        case .notReached(let file, .lost):
            .init("\(file) cannot be reached: the process that looks at it ended", .inputOutput)
        case .notReached(let file, .failed(let number)):
            .init(
                "\(file) cannot be reached: \(errnoText(number))",
                remedy: "Check that its disk is mounted, and that its server is there.", .inputOutput)
        case .notReached(let file, .cannotStart(let number)):
            .init(
                "\(file) cannot be reached: no process can be started to look at it: \(errnoText(number))",
                .inputOutput)
        }
    }
}
