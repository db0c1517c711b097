import Foundation

/// Runs a body that may wait for a disk or a lock on a thread of its own: while a thread of Swift's concurrency waits, others
/// go without.
func onOwnThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result { try body() }) }.start()
    }
}
