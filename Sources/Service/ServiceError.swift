import Glibc
import Products
import Settings

/// Why the agent cannot run, or not go on.
package enum ServiceError: ExplainedError, Hashable {
    case cannotServe(socket: String, reason: String, remedy: String = "Correct runtime.folder.")
    /// Signals cannot be taken.
    case noPipe(errno: Int32)
    /// What systemd opened to the service when it started is not what the path leads to now.
    case outputLost(folder: String)
    /// Settings that are read at the start only have changed.
    case needsRestart
    /// It has not opened the catalogue yet.
    case isStarting

    package var explanation: Explanation {
        switch self {
        case .cannotServe(let socket, let reason, let remedy):
            .init("the control socket \(socket) cannot be opened: \(reason)", remedy: remedy, .cannotCreate)
        case .noPipe(let number):
            .init("no pipe can be opened for signals: \(errnoText(number))", .system)
        case .outputLost(let folder):
            .init(
                "\(folder) cannot be written any more: it was replaced by another folder, which systemd has not opened to the service",
                remedy: "Restart the service, unless systemd does.", .inputOutput)
        case .needsRestart:
            .init(
                "\(Settings.names(of: .restart)) only take effect when the agent starts",
                remedy: "Restart it.", .settings)
        case .isStarting:
            .init("the agent is still starting", remedy: "Run this again in a moment.", .tryAgain)
        }
    }
}
