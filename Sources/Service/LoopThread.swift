import Catalogue
import Embedding
import Foundation
import Hooking
import Logging
import Products
import Publishing
import Reconciling
import Sandbox
import Settings
import Synchronization
import Systemd
import Tables
import Threads
import Watching

/// What the work loop's thread alone has. It lives in that thread, and ends with it.
struct LoopThread: ~Copyable {
    typealias Instant = ContinuousClock.Instant

    /// How long reading and embedding may take in one turn.
    private static let slice = Duration.seconds(2)

    private let settings: Settings
    private let notifier: ServiceNotifier
    private let monitor: ServiceMonitor
    private let mailbox: Mailbox
    private let watcher: FolderWatcher
    private let lookout: AttributesLookout
    private let pulse: Pulse
    private let reconciler: Reconciler
    /// The comparison that the backlog belongs to, and whom to tell of it. Rounds tell it how far they are while they go on.
    private let job: CurrentJob
    private let hook: HookLoop?
    private let now: Now

    private var agenda: Agenda
    private var pacer: PublishPacer
    private var journal: ServiceJournal
    private var attributesWatch = AttributesWatch()
    /// Whether photos that have no vector of the model to come may leave: somebody has confirmed it.
    private var mayLeaveOut = false
    /// Whether the settings' model may be another one than when it was looked at last.
    private var looksAgain = false

    /// Opens everything, begins to watch, and publishes what is due.
    ///
    /// - Parameter onOpen: called with the catalogue when it is open, and with nil where that was for nothing.
    init(
        _ setup: WorkLoop.Setup, _ mailbox: Mailbox, _ watcher: FolderWatcher, _ lookout: AttributesLookout,
        _ tableFiles: PatientTableFiles, onOpen: (Catalogue?) -> Void
    ) throws {
        let (settings, log, monitor) = (setup.settings, setup.log, setup.monitor)
        let pulse = Pulse(setup.notifier, monitor, watcher)
        let job = CurrentJob()
        let reconciler = try Reconciler.opened(setup, tableFiles, lookout, pulse, job, onOpen: onOpen)
        let containment = reconciler.containment
        monitor.update {
            $0.containment = containment
            if !lookout.isNeeded { $0.attributesTrouble = nil }
        }
        if settings.workers.sandbox == .off {
            log.warning("photos are read without a sandbox, as workers.sandbox says")
        }
        var journal = ServiceJournal(log, monitor, pollInterval: settings.watch.pollInterval)
        journal.record(coming: reconciler.coming, trouble: reconciler.changeTrouble)
        try watcher.start { pulse.ping() }
        log.info("watching \(watcher.state.watched) folders of \(settings.images.folder)")
        journal.record(watcher.state)
        hook = try reconciler.catalogue.flatMap { PublishHook(settings: settings, catalogue: $0) }.map {
            try HookLoop($0, log: log, status: monitor.current.hook, now: setup.now) { status in
                monitor.update { $0.hook = status }
            }
        }
        // Nothing is thrown from here on: what cannot be copied cannot be half there.
        (self.settings, self.monitor, notifier) = (settings, monitor, setup.notifier)
        (self.mailbox, self.watcher, self.lookout, self.pulse, self.job) = (
            mailbox, watcher, lookout, pulse, job
        )
        (self.reconciler, self.journal, now) = (reconciler, journal, setup.now)
        pacer = PublishPacer(at: now())
        agenda = Agenda(
            followsLinks: settings.images.followsLinks,
            change: ChangePace(percent: settings.performance.backgroundPercent, at: now()))
    }

    /// Works until it is asked to end.
    ///
    /// - Returns: what ended it, if it was not asked to, and the requests that were not answered.
    consuming func run() -> (failure: (any Error)?, unanswered: [ReconcileRequest]) {
        let failure = work()
        hook?.stop()
        reconciler.waitForLoading()
        let unanswered = job.requests
        let (monitor, watcher) = (monitor, watcher)
        // What it holds, the locks among it, goes before others are told.
        _ = consume self
        monitor.update { $0.phase = .stopping }
        watcher.stop()
        return (failure, unanswered)
    }

    private mutating func work() -> (any Error)? {
        _ = mailbox.ask(ReconcileRequest(allowsMassRemoval: false) { _ in })
        while let turn = nextTurn() {
            if let fatal = perform(turn) { return fatal }
            endTurn()
        }
        return nil
    }

    // MARK: What is next

    /// Waits for something to do. Nil when it is time to end.
    private mutating func nextTurn() -> Agenda.Turn? {
        while true {
            pulse.ping()
            // Before the lock: a file system may take its time to answer, and whoever wants the lock would wait with it.
            let attributes = attributesWatch.look(lookout, mailbox, monitor)
            let now = now()
            let limit = [lookout.interval, notifier.watchdogTimeout.map { $0 / 3 }].compactMap(\.self).min()
            var agenda = agenda
            let monitor = monitor
            let chosen = mailbox.choose { inbox in
                let turn = agenda.next(&inbox, attributes, at: now)
                // Under the lock: at every moment what was reported is either in the queue or being worked on.
                if let turn, !turn.isInBackground { monitor.update { $0.phase = .working } }
                let wake = agenda.nextWake(inbox, at: now)
                return (turn, limit.map { min(now + $0, wake) } ?? wake)
            }
            self.agenda = agenda
            guard let chosen else { return nil }
            if let turn = chosen.choice { return turn }
            journal.record(watcher.state)
            mailbox.wait(until: chosen.wake)
        }
    }

    /// Returns what makes no sense to try again.
    private mutating func perform(_ turn: Agenda.Turn) -> (any Error)? {
        // Before the time counts: its disk may take a while to answer.
        if !turn.isInBackground, case .due(let stamp) = lookout.look() {
            agenda.notePublishingDue()
            lookout.note(seen: stamp)
        }
        let start = now()
        var options = Round.Options()
        let (mailbox, lookout, now, sliceEnd) = (mailbox, lookout, now, start + Self.slice)
        options.isStopping = { mailbox.isStopping }
        let isSliceOver: @Sendable () -> Bool = { now() > sliceEnd || mailbox.isStopping }
        options.isOver = isSliceOver
        let scope: Round.Scope
        switch turn {
        case .everything(let batch, let requests):
            beginComparison(requests, batch)
            options.allowsMassRemoval = job.allowsMassRemoval
            scope = .everything
        case .places(let batch):
            scope = .places(batch.places)
        case .backlog(let places):
            options.allowsMassRemoval = job.allowsMassRemoval
            // A change that somebody makes now goes first.
            options.isOver = { isSliceOver() || mailbox.hasDue }
            scope = .places(places)
        case .publish:
            scope = .places([])
        case .prepareChange:
            options.isOver = { isSliceOver() || mailbox.hasDue || lookout.isAwaited }
            return prepareChange(options, from: start)
        }
        job.note(backlog: agenda.backlogCount)
        options.deferral = deferral(turn.finished, start)
        if case .publish = turn {} else { options.mayPublishLater = pacer.mayWait(at: start) }
        return round(scope, options, from: start)
    }

    private mutating func round(
        _ scope: Round.Scope, _ options: Round.Options, from start: Instant
    ) -> (any Error)? {
        do {
            let round = try reconciler.round(scope, options)
            note(round, scope, from: start)
            if round.isPublished { journal.record(attributesTrouble: reconciler.attributesTrouble) }
            // What was opened anew may have found that the settings name another model.
            if reconciler.coming != nil, agenda.change.next == nil { agenda.change.tryNow(at: now()) }
            return nil
        } catch {
            return fatal(after: error)
        }
    }

    private func deferral(_ finished: Set<ImagePath>, _ now: Instant) -> Deferral {
        var deferral = mailbox.deferral(finished, at: now)
        deferral.youngFor = settings.watch.settleLimit
        // What was begun may have been finished since.
        if watcher.state.isBehind { deferral.unfinished = [] }
        return deferral
    }

    private mutating func beginComparison(_ requests: [ReconcileRequest], _ batch: LookQueue.Batch) {
        journal.recordBegin(batch.everything)
        job.begin(requests, goesOn: agenda.owesComparison)
        agenda.beginComparison()
        guard !requests.isEmpty else { return }
        agenda.change.tryNow(at: now())
        looksAgain = true
        if requests.contains(where: \.allowsMassRemoval) { mayLeaveOut = true }
    }

    // MARK: Change of model

    /// One step of the change to another model, in time that nothing else needs. Returns what makes no sense to try again.
    private mutating func prepareChange(_ options: Round.Options, from start: Instant) -> (any Error)? {
        defer { journal.record(coming: reconciler.coming, trouble: reconciler.changeTrouble) }
        do {
            let step = try reconciler.prepareChange(
                looksAgain: looksAgain, leavesOut: mayLeaveOut, options)
            looksAgain = false
            switch step {
            case .nothingToDo:
                agenda.change.noteEnd()
                mayLeaveOut = false
            case .embedded(let count):
                agenda.change.note(embedded: count, stepFrom: start, to: now())
                // It was for what was in the way when it was given.
                if count > 0 { mayLeaveOut = false }
                monitor.update { $0.counters.photosEmbedded += count }
            case .tookOver(let report):
                agenda.change.noteEnd()
                mayLeaveOut = false
                journal.record(takeOver: report)
                hook?.noteRound(hasChangedFiles: true)
                // Photos that failed under the other model may not under this.
                _ = mailbox.ask(ReconcileRequest(allowsMassRemoval: false) { _ in })
            }
            return nil
        } catch {
            looksAgain = false
            guard case ReconcileError.changeFailed = error else { return fatal(after: error) }
            mayLeaveOut = false
            agenda.change.noteFailure(at: now())
            return nil
        }
    }

    // MARK: What a round did

    private mutating func note(_ round: Round, _ scope: Round.Scope, from start: Instant) {
        let now = now()
        if mailbox.isInTrouble { journal.recordRecovery() }
        let looked: Set<ImagePath>? = if case .places(let places) = scope { Set(places) } else { nil }
        agenda.note(round, isWhole: looked == nil)
        journal.record(heldBack: agenda.heldBack)
        mailbox.note(round, looked: looked, at: now)
        job.note(round, looked: looked, backlog: agenda.backlogCount)
        if round.isPublished {
            let hasChangedFiles = round.report.published.written + round.report.published.removed > 0
            pacer.note(publishedFrom: start, to: now, hasChangedFiles: hasChangedFiles)
            hook?.noteRound(hasChangedFiles: hasChangedFiles)
        }
        journal.record(round)
    }

    /// Something went wrong. Returns it where trying again makes no sense.
    private mutating func fatal(after error: any Error) -> (any Error)? {
        if case ReconcileError.stopped = error { return nil }
        if error.isFatal { return error }
        if case PublishingError.cannotWrite(_, EROFS) = error, notifier.isPresent {
            return ServiceError.outputLost(folder: settings.output.folder)
        }
        if error is FolderScanError {
            // The watcher tells when it is back; and if it cannot, the next look does.
            monitor.update { $0.phase = .waitingForFolder }
        }
        agenda.notePublishingDue()
        mailbox.noteTrouble(at: now())
        journal.record(trouble: error)
        job.fail(error)
        return nil
    }

    /// After a turn: ends a comparison that is through, and tells how things stand.
    private mutating func endTurn() {
        let isInTrouble = mailbox.isInTrouble
        let isThrough = agenda.isDone && !isInTrouble
        if isThrough, job.isThrough, !AttributesLook(state: lookout.look()).isNew {
            job.end(reconciler.catalogue)
            monitor.update { $0.counters.reconciles += 1 }
        }
        let phase = agenda.phase(
            isInTrouble: isInTrouble, isFolderThere: watcher.state.isFolderThere,
            areAttributesInTrouble: monitor.current.attributesTrouble != nil)
        let backlog = agenda.backlogCount
        monitor.update {
            $0.phase = phase
            $0.backlog = backlog
            if !isInTrouble { $0.trouble = nil }
            if phase != .working {
                $0.progress = ""
                $0.photosPerSecond = nil
            }
        }
        if phase != .working { pulse.rest(products: (try? reconciler.catalogue?.rankedProductCount()) ?? 0) }
    }
}

extension Reconciler {
    /// One that is open, and has published what was due; it says through the pulse how far its rounds are.
    fileprivate static func opened(
        _ setup: WorkLoop.Setup, _ tableFiles: PatientTableFiles, _ lookout: AttributesLookout,
        _ pulse: Pulse,
        _ job: CurrentJob, onOpen: (Catalogue?) -> Void
    ) throws -> Reconciler {
        let reconciler = try Reconciler(
            settings: setup.settings, executable: setup.executable, keepsModelInService: true,
            tableFiles: tableFiles
        ) { progress in
            pulse.show(progress, whole: job.tell)
            if lookout.isAwaited { _ = lookout.look() }
        }
        do {
            try reconciler.prepare()
            onOpen(reconciler.catalogue)
            try reconciler.start()
            return reconciler
        } catch {
            onOpen(nil)
            reconciler.waitForLoading()
            throw error
        }
    }
}

extension Error {
    /// Whether trying again makes no sense until somebody has mended something.
    fileprivate var isFatal: Bool {
        switch self as any Error {
        case is SettingsError, is ModelError, SandboxError.cannotContain: true
        default: isBeyondRepair
        }
    }
}
