import Glibc
import Products

/// When a photo that failed is tried again though it has not changed: while it is young it may be half of a file that
/// somebody is still writing.
enum RetrySchedule {
    /// A file that has not changed for so long is taken for whole.
    static let young = Duration.seconds(60)

    /// How long after its so-many-th try a photo is tried again: 2, 4, 8 ... seconds.
    static func delay(after attempts: Int) -> Duration { .seconds(1 << min(attempts, 6)) }

    /// Whether a file was changed less than so long ago.
    static func isYoung(_ stamp: FileStamp, within young: Duration = young) -> Bool {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        // Any time can be given to a file; one in the future says nothing.
        let (age, isCenturies) = (now.tv_sec * 1_000_000_000 + now.tv_nsec)
            .subtractingReportingOverflow(stamp.mtimeNanoseconds)
        return !isCenturies && age >= 0 && age < Int(young.seconds * 1e9)
    }
}
