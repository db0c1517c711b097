import Foundation
import Testing

/// Runs tests that mostly wait, for processes, disks and clocks, on threads of their own and several at once. On the few
/// threads that Swift shares out, one for each core, they would keep one another and all other tests waiting.
package struct Lanes: SuiteTrait, TestTrait, TestScoping {
    package var isRecursive: Bool { true }

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard !test.isSuite else { return try await function() }
        await Places.shared.take()
        defer { Task { await Places.shared.free() } }
        try await withTaskExecutorPreference(Threads.shared) { try await function() }
    }

    /// A thread for each job.
    private final class Threads: TaskExecutor {
        static let shared = Threads()

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            Thread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }.start()
        }
    }

    private actor Places {
        static let shared = Places()
        private var places = environment ?? 2 * ProcessInfo.processInfo.activeProcessorCount
        private var waiting: [CheckedContinuation<Void, Never>] = []

        private static let environment = ProcessInfo.processInfo.environment["LANES"].flatMap { Int($0) }

        func take() async {
            if places > 0 { places -= 1 } else { await withCheckedContinuation { waiting.append($0) } }
        }

        func free() {
            if waiting.isEmpty { places += 1 } else { waiting.removeFirst().resume() }
        }
    }
}

extension Trait where Self == Lanes {
    package static var inLanes: Lanes { Lanes() }
}
