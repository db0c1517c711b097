import Glibc
import Products

/// Lets one thread wait until another wakes it, or for a time that does not change when somebody sets the clock: a pipe
/// and poll(2). `NSCondition` waits for a time of day.
package final class Wakeup: Sendable {
    private let (reading, writing): (Int32, Int32)

    package init() {
        var ends: [Int32] = [-1, -1]
        let isMade = pipe(&ends) == 0
        precondition(isMade, "no pipe can be opened: \(errnoText(errno))")
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        (reading, writing) = (ends[0], ends[1])
    }

    deinit {
        close(reading)
        close(writing)
    }

    /// Ends the wait that goes on, or the next one.
    package func signal() {
        // A pipe that is full wakes as well.
        _ = write(writing, [1], 1)
    }

    package func wait(atMost time: Duration) {
        let milliseconds = (time.seconds * 1000).rounded(.up)
        var poll = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&poll, 1, Int32(max(0, min(milliseconds, 3_600_000)))) > 0 else { return }
        var bytes = [UInt8](repeating: 0, count: 256)
        while read(reading, &bytes, bytes.count) == bytes.count {}
    }
}
