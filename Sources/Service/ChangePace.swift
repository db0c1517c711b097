/// When the next step of a change is due: the rest of the time is left to other programs. Pure; times are given.
struct ChangePace {
    private let percent: Int
    /// Nil where there is nothing to do.
    private(set) var next: ContinuousClock.Instant?
    private var failures = 0

    /// How long after a step that went wrong the next is tried, at first and at last.
    private static let (firstPause, longestPause) = (Duration.seconds(1), Duration.seconds(600))

    /// - Parameter percent: how much of the time steps may take.
    init(percent: Int, at now: ContinuousClock.Instant) { (self.percent, next) = (percent, now) }

    func isDue(at now: ContinuousClock.Instant) -> Bool { next.map { $0 <= now } ?? false }

    /// - Parameter embedded: how many photos it embedded; what was in the way is still there where it is none.
    mutating func note(
        embedded: Int, stepFrom start: ContinuousClock.Instant, to end: ContinuousClock.Instant
    ) {
        if embedded > 0 { failures = 0 }
        next = end + (end - start) * (100 - percent) / percent
    }

    mutating func noteFailure(at now: ContinuousClock.Instant) {
        failures += 1
        next = now + min(Self.longestPause, Self.firstPause * (1 << min(failures - 1, 12)))
    }

    mutating func noteEnd() {
        failures = 0
        next = nil
    }

    /// Somebody may have mended what was wrong, or put another model in its place.
    mutating func tryNow(at now: ContinuousClock.Instant) { next = now }
}
