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
    static let longestStop = Duration.seconds(4)

    /// From now on signals are events. The process ends `longestStop` after the first `stop`, if it has not by then.
    ///
    /// - Parameter onEvent: called on the thread; must not wait for anything.
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
            for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&taken, number) }
            pthread_sigmask(SIG_UNBLOCK, &taken, nil)
            var end: ContinuousClock.Instant?
            while true {
                var poll = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
                let left = end.map { Int32(max(0, ($0 - .now).seconds * 1000).rounded(.up)) }
                let ready = Glibc.poll(&poll, 1, left ?? -1)
                if let end, end <= .now { _exit(0) }
                guard ready > 0 else { continue }
                var bytes = [UInt8](repeating: 0, count: 256)
                _ = read(reading, &bytes, bytes.count)
                if imgrec_take_signal(SIGTERM) + imgrec_take_signal(SIGINT) > 0 {
                    if end == nil { end = .now + longestStop }
                    onEvent(.stop)
                }
                if imgrec_take_signal(SIGHUP) > 0 { onEvent(.reload) }
            }
        }
        guard imgrec_pass_signals([SIGTERM, SIGINT, SIGHUP], 3, writing) == 0 else {
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
            // Then the kernel ends it, without last words.
            alarm(UInt32(longestStop.seconds))
        }
    }
}
