import Catalogue
import Foundation
import Logging
import Settings
import Synchronization
import Threads

/// How the hook is, for whoever asks.
package struct HookStatus: Hashable, Sendable {
    package var isRunning = false
    /// When it ended last.
    package var lastRun: Date?
    /// Why it failed last, or cannot be begun; nil where all is well.
    package var trouble: String?
    /// In a row.
    package var failures = 0
    /// Since the agent was started.
    package var runs = 0
    package var failedRuns = 0

    package init() {}
}

/// Runs the hook beside a running agent, on a thread of its own.
package final class HookLoop: Sendable {
    private struct Shared {
        var schedule: HookSchedule
        var status: HookStatus
        var thread: OwnThread?
        var isStopping = false
        var running: Task<Void, Never>?
    }

    private let hook: PublishHook
    private let log: Logger
    private let onChange: @Sendable (HookStatus) -> Void
    private let shared: Mutex<Shared>
    private let wakeup = Wakeup()
    private let now: Now

    private static let busy = "one that was begun before still runs"

    /// - Parameters:
    ///   - status: what an earlier loop of this process left.
    ///   - onChange: called with each change of the status, on the loop's thread.
    package init(
        _ hook: PublishHook, log: Logger, status: HookStatus = HookStatus(), now: @escaping Now = { .now },
        onChange: @escaping @Sendable (HookStatus) -> Void
    ) throws(ThreadError) {
        self.hook = hook
        self.log = log
        self.onChange = onChange
        self.now = now
        shared = Mutex(Shared(schedule: HookSchedule(.init(hook.settings.publish)), status: status))
        // An earlier one may have left something.
        noteRound(hasChangedFiles: true)
        let thread = try OwnThread("hook") { [self] in work() }
        shared.withLock { $0.thread = thread }
    }

    /// A round has published. One that changed no file may have found that an earlier one did, and could not note it.
    package func noteRound(hasChangedFiles: Bool) {
        shared.withLock { shared in
            if hasChangedFiles || shared.schedule.due == nil { shared.schedule.noteChange(at: now()) }
        }
        wakeup.signal()
    }

    /// Ends the process that runs, and waits until it has ended. It is run again at the next start.
    package func stop() {
        let (running, thread) = shared.withLock { shared in
            shared.isStopping = true
            return (shared.running, shared.thread)
        }
        running?.cancel()
        wakeup.signal()
        thread?.join()
    }

    private func work() {
        while true {
            let (isStopping, due) = shared.withLock { ($0.isStopping, $0.schedule.due) }
            if isStopping { return }
            if let due, due <= now() {
                run()
            } else {
                wakeup.wait(atMost: due.map { $0 - now() } ?? .seconds(3600))
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
                outcome.withLock { $0 = .failed(error.explained.description) }
            }
            isEnded.signal()
        }
        let isStopping = shared.withLock { shared in
            shared.running = task
            return shared.isStopping
        }
        if isStopping { task.cancel() }
        update { $0.isRunning = true }
        isEnded.wait()
        shared.withLock { $0.running = nil }
        note(outcome.withLock { $0 })
    }

    private func update(_ change: (inout HookStatus) -> Void) {
        let status = shared.withLock { shared in
            change(&shared.status)
            return shared.status
        }
        onChange(status)
    }

    private func note(_ outcome: PublishHook.Outcome) {
        let now = now()
        let (wasBusy, failures) = shared.withLock { shared in
            switch outcome {
            case .busy: shared.schedule.postpone(until: now + PublishHook.busyInterval)
            case .failed: shared.schedule.end(isSuccess: false, at: now)
            case .told, .nothingToTell: shared.schedule.end(isSuccess: true, at: now)
            }
            return (shared.status.trouble == Self.busy, shared.schedule.failures)
        }
        update { status in
            status.isRunning = false
            status.failures = failures
            switch outcome {
            case .nothingToTell: status.trouble = nil
            case .busy: status.trouble = Self.busy
            case .told:
                status.lastRun = Date()
                status.trouble = nil
                status.runs += 1
            case .failed(let reason):
                status.lastRun = Date()
                status.trouble = reason
                status.runs += 1
                status.failedRuns += 1
            }
        }
        switch outcome {
        case .nothingToTell: break
        case .busy: if !wasBusy { log.notice("the hook waits: \(Self.busy)") }
        case .told(let count): log.notice("the hook was notified of \(count) products")
        case .failed(let reason):
            guard !shared.withLock({ $0.isStopping }) else { return }
            log.error("the hook failed and is run again: \(reason)")
        }
    }
}
