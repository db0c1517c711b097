/// When what went wrong is tried again: after one, two, four seconds and so on, at once where what was missing comes back.
/// Pure; times are given.
struct Trouble {
    typealias Instant = ContinuousClock.Instant

    static let firstBackOff = Duration.seconds(1)
    private static let longestBackOff = Duration.seconds(60)

    /// When it is tried again; nil while all is well.
    private(set) var retryAt: Instant?
    private var backOff = Duration.zero
    private var hasReturned = false

    mutating func note(failureAt now: Instant) {
        backOff = max(min(backOff * 2, Self.longestBackOff), Self.firstBackOff)
        retryAt = now + backOff
    }

    /// The image folder, or the disk of a table, is there again. It may have come back while a try goes on that did not
    /// find it.
    mutating func noteReturn() { hasReturned = true }

    mutating func noteSuccess() { self = Trouble() }

    /// Whether it is time for another try.
    func isDue(at now: Instant) -> Bool { hasReturned || retryAt.map { $0 <= now } ?? false }

    /// A try begins: what came before it, it will see.
    mutating func begin() { hasReturned = false }
}
