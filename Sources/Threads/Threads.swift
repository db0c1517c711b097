// Threads: the one way to start, name, end and wake threads of our own.
//
// What may wait, for a disk, a process, a lock, a network being loaded, never waits on the few threads that Swift's concurrency
// shares out; it has one of these.

import Foundation
import Products

/// A thread that runs a body once. Its name is what `ps` and debuggers show.
package final class OwnThread: Sendable {
    private let done = DispatchGroup()

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - name: at most 15 bytes, which is all that the kernel keeps.
    ///   - stackBytes: nil for the system's usual size.
    @discardableResult
    package init(_ name: String, stackBytes: Int? = nil, _ body: @escaping @Sendable () -> Void) {
        let done = done
        done.enter()
        let thread = Thread {
            Thread.current.name = name  // which the kernel is told only from within
            body()
            done.leave()
        }
        if let stackBytes { thread.stackSize = stackBytes }
        thread.start()
    }

    /// Waits until the body has returned.
    package func join() { done.wait() }

    /// Waits until the body has returned, at most for a time. Whether it has.
    package func join(atMost time: Duration) -> Bool { done.wait(timeout: .now() + time.seconds) == .success }
}

/// Runs a body that may wait on a thread of its own, and gives back its result: while a thread of Swift's concurrency waits,
/// others go without.
package func onOwnThread<Value: Sendable>(
    _ name: String = "waiting", _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        OwnThread(name) { continuation.resume(with: Result { try body() }) }
    }
}
