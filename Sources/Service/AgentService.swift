import Catalogue
import Control
import Foundation
import Insight
import Logging
import Reconciling
import Sandbox
import ServiceLifecycle
import Settings
import Synchronization
import Systemd
import Tables
import Threads
import Watching

/// The long-running agent: the work loop, the control socket, and what the service manager is told.
package final class AgentService: Service {
    private let settingsFile: String
    private let executable: String
    /// One for all loops: where it hangs, it is not to be started once more for each.
    private let attributesWorker: FileWorker
    private let version: String
    private let log: Logger
    private let notifier: ServiceNotifier
    private let monitor = ServiceMonitor()
    private let current: Mutex<Current>
    private let endings = AsyncStream.makeStream(of: Ending.self)
    private let isReloading = Atomic(false)
    private let listening = AsyncStream.makeStream(of: Void.self)
    /// SIGHUPs. All that come while settings are being read count as one.
    fileprivate let reloads = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    private struct Current {
        var settings: Settings
        var loop: WorkLoop
        var isStopping = false
        /// Requests that came, or were left, between two loops.
        var waiting: [ReconcileRequest] = []
        /// Why no loop is running any more.
        var failure: (any Error)?
    }

    private enum Ending: Sendable {
        case asked
        case failed(any Error)
    }

    /// - Parameters:
    ///   - settings: as read from the file.
    ///   - settingsFile: read again on SIGHUP.
    package init(
        settings: Settings, settingsFile: String, executable: String, version: String, log: Logger,
        notifier: ServiceNotifier
    ) {
        self.settingsFile = settingsFile
        self.executable = executable
        attributesWorker = PatientTableFiles.worker(executable: executable)
        self.version = version
        self.log = log
        self.notifier = notifier
        let loop = WorkLoop(
            .init(
                settings: settings, executable: executable, attributesWorker: attributesWorker, log: log,
                notifier: notifier, monitor: monitor))
        current = Mutex(Current(settings: settings, loop: loop))
    }

    /// Runs until SIGTERM or SIGINT.
    ///
    /// - Throws: what ended it otherwise.
    package static func run(
        settings: Settings, settingsFile: String, executable: String, version: String, log: Logger,
        notifier: ServiceNotifier = .current
    ) async throws {
        let agent = AgentService(
            settings: settings, settingsFile: settingsFile, executable: executable, version: version,
            log: log,
            notifier: notifier)
        let group = Mutex<ServiceGroup?>(nil)
        let isStopping = Atomic(false)
        try SignalThread.start { event in
            switch event {
            case .reload: agent.reloads.continuation.yield()
            case .stop:
                isStopping.store(true, ordering: .sequentiallyConsistent)
                if let group = group.withLock({ $0 }) { Task { await group.triggerGracefulShutdown() } }
            }
        }
        let lock = try await onOwnThread("start") { try ControlServer.takeSocket(settings) }
        defer { withExtendedLifetime(lock) {} }
        var configuration = ServiceGroupConfiguration(
            services: [
                .init(
                    service: ControlServer(path: settings.controlSocket, agent: agent, log: log),
                    successTerminationBehavior: .ignore, failureTerminationBehavior: .cancelGroup),
                .init(service: Reloading(agent: agent), successTerminationBehavior: .ignore),
                // Whoever waits at the control socket is still to hear why it ends.
                .init(
                    service: agent, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup),
            ],
            logger: Logger(label: "services") { _ in SwiftLogNoOpLogHandler() })
        configuration.maximumGracefulShutdownDuration = SignalThread.longestStop
        let services = ServiceGroup(configuration: configuration)
        group.withLock { $0 = services }
        // Asked to stop before there was anything to be told.
        if isStopping.load(ordering: .sequentiallyConsistent) { await services.triggerGracefulShutdown() }
        try await services.run()
    }

    // MARK: Running

    package func run() async throws {
        // systemd and people may speak to it as soon as it is ready.
        for await _ in listening.stream { break }
        try Task.checkCancellation()
        try await withGracefulShutdownHandler {
            do {
                try await start(current.withLock { $0.loop })
                log.notice("ready")
                notifier.ready()
                for await case .failed(let failure) in endings.stream.prefix(1) { throw failure }
                answerWaiting(ReconcileError.stopped)
            } catch {
                let failure = error is CancellationError ? ReconcileError.stopped : error.explained
                answerWaiting(failure)
                SignalThread.endSoon(failure.systemExit.rawValue) { [log] in log.critical("\(failure)") }
                throw failure
            }
        } onGracefulShutdown: { [self] in
            notifier.stopping()
            log.notice("stopping")
            current.withLock {
                $0.isStopping = true
                $0.loop.stop()
            }
        }
    }

    func controlIsListening() {
        listening.continuation.yield()
        listening.continuation.finish()
    }

    /// Starts a loop and waits until it is ready.
    private func start(_ loop: WorkLoop) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            loop.start {
                continuation.resume(with: $0.mapError { $0 as any Error })
            } onEnd: { [self] error in
                if let error {
                    endings.continuation.yield(.failed(error))
                } else if !isReloading.load(ordering: .acquiring) {
                    endings.continuation.yield(.asked)
                }
            }
        }
    }

    // MARK: Settings read again

    /// Reads the settings again. Whatever is wrong with them, the old ones stay in force.
    func reload() async {
        notifier.reloading()
        defer { if !current.withLock({ $0.isStopping }) { notifier.ready() } }
        do {
            let new = try await readSettings()
            let old = current.withLock { $0.settings }
            guard new != old else {
                monitor.update { $0.settingsTrouble = nil }
                // The model that they name may be another one by now.
                ask(ReconcileRequest(allowsMassRemoval: false) { _ in })
                return log.notice("the settings are as they were")
            }
            guard !new.needsRestart(since: old) else { throw ServiceError.needsRestart }
            // What can be known before the old loop is given up.
            try await checkStart(new)
            await replace(with: new, old: old)
        } catch {
            keepSettings(because: error)
        }
    }

    private func readSettings() async throws -> Settings {
        let file = settingsFile
        return try await onOwnThread("settings") { try Settings(file: file) }
    }

    private func checkStart(_ settings: Settings) async throws {
        let (executable, worker) = (executable, attributesWorker)
        // It reads whole networks.
        try await onOwnThread("settings") {
            let files = PatientTableFiles(worker, settings)
            _ = try Reconciler(settings: settings, executable: executable, tableFiles: files)
        }
    }

    private func keepSettings(because error: any Error) {
        log.error("the settings were not changed: \(error.explained)")
        monitor.update { $0.settingsTrouble = error.explained.description }
    }

    private func replace(with new: Settings, old: Settings) async {
        isReloading.store(true, ordering: .releasing)
        defer { isReloading.store(false, ordering: .releasing) }
        await current.withLock { $0.loop }.end()
        do {
            try await begin(new)
            monitor.update { $0.settingsTrouble = nil }
            log.notice("the settings were read again and are in force")
        } catch {
            do {
                try await begin(old)
                keepSettings(because: error)
            } catch {
                if case ReconcileError.stopped = error {
                    endings.continuation.yield(.asked)
                } else {
                    endings.continuation.yield(.failed(error))
                }
            }
        }
    }

    /// Nobody is left to do what they ask for.
    private func answerWaiting(_ error: any Error) {
        let waiting = current.withLock { current in
            defer { current.waiting = [] }
            current.failure = error
            return current.waiting + current.loop.takeRequests()
        }
        for request in waiting { request.end(.failure(error)) }
    }

    private func begin(_ settings: Settings) async throws {
        let loop = WorkLoop(
            .init(
                settings: settings, executable: executable, attributesWorker: attributesWorker, log: log,
                notifier: notifier, monitor: monitor),
            finished: current.withLock { $0.loop.takeFinished() })
        let isStopping = current.withLock { current in
            guard !current.isStopping else { return true }
            let waiting = current.waiting + current.loop.takeRequests()
            current = Current(settings: settings, loop: loop)
            for request in waiting { _ = loop.ask(request) }
            return false
        }
        guard !isStopping else { throw ReconcileError.stopped }
        monitor.update { $0.phase = .starting }
        try await start(loop)
    }

    // MARK: For the control socket

    func ask(_ request: ReconcileRequest) {
        current.withLock { current in
            if let failure = current.failure { return request.end(.failure(failure)) }
            if current.loop.ask(request) { return }
            if isReloading.load(ordering: .acquiring) {
                current.waiting.append(request)
            } else {
                request.end(.failure(current.loop.failure ?? ReconcileError.stopped))
            }
        }
    }

    func status() throws -> StatusReport {
        let (settings, loop) = current.withLock { ($0.settings, $0.loop) }
        let (settling, watches) = (loop.countSettling(), loop.watches)
        try checkPlace(loop.catalogue)
        // For a moment at the start, and while settings are read again, the loop has none open. One that cannot be read
        // then is about to be brought up to date.
        let catalogue =
            loop.catalogue ?? (try? Catalogue.forReading(stateFolder: settings.state.folder))
            ?? loop.catalogue
        let now = monitor.current
        var report = try StatusReport(settings: settings, catalogue: catalogue, hook: now.hook)
        report.running = StatusReport.Running(now, settling: settling, watches: watches, version: version)
        report.folders = watches.isFolderThere ? watches.watched + watches.unwatched.count : nil
        return report
    }

    /// Removes what is kept of models that are not used any more.
    func prune() throws -> [PrunedModel] {
        guard let catalogue = current.withLock({ $0.loop }).catalogue else {
            throw ServiceError.isStarting
        }
        try checkPlace(catalogue)
        return try ModelShelf.prune(catalogue)
    }

    /// - Throws: where somebody has deleted or replaced the catalogue.
    private func checkPlace(_ catalogue: Catalogue?) throws(CatalogueError) {
        guard let catalogue, !catalogue.isInPlace else { return }
        // The loop's next round finds that out too, and ends it.
        ask(ReconcileRequest(allowsMassRemoval: false) { _ in })
        throw .gone(file: catalogue.file)
    }

    func metrics() throws -> String {
        let status = try status()
        let now = monitor.current
        var counters = now.counters
        (counters.hookRuns, counters.hookFailures) = (now.hook.runs, now.hook.failedRuns)
        return Metrics(status, counters).exposition
    }

    var isWell: Bool {
        let now = monitor.current
        return now.trouble == nil && now.attributesTrouble == nil && now.phase != .stopping
            && now.phase != .starting
    }
}

/// Reads the settings again on SIGHUP.
private struct Reloading: Service {
    let agent: AgentService

    func run() async throws {
        for await _ in agent.reloads.stream.cancelOnGracefulShutdown() {
            await agent.reload()
        }
    }
}
