import Products
import Settings

/// The control socket's words. It speaks HTTP and JSON; Docs/reference/control-socket.md has the addresses.
package enum ControlMessage {
    package static let socketName = "control.socket"

    /// One line of a streamed answer: how far it is, and at the end what was done or what was wrong.
    package struct Line: Codable, Hashable, Sendable {
        package var progress: ReconcileProgress?
        package var report: ReconcileReport?
        package var error: Failure?

        package init(
            progress: ReconcileProgress? = nil, report: ReconcileReport? = nil, error: Failure? = nil
        ) {
            (self.progress, self.report, self.error) = (progress, report, error)
        }
    }

    package struct Failure: Codable, Hashable, Sendable {
        package let message: String
        /// As in sysexits.h.
        package let exitCode: SystemExit

        package init(message: String, exitCode: SystemExit) {
            (self.message, self.exitCode) = (message, exitCode)
        }

        package init(_ error: any Error) {
            let explained = error.explained
            self.init(message: explained.description, exitCode: explained.systemExit)
        }
    }
}

/// A model whose vectors were removed.
package struct PrunedModel: Codable, Hashable, Sendable {
    package let name: String
    package let precision: String
    /// How many vectors there were.
    package let embeddings: Int

    package init(name: String, precision: String, embeddings: Int) {
        (self.name, self.precision, self.embeddings) = (name, precision, embeddings)
    }
}

extension Settings {
    /// Where a running agent listens.
    package var controlSocket: String { "\(runtimeFolder)/\(ControlMessage.socketName)" }
}
