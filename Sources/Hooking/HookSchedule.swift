import Settings

/// When the hook is run: a while after the last change (debounce), not long after the first, and after a failure not at
/// once. Pure; times are given.
struct HookSchedule {
    struct Times: Hashable, Sendable {
        let settle: Duration
        let settleLimit: Duration
        /// How long after its first failure in a row it is run again; twice as long after each further one.
        let retry: Duration
        let retryLimit: Duration
    }

    typealias Instant = ContinuousClock.Instant

    private let times: Times
    private var changes: (first: Instant, last: Instant)?
    /// Those that the run which goes on is for.
    private var begun: (first: Instant, last: Instant)?
    private(set) var failures = 0
    /// Nothing is run before it.
    private var embargo: Instant?
    private var isRunning = false

    init(_ times: Times) { self.times = times }

    mutating func noteChange(at now: Instant) {
        changes = (changes?.first ?? now, now)
    }

    /// When it is to be run next; nil where there is nothing to tell, or while it runs.
    var due: Instant? {
        guard !isRunning, let changes else { return nil }
        let settled = min(changes.last + times.settle, changes.first + times.settleLimit)
        return embargo.map { max($0, settled) } ?? settled
    }

    mutating func begin() {
        isRunning = true
        (begun, changes) = (changes, nil)
    }

    mutating func end(isSuccess: Bool, at now: Instant) {
        isRunning = false
        guard !isSuccess else {
            (failures, embargo) = (0, nil)
            return
        }
        failures += 1
        let delay = (1..<failures).reduce(times.retry) { delay, _ in min(delay * 2, times.retryLimit) }
        embargo = now + min(delay, times.retryLimit)
        // What it was to be told is still to be told.
        changes = (changes?.first ?? now, changes?.last ?? now)
    }

    /// It could not be begun; it is tried again soon, and that is no failure of its own.
    mutating func postpone(until time: Instant) {
        isRunning = false
        // They have been left alone for long enough, and are not to be waited for once more.
        changes = (begun?.first ?? changes?.first ?? time, changes?.last ?? begun?.last ?? time)
        embargo = max(embargo ?? time, time)
    }
}

extension HookSchedule.Times {
    init(_ settings: Settings.Publish) {
        self.init(
            settle: settings.settle, settleLimit: settings.settleLimit, retry: settings.retry,
            retryLimit: settings.retryLimit)
    }
}
