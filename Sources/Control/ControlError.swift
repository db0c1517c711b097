import Foundation
import Products

/// Why a running agent does not do what it is asked for.
package enum ControlError: ExplainedError, Hashable {
    case cannotConnect(socket: String, reason: String, remedy: String? = nil)
    /// One is running and gives no sign of life.
    case noAnswer(socket: String, seconds: Double)
    /// What the running agent answered.
    case remote(message: String, SystemExit)

    package var explanation: Explanation {
        switch self {
        case .cannotConnect(let socket, let reason, let remedy):
            .init(
                "the running agent cannot be reached at \(socket): \(reason)", remedy: remedy, .unavailable)
        case .noAnswer(let socket, let seconds):
            .init(
                "the running agent gave no sign of life at \(socket) for \(String(format: "%g", seconds)) s (runtime.timeout_seconds): it is stopped, hangs, or the machine is very busy",
                remedy: "If this goes on, restart it.", .unavailable)
        case .remote(let message, let exit):
            .init(message, exit)
        }
    }
}
