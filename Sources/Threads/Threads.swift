// Threads: the one way to start, name, end and wake threads of our own.
//
// What may wait, for a disk, a process, a lock, a network being loaded, never waits on the few threads that Swift's concurrency
// shares out; it has one of these.

import CLinux
import Foundation
import Glibc
import Products
import Synchronization

/// A thread that runs a body once. Its name is what `ps` and debuggers show.
package final class OwnThread: Sendable {
    private let done = DispatchGroup()

    /// Starts the thread. Foundation's `Thread` does not say when the system gives it none, so that what waits for it waits for
    /// ever; and one that names itself before it is known to be started gets no name.
    ///
    /// - Parameters:
    ///   - name: at most 15 bytes, which is all that the kernel keeps.
    ///   - stackBytes: nil for the system's usual size.
    /// - Throws: where the system gives no further thread; the body is not run then.
    @discardableResult
    package init(_ name: String, stackBytes: Int? = nil, _ body: @escaping @Sendable () -> Void)
        throws(ThreadError)
    {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        if let stackBytes { pthread_attr_setstacksize(&attributes, stackBytes) }
        let done = done
        done.enter()
        let start = Unmanaged.passRetained(
            Start(name: name) {
                body()
                done.leave()
            })
        var thread = pthread_t()
        let refusal = ThreadRefusal.next(name)
        let code =
            refusal
            ?? pthread_create(
                &thread, &attributes,
                {
                    let start = Unmanaged<Start>.fromOpaque($0!).takeRetainedValue()
                    pthread_setname_np(pthread_self(), start.name)
                    start.body()
                    return nil
                }, start.toOpaque())
        guard code == 0 else {
            start.release()
            done.leave()
            throw .cannotStart(name: name, errno: code)
        }
    }

    /// What a new thread takes with it.
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, _ body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }
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
        do {
            try OwnThread(name) { continuation.resume(with: Result { try body() }) }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// A debug build is given no n-th thread where the environment says `IMGREC_REFUSE_THREAD=n`, once. The tests do that with every n
/// until a run starts fewer.
private enum ThreadRefusal {
    #if DEBUG
        private static let asked = Atomic(0)
        private static let refused: Int? = getenv("IMGREC_REFUSE_THREAD").flatMap {
            Int(String(cString: $0))
        }

        /// The errno of the refusal; nil where there is none.
        static func next(_ name: String) -> Int32? {
            guard let refused, asked.add(1, ordering: .relaxed).newValue == refused else { return nil }
            let line = "refused the thread \(name)\n"
            _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
            return EAGAIN
        }
    #else
        @inline(__always)
        static func next(_: String) -> Int32? { nil }
    #endif
}
