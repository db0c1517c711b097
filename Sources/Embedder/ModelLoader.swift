import Embedding
import Foundation
import Synchronization
import Threads

/// A model that is loaded once, on a thread of its own, and stays loaded.
package final class ModelLoader: Sendable {
    private let source: ModelSource
    private let threads: Int
    private let cache: NetworkCache?
    private let state = Mutex(State.idle)
    private let done = DispatchGroup()

    private enum State {
        case idle, loading
        case over(Result<Model, ModelError>)
    }

    package init(_ source: ModelSource, threads: Int, cache: NetworkCache?) {
        self.source = source
        self.threads = threads
        self.cache = cache
    }

    /// Begins to load, if nobody has.
    package func begin() {
        let isFirst = state.withLock { state in
            guard case .idle = state else { return false }
            state = .loading
            // Under the lock: whoever sees that it has begun can wait for its end.
            done.enter()
            return true
        }
        guard isFirst else { return }
        OwnThread("load") { [self] in
            let loaded = Result { () throws(ModelError) in try source.load(threads: threads, cache: cache) }
            state.withLock { $0 = .over(loaded) }
            done.leave()
        }
    }

    /// Whether loading went wrong.
    package var hasFailed: Bool { state.withLock { if case .over(.failure) = $0 { true } else { false } } }

    /// Waits until nothing is being loaded any more.
    package func waitForEnd() { done.wait() }

    /// Whether there is nothing to wait for any more.
    var isOver: Bool { state.withLock { if case .over = $0 { true } else { false } } }

    /// The network; begins to load it and waits for it.
    package func model() throws(ModelError) -> Model {
        begin()
        done.wait()
        let loaded = state.withLock { state in
            guard case .over(let loaded) = state else {
                preconditionFailure("loading is over without a result")
            }
            return loaded
        }
        return try loaded.get()
    }
}
