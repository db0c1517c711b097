import Glibc

/// What identifies a version of a file without reading it.
package struct FileStamp: Hashable, Sendable {
    package let bytes: Int
    /// Time of the last change of the content, in nanoseconds since 1970.
    package let mtimeNanoseconds: Int

    package init(bytes: Int, mtimeNanoseconds: Int) {
        self.bytes = bytes
        self.mtimeNanoseconds = mtimeNanoseconds
    }

    /// - Parameters:
    ///   - seconds, nanoseconds: a `timespec`; one beyond the year 2262 wraps around, which is still a stamp.
    package init(bytes: Int, seconds: Int, nanoseconds: Int) {
        self.init(bytes: bytes, mtimeNanoseconds: seconds &* 1_000_000_000 &+ nanoseconds)
    }

    /// What stat(2) says of a file.
    package init(_ status: stat) {
        self.init(
            bytes: Int(status.st_size), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }

    /// Whether the file was changed less than so long ago, so that somebody may still be writing it. Clocks of machines
    /// differ: one that was changed less than so long from now counts too.
    ///
    /// - Parameter now: nanoseconds since 1970.
    package func isYoung(within span: Duration, at now: Int = Self.now) -> Bool {
        // Any time can be given to a file, also one that lies centuries away.
        let (age, isCenturies) = now.subtractingReportingOverflow(mtimeNanoseconds)
        let limit = Int(span.seconds * 1e9)
        return !isCenturies && -limit < age && age < limit
    }

    /// The time of day, in nanoseconds since 1970.
    package static var now: Int {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return now.tv_sec * 1_000_000_000 + now.tv_nsec
    }
}

extension Duration {
    /// As a number, for reports.
    package var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
