import Testing

/// Keeps suites that lower limits of the kernel, which hold for the whole machine, apart from those that need them as
/// they are: tests of one kind run beside each other, never beside one of the other kind. They run in `Lanes`.
package struct KernelLimits: SuiteTrait, TestTrait, TestScoping {
    fileprivate let isLowered: Bool

    package var isRecursive: Bool { true }

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard !test.isSuite else { return try await function() }
        await Gate.shared.enter(isLowered)
        defer { Task { await Gate.shared.leave() } }
        try await Lanes().provideScope(for: test, testCase: testCase, performing: function)
    }

    private actor Gate {
        static let shared = Gate()
        private var inside = 0
        private var kind = false
        private var waiting: [(kind: Bool, continuation: CheckedContinuation<Void, Never>)] = []

        func enter(_ kind: Bool) async {
            if inside == 0 || self.kind == kind {
                self.kind = kind
                inside += 1
            } else {
                await withCheckedContinuation { waiting.append((kind, $0)) }
            }
        }

        func leave() {
            inside -= 1
            guard inside == 0, let next = waiting.first?.kind else { return }
            kind = next
            let admitted = waiting.filter { $0.kind == next }
            waiting.removeAll { $0.kind == next }
            inside = admitted.count
            for one in admitted { one.continuation.resume() }
        }
    }
}

extension Trait where Self == KernelLimits {
    package static var underUsualKernelLimits: KernelLimits { KernelLimits(isLowered: false) }
    package static var underLoweredKernelLimits: KernelLimits { KernelLimits(isLowered: true) }
}
