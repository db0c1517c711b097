import Foundation
import Synchronization

/// Runs a body for 0..<count on some threads, each with a state of its own, made anew for it, that it keeps from one
/// call to the next.
/// The calling thread is one of them. After an error no further call is begun; the first error is thrown.
///
/// The compiler does not check what the body shares: calls may write only to what is their index's own.
func inParallel<State>(
    _ count: Int, threads: Int, state: @autoclosure () -> State, _ body: (inout State, Int) throws -> Void
) throws {
    let next = Atomic(0)
    let failure = Mutex<(any Error)?>(nil)
    withoutActuallyEscaping(state) { state in
        withoutActuallyEscaping(body) { body in
            // concurrentPerform returns after its last iteration, so neither outlives this call; what iterations share is
            // promised above.
            nonisolated(unsafe) let (state, body) = (state, body)
            DispatchQueue.concurrentPerform(iterations: max(1, min(threads, count))) { _ in
                var own = state()
                while true {
                    let index = next.add(1, ordering: .relaxed).oldValue
                    guard index < count else { return }
                    do {
                        try body(&own, index)
                    } catch {
                        failure.withLock { $0 = $0 ?? error }
                        next.store(count, ordering: .relaxed)
                    }
                }
            }
        }
    }
    if let error = failure.withLock({ $0 }) { throw error }
}

func inParallel(_ count: Int, threads: Int, _ body: (Int) throws -> Void) throws {
    try inParallel(count, threads: threads, state: ()) { _, index in try body(index) }
}
