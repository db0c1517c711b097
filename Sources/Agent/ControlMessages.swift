import Foundation
import Settings

/// The control socket's words. It speaks HTTP and JSON; Docs/operating.md has the addresses.
package enum Control {
    package static let socketName = "control.socket"

    /// One line of a streamed answer: how far it is, and at the end what was done or what was wrong.
    package struct Line: Codable, Hashable, Sendable {
        package var progress: ReconcileProgress?
        package var report: ReconcileReport?
        package var error: Failure?
    }

    package struct Failure: Codable, Hashable, Sendable {
        package let message: String
        /// As in sysexits.h.
        package let exitCode: SystemExit
    }
}

extension Settings {
    /// Where a running agent listens.
    package var controlSocket: String { "\(runtimeFolder)/\(Control.socketName)" }
}
