import Products

/// When a photo that failed is tried again though it has not changed: while it is young it may be half of a file that
/// somebody is still writing.
package enum RetrySchedule {
    /// A file that has not changed for so long is taken for whole.
    static let young = Duration.seconds(60)

    /// After more tries than this the wait grows no more.
    static let mostCounted = 6

    /// How long after its n-th try a photo is tried again: 2, 4, 8, ... 64 seconds.
    package static func delay(after attempts: Int) -> Duration { .seconds(1 << min(attempts, mostCounted)) }
}
