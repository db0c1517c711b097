import Glibc
import Products

/// What time it is. Where a loop decides by time, a test can say.
package typealias Now = @Sendable () -> ContinuousClock.Instant

/// Lets one thread wait until another wakes it, or for a time that does not change when somebody sets the clock: a condition
/// variable of the monotonic clock (pthread_condattr_setclock(3)). `NSCondition` waits for a time of day. It needs no file
/// descriptor, and so cannot fail for want of one.
package final class Wakeup: Sendable {
    // Allocated, for the C functions want each of them at one address all its life.
    nonisolated(unsafe) private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    nonisolated(unsafe) private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Touched while the mutex is locked.
    nonisolated(unsafe) private var isSignalled = false

    package init() {
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Ends the wait that goes on, or the next one.
    package func signal() {
        pthread_mutex_lock(mutex)
        isSignalled = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Waits for a signal, or for a time of the monotonic clock, a day at the most. A signal that came before ends it at once.
    /// For one thread.
    package func wait(atMost time: Duration) {
        var end = timespec()
        clock_gettime(CLOCK_MONOTONIC, &end)
        let nanoseconds = end.tv_nsec + Int(min(max(time.seconds, 0), Self.longest) * 1e9)
        end.tv_sec += nanoseconds / 1_000_000_000
        end.tv_nsec = nanoseconds % 1_000_000_000
        pthread_mutex_lock(mutex)
        while !isSignalled, pthread_cond_timedwait(condition, mutex, &end) != ETIMEDOUT {}
        isSignalled = false
        pthread_mutex_unlock(mutex)
    }

    /// In seconds; a wait is never that long.
    private static let longest = 86_400.0
}
