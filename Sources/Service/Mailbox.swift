import Products
import Reconciling
import Synchronization
import Threads
import Watching

/// What others want of the work loop: hints, requests, and that it ends. Safe to use from any thread.
final class Mailbox: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// What there is to choose the next turn from.
    struct Inbox {
        var queue: LookQueue
        var requests: [ReconcileRequest] = []
        var trouble = Trouble()
    }

    private struct State {
        var inbox: Inbox
        /// Photos that are whole and were changed, whatever their size and time say, until they have been looked at.
        var finished: Set<ImagePath>
        /// The loop wakes by itself at this time.
        var nextWake: Instant
        var isStopping = false
        /// No more requests are taken.
        var isClosed = false
        /// What ended the loop, if it was not asked to.
        var failure: (any Error)?
        var hasEnded = false
        /// Called when it has.
        var onEnd: [@Sendable () -> Void] = []
    }

    private let state: Mutex<State>
    private let wakeup = Wakeup()
    private let now: Now

    /// - Parameter finished: what an earlier loop left of photos that were changed, whatever their size and time say.
    init(_ queue: LookQueue, finished: Set<ImagePath>, now: @escaping Now) {
        self.now = now
        state = Mutex(State(inbox: Inbox(queue: queue), finished: finished, nextWake: now()))
    }

    // MARK: From others

    func note(_ hint: FolderHint) {
        let now = now()
        let wakes = state.withLock { state in
            state.inbox.queue.note(hint, at: now)
            if hint == .everything(.folderBack) || hint == .everything(.folderReplaced) {
                state.inbox.trouble.noteReturn()
            }
            return state.inbox.queue.earliestDue(from: now) < state.nextWake
        }
        if wakes { wake() }
    }

    /// Asks for a comparison of everything. Returns false where the loop has ended and nobody will answer.
    func ask(_ request: ReconcileRequest) -> Bool {
        let isTaken = state.withLock { state in
            if !state.isClosed { state.inbox.requests.append(request) }
            return !state.isClosed
        }
        wake()
        return isTaken
    }

    /// Asks the loop to end; it finishes or gives up what it is at.
    func stop() {
        state.withLock { $0.isStopping = true }
        wake()
    }

    func wake() { wakeup.signal() }

    /// Waits until the loop has ended: nothing that it held is held any more.
    func waitForEnd() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let hasEnded = state.withLock {
                if !$0.hasEnded { $0.onEnd.append { continuation.resume() } }
                return $0.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }

    /// What ended the loop; nil while it goes on, and where it was asked to end.
    var failure: (any Error)? { state.withLock { $0.failure } }

    /// How many products and folders have just changed.
    var settling: Int { state.withLock { $0.inbox.queue.count } }

    /// What a loop that has ended leaves unanswered.
    func takeRequests() -> [ReconcileRequest] {
        state.withLock { state in
            defer { state.inbox.requests = [] }
            return state.inbox.requests
        }
    }

    /// What a loop that has ended leaves of photos that were changed, whatever their size and time say.
    func takeFinished() -> Set<ImagePath> {
        state.withLock { state in
            defer { state.finished = [] }
            return state.finished.union(state.inbox.queue.takeAll().finished)
        }
    }

    // MARK: From the loop

    var isStopping: Bool { state.withLock { $0.isStopping } }

    var isInTrouble: Bool { state.withLock { $0.inbox.trouble.retryAt != nil } }

    /// Whether something waits that a turn in the background is not to keep waiting.
    var hasDue: Bool {
        state.withLock { state in
            !state.inbox.requests.isEmpty || state.inbox.queue.nextDue.map { $0 <= now() } ?? false
        }
    }

    /// Lets somebody choose what is next, and say when the loop is to wake where that is nothing. What was asked for stays where
    /// the loop is to stop: whoever comes after it answers that.
    ///
    /// - Returns: nil where the loop is to stop.
    func choose<Choice>(_ body: (inout Inbox) -> (choice: Choice?, wake: Instant)) -> (
        choice: Choice?, wake: Instant
    )? {
        state.withLock { state in
            guard !state.isStopping else { return nil }
            let chosen = body(&state.inbox)
            state.nextWake = chosen.wake
            return chosen
        }
    }

    /// Waits until there is something new, at most until a time.
    func wait(until time: Instant) { wakeup.wait(atMost: time - now()) }

    /// What must not be read yet.
    ///
    /// - Parameter finished: photos that are whole and were changed, whatever their size and time say. They stay so until a
    ///   round has looked at them, whatever becomes of the one to come.
    func deferral(_ finished: Set<ImagePath>, at now: Instant) -> Deferral {
        state.withLock { state in
            state.finished.formUnion(finished)
            return state.inbox.queue.deferral(finished: state.finished, at: now)
        }
    }

    /// A round went well.
    ///
    /// - Parameter looked: the photos that it looked at; nil for all.
    func note(_ round: Round, looked: Set<ImagePath>?, at now: Instant) {
        let unread = Set(round.left + round.deferred.map(\.path))
        state.withLock { state in
            state.inbox.trouble.noteSuccess()
            if let looked {
                state.finished.subtract(looked.subtracting(unread))
            } else {
                state.finished.formIntersection(unread)
            }
            state.inbox.queue.postpone(round.deferred, at: now)
            for (path, attempts) in round.retries {
                state.inbox.queue.retry(path, at: now + RetrySchedule.delay(after: attempts))
            }
        }
    }

    func noteTrouble(at now: Instant) { state.withLock { $0.inbox.trouble.note(failureAt: now) } }

    /// The disk of the table is there again.
    func noteReturn() { state.withLock { $0.inbox.trouble.noteReturn() } }

    /// No more requests are taken; those that were not answered are for `takeRequests`.
    func close(leaving requests: [ReconcileRequest], _ failure: (any Error)?) {
        state.withLock { state in
            state.inbox.requests = requests + state.inbox.requests
            state.isClosed = true
            state.failure = failure
        }
    }

    func noteEnd() {
        let waiting = state.withLock {
            $0.hasEnded = true
            return $0.onEnd
        }
        for one in waiting { one() }
    }
}
