import Catalogue
import Foundation
import Logging
import Settings
import Synchronization

/// Runs the hook beside a running agent, on a thread of its own.
final class HookLoop: Sendable {
    private struct Shared {
        var schedule: HookSchedule
        var isStopping = false
        var running: Task<Void, Never>?
    }

    private let hook: PublishHook
    private let log: Logger
    private let monitor: ServiceMonitor
    private let shared: Mutex<Shared>
    private let wakeup = Wakeup()
    private let hasEnded = DispatchSemaphore(value: 0)

    private static let busy = "one that was begun before still runs"

    init(_ hook: PublishHook, log: Logger, monitor: ServiceMonitor) {
        self.hook = hook
        self.log = log
        self.monitor = monitor
        shared = Mutex(Shared(schedule: HookSchedule(hook.settings.hookTimes)))
        // An earlier one may have left something.
        noteRound(hasChangedFiles: true)
        let thread = Thread { [self] in
            Thread.current.name = "hook"
            work()
            hasEnded.signal()
        }
        thread.start()
    }

    /// A round has published. One that changed no file may have found that an earlier one did, and could not note it.
    func noteRound(hasChangedFiles: Bool) {
        shared.withLock { shared in
            if hasChangedFiles || shared.schedule.due == nil { shared.schedule.noteChange(at: .now) }
        }
        wakeup.signal()
    }

    /// Ends the process that runs, and waits until it has ended. It is run again at the next start.
    func stop() {
        let running = shared.withLock { shared in
            shared.isStopping = true
            return shared.running
        }
        running?.cancel()
        wakeup.signal()
        hasEnded.wait()
    }

    private func work() {
        while true {
            let (isStopping, due) = shared.withLock { ($0.isStopping, $0.schedule.due) }
            if isStopping { return }
            if let due, due <= .now {
                run()
            } else {
                wakeup.wait(atMost: due.map { $0 - .now } ?? .seconds(3600))
            }
        }
    }

    private func run() {
        let isEnded = DispatchSemaphore(value: 0)
        let outcome = Mutex<PublishHook.Outcome>(.nothingToTell)
        let (hook, log) = (hook, log)
        // Before it reads what to tell: what changes from here on is for the next run.
        shared.withLock { $0.schedule.begin() }
        let task = Task {
            do {
                let result = try await hook.tell { log.info("hook: \($0)") }
                outcome.withLock { $0 = result }
            } catch {
                outcome.withLock { $0 = .failed("\(error)") }
            }
            isEnded.signal()
        }
        let isStopping = shared.withLock { shared in
            shared.running = task
            return shared.isStopping
        }
        if isStopping { task.cancel() }
        monitor.update { $0.hook.isRunning = true }
        isEnded.wait()
        shared.withLock { $0.running = nil }
        note(outcome.withLock { $0 })
    }

    private func note(_ outcome: PublishHook.Outcome) {
        let now = ContinuousClock.now
        var failures = 0
        shared.withLock { shared in
            switch outcome {
            case .busy: shared.schedule.postpone(until: now + PublishHook.busyInterval)
            case .failed: shared.schedule.end(isSuccess: false, at: now)
            case .told, .nothingToTell: shared.schedule.end(isSuccess: true, at: now)
            }
            failures = shared.schedule.failures
        }
        let wasBusy = monitor.current.hook.trouble == Self.busy
        monitor.update {
            $0.hook.isRunning = false
            $0.hook.failures = failures
            switch outcome {
            case .nothingToTell: $0.hook.trouble = nil
            case .busy: $0.hook.trouble = Self.busy
            case .told:
                $0.hook.lastRun = Date()
                $0.hook.trouble = nil
                $0.counters.hookRuns += 1
            case .failed(let reason):
                $0.hook.lastRun = Date()
                $0.hook.trouble = reason
                $0.counters.hookRuns += 1
                $0.counters.hookFailures += 1
            }
        }
        switch outcome {
        case .nothingToTell: break
        case .busy: if !wasBusy { log.notice("the hook waits: \(Self.busy)") }
        case .told(let count): log.notice("the hook was told of \(count) products")
        case .failed(let reason):
            guard !shared.withLock({ $0.isStopping }) else { return }
            log.error("the hook failed and is run again: \(reason)")
        }
    }
}
