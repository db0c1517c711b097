import Catalogue
import Foundation
import Logging
import Products
import Publishing
import Settings
import Synchronization
import SystemPackage

/// Tells the program that `publish.hook` names of each product whose file has changed, until it has understood.
///
/// What it has not been told of is in the catalogue, so nothing is lost with the process. Its standard input is a file in
/// the state folder that is locked as long as anybody has it open: also across a kill of the agent there are never two.
package struct PublishHook: Sendable {
    let settings: Settings
    let catalogue: Catalogue

    /// The file that the changes are handed over in.
    static let fileName = "hook-changes.jsonl"
    /// So long after it is looked again whether one that was begun before has ended.
    static let busyInterval = Duration.seconds(1)

    enum Outcome: Hashable, Sendable {
        case nothingToTell
        case told(Int)
        case failed(String)
        /// One that was begun before still runs.
        case busy
    }

    /// Nil where the settings name none.
    init?(settings: Settings, catalogue: Catalogue) {
        guard !settings.hook.isEmpty else { return nil }
        self.settings = settings
        self.catalogue = catalogue
    }

    /// Runs it once, if there is something to tell.
    ///
    /// - Parameters:
    ///   - hasSession: whether it is out of reach of the terminal that the agent was started from.
    ///   - log: takes each line that it writes.
    /// - Throws: `CatalogueError`, or `AgentError` where the file for the changes cannot be written.
    func tell(hasSession: Bool, log: @escaping @Sendable (String) -> Void) async throws -> Outcome {
        let changes = try catalogue.hookChanges()
        guard !changes.isEmpty else { return .nothingToTell }
        let file = "\(settings.stateFolder)/\(Self.fileName)"
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw AgentError.cannotWrite(file: file, reason: describe(errno)) }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return .busy }
        let input = FileDescriptor(rawValue: descriptor)
        do {
            guard ftruncate(descriptor, 0) == 0 else { throw Errno(rawValue: errno) }
            try input.writeAll(lines(changes))
            try input.seek(offset: 0, from: .start)
        } catch {
            throw AgentError.cannotWrite(file: file, reason: "\(error)")
        }
        let run = HookRun(
            command: settings.hook, input: input, outputFolder: settings.outputFolder,
            timeout: settings.hookTimeout, hasSession: hasSession)
        if let failure = await run.run(log: log) { return .failed(failure) }
        try catalogue.noteTold(changes)
        return .told(changes.count)
    }

    /// Runs it at once, after one that was begun before has ended; for commands.
    ///
    /// - Parameter log: takes each line that it writes.
    /// - Returns: why it failed; nil where it did not.
    package func run(log: @escaping @Sendable (String) -> Void) async throws(AgentError) -> String? {
        let end = ContinuousClock.now + settings.hookTimeout
        while true {
            let outcome: Outcome
            do {
                outcome = try await tell(hasSession: false, log: log)
            } catch {
                let caught = error
                return try inRooms { throw caught }
            }
            switch outcome {
            case .nothingToTell, .told: return nil
            case .failed(let reason): return reason
            case .busy:
                guard .now < end else { return "one that was begun before still runs" }
                try? await Task.sleep(for: Self.busyInterval)
            }
        }
    }

    /// One JSON object a line.
    private func lines(_ changes: [HookChange]) -> [UInt8] {
        let layout = OutputForm(settings).layout
        var bytes: [UInt8] = []
        for change in changes {
            var json = JSONText(isCompact: true)
            json.open(.object)
            json.addMember("product", change.product.text)
            json.addMember("change", change.isRemoved ? "removed" : "written")
            json.addMember("file", OutputPath(of: change.product, in: layout).relative)
            json.close()
            bytes += json.bytes + [UInt8(ascii: "\n")]
        }
        return bytes
    }

    private func describe(_ number: Int32) -> String { String(cString: strerror(number)) }
}

/// Runs the hook beside a running agent, on a thread of its own.
///
/// `@unchecked Sendable`: what is not locked belongs to the thread.
final class HookLoop: @unchecked Sendable {
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

    init(_ hook: PublishHook, log: Logger, monitor: ServiceMonitor) {
        self.hook = hook
        self.log = log
        self.monitor = monitor
        shared = Mutex(Shared(schedule: HookSchedule(hook.settings.hookTimes)))
        if (try? hook.catalogue.hookChangeCount()) ?? 0 > 0 { noteChange() }
        let thread = Thread { [self] in
            Thread.current.name = "hook"
            work()
            hasEnded.signal()
        }
        thread.start()
    }

    /// Files have changed.
    func noteChange() {
        shared.withLock { $0.schedule.noteChange(at: .now) }
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
        let task = Task {
            do {
                let result = try await hook.tell(hasSession: true) { log.info("hook: \($0)") }
                outcome.withLock { $0 = result }
            } catch {
                outcome.withLock { $0 = .failed("\(error)") }
            }
            isEnded.signal()
        }
        let isStopping = shared.withLock { shared in
            shared.schedule.begin()
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
        monitor.update {
            $0.hook.isRunning = false
            $0.hook.failures = failures
            switch outcome {
            case .nothingToTell: break
            case .busy: $0.hook.trouble = "one that was begun before still runs"
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
        case .nothingToTell, .busy: break
        case .told(let count): log.notice("the hook was told of \(count) products")
        case .failed(let reason):
            guard !shared.withLock({ $0.isStopping }) else { return }
            log.error("the hook failed and is run again: \(reason)")
        }
    }
}
