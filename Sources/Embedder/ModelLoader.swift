import Embedding
import Synchronization
import Threads

/// A model that is loaded once, on a thread of its own, and stays loaded.
package final class ModelLoader: Sendable {
    private let source: ModelSource
    private let threads: Int
    private let cache: NetworkCache?
    private let state = Mutex(State.idle)

    private enum State {
        case idle
        case loading(OwnThread, Loading)
    }

    /// What comes of it.
    private final class Loading: Sendable {
        let result = Mutex<Result<Model, ModelError>?>(nil)
    }

    package init(_ source: ModelSource, threads: Int, cache: NetworkCache?) {
        self.source = source
        self.threads = threads
        self.cache = cache
    }

    /// Begins to load, if nobody has.
    package func begin() { _ = try? begun() }

    private func begun() throws(ThreadError) -> (thread: OwnThread, loading: Loading) {
        try state.withLock { (state) throws(ThreadError) in
            if case .loading(let thread, let loading) = state { return (thread, loading) }
            let loading = Loading()
            let (source, threads, cache) = (source, threads, cache)
            let thread = try OwnThread("load") {
                let loaded = Result { () throws(ModelError) in
                    try source.load(threads: threads, cache: cache)
                }
                loading.result.withLock { $0 = loaded }
            }
            state = .loading(thread, loading)
            return (thread, loading)
        }
    }

    private var result: Result<Model, ModelError>? {
        state.withLock {
            if case .loading(_, let loading) = $0 { loading.result.withLock { $0 } } else { nil }
        }
    }

    /// Whether loading went wrong.
    package var hasFailed: Bool { if case .failure? = result { true } else { false } }

    /// Whether there is nothing to wait for any more.
    var isOver: Bool { result != nil }

    /// Waits until nothing is being loaded any more.
    package func waitForEnd() {
        let thread = state.withLock {
            if case .loading(let thread, _) = $0 { thread } else { nil as OwnThread? }
        }
        thread?.join()
    }

    /// The network; begins to load it and waits for it.
    ///
    /// - Throws: `ModelError` where it cannot be loaded, `ThreadError` where there is no thread to load it on.
    package func model() throws -> Model {
        let (thread, loading) = try begun()
        thread.join()
        // The thread ends with a result.
        guard let loaded = loading.result.withLock({ $0 }) else {
            throw ModelError.openVINO(
                doing: "loading \(source.name)", message: "its thread ended without a result")
        }
        return try loaded.get()
    }
}
