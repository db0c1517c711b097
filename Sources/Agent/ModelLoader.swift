import Embedding
import Foundation
import Synchronization

/// A model that is loaded once, on a thread of its own, and stays loaded.
final class ModelLoader: Sendable {
    private let source: ModelSource
    private let threads: Int
    private let cache: NetworkCache?
    private let hasBegun = Atomic(false)
    private let result = Mutex<Result<Model, ModelError>?>(nil)
    private let done = DispatchGroup()

    init(_ source: ModelSource, threads: Int, cache: NetworkCache?) {
        self.source = source
        self.threads = threads
        self.cache = cache
    }

    /// Begins to load, if nobody has.
    func begin() {
        guard
            hasBegun.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing)
                .exchanged
        else { return }
        done.enter()
        Thread { [self] in
            let loaded = Result { () throws(ModelError) in try source.load(threads: threads, cache: cache) }
            result.withLock { $0 = loaded }
            done.leave()
        }.start()
    }

    /// Whether loading went wrong.
    var hasFailed: Bool { result.withLock { if case .failure? = $0 { true } else { false } } }

    /// Waits until nothing is being loaded any more.
    func settle() {
        if hasBegun.load(ordering: .acquiring) { done.wait() }
    }

    /// Whether there is nothing to wait for any more.
    var isOver: Bool { result.withLock { $0 != nil } }

    /// The network; begins to load it and waits for it.
    func model() throws(ModelError) -> Model {
        begin()
        done.wait()
        guard let loaded = result.withLock({ $0 }) else {
            preconditionFailure("loading is over without a result")
        }
        return try loaded.get()
    }
}
