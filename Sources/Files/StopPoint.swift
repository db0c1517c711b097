import Glibc
import Synchronization

/// A point at which a crash must lose nothing: after a change of the catalogue, before a change of a file.
///
/// A debug build ends at the n-th of them that it passes, at once and as if it had been killed, where the environment says
/// `IMGREC_STOP_AT=n`. The tests do that with every n until a run passes fewer. A release build passes by.
package enum StopPoint {
    #if DEBUG
        private static let passed = Atomic(0)
        private static let last: Int? = getenv("IMGREC_STOP_AT").flatMap { Int(String(cString: $0)) }

        /// - Parameter name: where it is, such as `before write`, for the report of a test.
        package static func pass(_ name: StaticString) {
            guard let last else { return }
            guard passed.add(1, ordering: .relaxed).newValue == last else { return }
            let line = "stopped \(name)\n"
            _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
            kill(getpid(), SIGKILL)
        }
    #else
        @inline(__always)
        package static func pass(_: StaticString) {}
    #endif
}
