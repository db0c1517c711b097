import CLinux
import Foundation
import Products
import Threads

/// Takes the signals of a long-running agent, on a thread of its own that waits for nothing else: no lock, no file system
/// and none of the threads that Swift's concurrency shares. So SIGTERM ends the agent in time, whatever hangs.
enum SignalThread {
    enum Event: Sendable {
        /// SIGTERM or SIGINT.
        case stop
        /// SIGHUP.
        case reload
    }

    /// A stop takes no longer than this, whatever the agent is at: everything is on disk, and the next start goes on.
    static let longestStop = Duration.seconds(Int(longestStopSeconds))
    private static let longestStopSeconds: UInt32 = 4

    /// From now on signals are events. The process ends `longestStop` after SIGTERM or SIGINT, if it has not by then: the signal's
    /// handler sees to that, for `onEvent` may wait in spite of itself. Where the system gives no further thread, libdispatch tries
    /// for ever to get one, in the thread that gives it work.
    ///
    /// - Parameter onEvent: called on the thread; is not to wait for anything.
    static func start(_ onEvent: @escaping @Sendable (Event) -> Void) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ServiceError.noPipe(errno: errno) }
        let (reading, writing) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(writing, F_SETFL, O_NONBLOCK)
        try OwnThread("signals") {
            // One thread at least takes them, whatever the others have inherited.
            var taken = sigset_t()
            sigemptyset(&taken)
            for number in [SIGTERM, SIGINT, SIGHUP, SIGALRM] { sigaddset(&taken, number) }
            pthread_sigmask(SIG_UNBLOCK, &taken, nil)
            while true {
                var bytes = [UInt8](repeating: 0, count: 256)
                _ = read(reading, &bytes, bytes.count)
                if imgrec_take_signal(SIGTERM) + imgrec_take_signal(SIGINT) > 0 { onEvent(.stop) }
                if imgrec_take_signal(SIGHUP) > 0 { onEvent(.reload) }
            }
        }
        guard imgrec_pass_signals([SIGTERM, SIGINT, SIGHUP], 3, writing, longestStopSeconds) == 0 else {
            throw ServiceError.noPipe(errno: errno)
        }
        imgrec_outlive_readers()
    }

    /// The process ends after `longestStop`, if it has not by then: for an end that no signal asked for.
    ///
    /// - Parameter onEnd: called before that, and not waited for long.
    static func endSoon(_ code: Int32, _ onEnd: @escaping @Sendable () -> Void) {
        do {
            try OwnThread("end") {
                Thread.sleep(forTimeInterval: longestStop.seconds)
                _ = try? OwnThread("last words", onEnd).join(atMost: .milliseconds(500))
                _exit(code)
            }
        } catch {
            // Then without last words.
            imgrec_end_after(longestStopSeconds, code)
        }
    }
}
