import Catalogue
import Control
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

/// The running agent's one thread of work: takes hints and wishes, and runs rounds of the `Reconciler`.
///
/// Whatever is to be done becomes one of five turns, in this order: everything is compared (at the start, on request,
/// when the watcher says so, after trouble); places with changes are looked at; photos of the backlog are; or what
/// was stored is published. Where nothing of that is to be done, photos are embedded for a model that is to take over. A
/// turn is over in about two seconds, so that a change does not wait for a large import.
///
/// `@unchecked Sendable`: what is not locked belongs to the loop's thread.
final class WorkLoop: @unchecked Sendable {
    private struct Shared {
        var queue: LookQueue
        var requests: [ReconcileRequest] = []
        /// The loop wakes by itself at this time.
        var nextWake = ContinuousClock.now
        var trouble: Trouble
        /// Photos that are whole and were changed, whatever their size and time say, until they have been looked at.
        var finished: Set<ImagePath>
        var isStopping = false
        /// No more requests are taken.
        var isClosed = false
        /// What ended it, if it was not asked to.
        var failure: (any Error)?
        var hasEnded = false
        /// Called when it has.
        var onEnd: [@Sendable () -> Void] = []
        /// How the table of attributes was when it was looked at last.
        var table = TableLook.known
        /// Who waits for the next look at it.
        var lookers: [DispatchSemaphore] = []
    }

    fileprivate enum Turn {
        case everything(LookQueue.Batch, [ReconcileRequest])
        case places(LookQueue.Batch)
        case backlog
        case publish
        case prepareChange
    }

    /// How long reading and embedding may take in one turn.
    private static let slice = Duration.seconds(2)
    /// Publishing may take one part in so many of the time while photos wait.
    private static let publishShare = 5
    /// So often is looked whether the table of attributes has changed.
    private static let tableInterval = Duration.seconds(1)
    /// How long whoever asks for a look at the table waits for it.
    private static let longestLook = 1.0
    /// How long the watcher may be silent before the watchdog is no longer told that all is well.
    private static let longestSilence = Duration.seconds(45)

    private let settings: Settings
    private let executable: String
    private let log: Logger
    private let notifier: ServiceNotifier
    private let monitor: ServiceMonitor
    private let watcher: FolderWatcher
    private let tableFiles: PatientTableFiles
    private let shared: Mutex<Shared>
    private let wakeup = Wakeup()
    private let openCatalogue = Mutex<Catalogue?>(nil)

    // The thread's own.
    /// The table of attributes that is published, or was tried last and cannot be used.
    private var seenTable: FileStamp?
    private var backlog: [ImagePath] = []
    private var backlogStart = 0
    /// The comparison that the backlog belongs to, and whom to tell of it.
    private var job: ComparisonJob?
    private var owesPublishing = false
    private var owesComparison = false
    private var wasTableSilent = false
    private var lastPublish = ContinuousClock.now
    private var publishCost = Duration.zero
    private var heldBack = 0
    /// When the change to another model goes on, if there is one.
    private var changePace: ChangePace
    /// Whether photos that have no vector of it may leave: somebody has confirmed it.
    private var mayLeaveOut = false
    /// Whether the settings' model may be another one than when it was looked at last.
    private var looksAgain = false
    private var lastPing: ContinuousClock.Instant?
    private var journal: ServiceJournal
    private var display = ProgressText()
    private var lastPulse: ContinuousClock.Instant?
    /// Nil where the settings name no hook.
    private var hook: HookLoop?

    /// - Parameters:
    ///   - finished: what an earlier loop left of photos that were changed, whatever their size and time say.
    ///   - firstBackOff: how long after a failure the next try is.
    init(
        settings: Settings, executable: String, tableWorker: FileWorker, log: Logger,
        notifier: ServiceNotifier,
        monitor: ServiceMonitor, finished: Set<ImagePath> = [], firstBackOff: Duration = Trouble.firstBackOff
    ) {
        self.settings = settings
        self.executable = executable
        self.log = log
        self.notifier = notifier
        self.monitor = monitor
        tableFiles = PatientTableFiles(tableWorker, settings)
        changePace = ChangePace(percent: settings.backgroundPercent)
        journal = ServiceJournal(log: log, pollInterval: settings.pollInterval)
        let grouping = ProductGrouping(pattern: settings.productPattern)
        shared = Mutex(
            Shared(
                queue: LookQueue(.init(settle: settings.settle, settleLimit: settings.settleLimit)) {
                    grouping.product(of: $0)
                }, trouble: Trouble(firstBackOff: firstBackOff), finished: finished))
        let inbox = Inbox()
        watcher = FolderWatcher(
            folder: settings.imagesFolder, filter: PhotoFilter(settings: settings),
            pollInterval: settings.pollInterval, lookInterval: settings.reconcileInterval
        ) { inbox.note($0) }
        inbox.loop = self
    }

    /// Lets the watcher, which is made first, reach the loop.
    ///
    /// `@unchecked Sendable`: `loop` is set once, before the watcher's thread begins, and only read after that.
    private final class Inbox: @unchecked Sendable {
        weak var loop: WorkLoop?
        func note(_ change: FolderChange) { loop?.note(change) }
    }

    // MARK: From other threads

    /// Begins to work, on a thread of its own.
    ///
    /// - Parameters:
    ///   - onReady: called when all is open, watched, and what was due is published; or with why that cannot be.
    ///   - onEnd: called when the thread has ended after it was ready; with what ended it, if it was not asked to.
    ///     Requests that were not answered are for `takeRequests` then.
    func start(
        onReady: @escaping @Sendable (Result<Void, any Error>) -> Void,
        onEnd: @escaping @Sendable ((any Error)?) -> Void
    ) {
        OwnThread("work", stackBytes: 4 << 20) { [self] in
            var reconciler: Reconciler?
            do {
                reconciler = try Reconciler(
                    settings: settings, executable: executable, keepsServing: true, tableFiles: tableFiles
                ) {
                    [weak self] in self?.pulse($0)
                }
                try reconciler?.prepare()
                openCatalogue.withLock { $0 = reconciler?.catalogue }
                try reconciler?.start()
            } catch {
                reconciler?.settle()
                reconciler = nil  // and with it the locks
                openCatalogue.withLock { $0 = nil }
                shared.withLock {
                    $0.isClosed = true
                    $0.failure = error
                }
                onReady(.failure(error))
                return noteEnd()
            }
            let containment = reconciler?.containment
            let hasTable = settings.attributesFile != nil
            monitor.update {
                $0.containment = containment
                if !hasTable { $0.tableTrouble = nil }
            }
            if !settings.isSandboxed {
                log.warning("photos are read without a sandbox, as workers.sandbox says")
            }
            if let reconciler { noteChange(reconciler) }
            watcher.start { [self] in ping() }
            log.info("watching \(watcher.state.watched) folders of \(settings.imagesFolder)")
            journal.note(watcher.state)
            hook = reconciler?.catalogue.flatMap { PublishHook(settings: settings, catalogue: $0) }.map {
                HookLoop($0, log: log, status: monitor.current.hook) { [monitor] status in
                    monitor.update { $0.hook = status }
                }
            }
            onReady(.success(()))
            let error = reconciler.flatMap { work($0) }
            hook?.stop()
            hook = nil
            reconciler?.settle()
            reconciler = nil  // and with it the locks
            monitor.update { $0.phase = .stopping }
            watcher.stop()
            openCatalogue.withLock { $0 = nil }
            shared.withLock {
                $0.requests = (job?.requests ?? []) + $0.requests
                $0.isClosed = true
                $0.failure = error
            }
            onEnd(error)
            noteEnd()
        }
    }

    /// Asks the loop to end; it finishes or gives up what it is at.
    func stop() {
        shared.withLock { $0.isStopping = true }
        wakeup.signal()
    }

    /// Asks the loop to end, and waits until it has: nothing that it held is held any more.
    func end() async {
        stop()
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let hasEnded = shared.withLock {
                if !$0.hasEnded { $0.onEnd.append { continuation.resume() } }
                return $0.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }

    private func noteEnd() {
        let waiting = shared.withLock {
            $0.hasEnded = true
            return $0.onEnd
        }
        for one in waiting { one() }
    }

    /// What ended it; nil while it goes on, and where it was asked to end.
    var failure: (any Error)? { shared.withLock { $0.failure } }

    /// Asks for a comparison of everything. Returns false where the loop has ended and nobody will answer.
    func ask(_ request: ReconcileRequest) -> Bool {
        let isTaken = shared.withLock {
            if !$0.isClosed { $0.requests.append(request) }
            return !$0.isClosed
        }
        wakeup.signal()
        return isTaken
    }

    /// What a loop that has ended leaves unanswered.
    func takeRequests() -> [ReconcileRequest] {
        shared.withLock { shared in
            defer { shared.requests = [] }
            return shared.requests
        }
    }

    /// What a loop that has ended leaves of photos that were changed, whatever their size and time say.
    func takeFinished() -> Set<ImagePath> {
        shared.withLock { shared in
            defer { shared.finished = [] }
            return shared.finished.union(shared.queue.takeAll().finished)
        }
    }

    /// For reading, beside the loop.
    var catalogue: Catalogue? { openCatalogue.withLock { $0 } }

    var watches: FolderWatcher.State { watcher.state }

    /// How many products and folders have just changed, the table of attributes among them.
    var settling: Int {
        let isTableNew = isTableNew
        return shared.withLock { $0.queue.count } + (isTableNew ? 1 : 0)
    }

    /// How the table of attributes is beside the one that is published, or was tried last and cannot be used.
    fileprivate enum TableLook: Equatable {
        /// The same, or there is none.
        case known
        /// Somebody may still be writing it.
        case young
        case due(FileStamp?)
        /// It cannot be reached, for this reason.
        case silent(String)

        var isSilent: Bool { if case .silent = self { true } else { false } }

        var isNew: Bool {
            switch self {
            case .known, .silent: false
            case .young, .due: true
            }
        }
    }

    /// Looks at the table of attributes; for the loop's thread, and nobody else: its disk may take its time.
    private func lookAtTable() -> TableLook {
        guard let file = settings.attributesFile else { return .known }
        let lookers = shared.withLock { shared in
            defer { shared.lookers = [] }
            return shared.lookers
        }
        let look: TableLook
        do throws(TableError) {
            let stamp = try tableFiles.stamp(of: file)
            look =
                if stamp == seenTable { .known } else if stamp?.isYoungTable ?? false { .young } else {
                    .due(stamp)
                }
        } catch {
            look = .silent(error.description)
        }
        shared.withLock { $0.table = look }
        for looker in lookers { looker.signal() }
        return look
    }

    /// Whether the table is new or may be: has the loop look at it, which knows what it has published.
    private var isTableNew: Bool {
        guard settings.attributesFile != nil else { return false }
        guard monitor.current.phase != .starting else { return true }
        let looked = DispatchSemaphore(value: 0)
        let isTaken = shared.withLock { shared in
            if !shared.isClosed { shared.lookers.append(looked) }
            return !shared.isClosed
        }
        wakeup.signal()
        let isLookedAt = isTaken && looked.wait(timeout: .now() + Self.longestLook) == .success
        return shared.withLock { isLookedAt ? $0.table.isNew : !$0.table.isSilent }
    }

    private func note(_ change: FolderChange) {
        let now = ContinuousClock.now
        let wakes = shared.withLock {
            $0.queue.note(change, at: now)
            if change == .everything(.folderBack) || change == .everything(.folderReplaced) {
                $0.trouble.noteReturn()
            }
            return $0.queue.earliestDue(from: now) < $0.nextWake
        }
        if wakes { wakeup.signal() }
    }

    private var isStopping: Bool { shared.withLock { $0.isStopping } }

    private var isInTrouble: Bool { shared.withLock { $0.trouble.retryAt != nil } }

    // MARK: The loop

    private func work(_ reconciler: Reconciler) -> (any Error)? {
        _ = ask(ReconcileRequest(allowsMassRemoval: false) { _ in })
        while let turn = nextTurn() {
            if let fatal = perform(turn, reconciler) {
                return fatal
            }
            settle()
        }
        return nil
    }

    /// Waits for something to do. Nil when it is time to end.
    private func nextTurn() -> Turn? {
        while true {
            ping()
            // Before the lock: a file system may take its time to answer, and whoever wants the lock would wait with it.
            let table = lookAtTable()
            if wasTableSilent, !table.isSilent { shared.withLock { $0.trouble.noteReturn() } }
            wasTableSilent = table.isSilent
            if case .silent(let reason) = table {
                // That there is trouble is noted when files are published.
                monitor.update { if $0.tableTrouble != nil { $0.tableTrouble = reason } }
            }
            let now = ContinuousClock.now
            var turn: Turn?
            let isStopping = shared.withLock { shared in
                // What was asked for stays there: whoever comes after this loop answers it.
                guard !shared.isStopping else { return true }
                turn = nextTurn(of: &shared, table, now)
                // Under the lock: at every moment what was reported is either in the queue or being worked on.
                if let turn, !turn.isInBackground { monitor.update { $0.phase = .working } }
                let retryAt = shared.trouble.retryAt
                var wake = retryAt ?? changePace.next ?? now + .seconds(3600)
                if retryAt == nil, let due = shared.queue.nextDue { wake = min(wake, due) }
                if settings.attributesFile != nil { wake = min(wake, now + Self.tableInterval) }
                if let timeout = notifier.watchdogTimeout { wake = min(wake, now + timeout / 3) }
                shared.nextWake = wake
                return false
            }
            if isStopping { return nil }
            if let turn { return turn }
            journal.note(watcher.state)
            wakeup.wait(atMost: shared.withLock { $0.nextWake } - now)
        }
    }

    private func nextTurn(
        of shared: inout Shared, _ table: TableLook, _ now: ContinuousClock.Instant
    ) -> Turn? {
        let isTableDue = if case .due = table { true } else { false }
        if !shared.requests.isEmpty {
            defer { shared.requests = [] }
            shared.trouble.begin()
            return .everything(shared.queue.takeAll(), shared.requests)
        }
        if shared.trouble.retryAt != nil {
            // In trouble nothing else is tried meanwhile; hints wait.
            guard shared.trouble.isDue(at: now) || isTableDue else { return nil }
            shared.trouble.begin()
            return .everything(shared.queue.takeAll(), [])
        }
        if let batch = shared.queue.takeDue(at: now) {
            // Products that are held back may have come back by any change; any may be of what a link leads to.
            let isEverything = !batch.everything.isEmpty || heldBack > 0 || settings.followsLinks
            return isEverything ? .everything(batch, []) : .places(batch)
        }
        if backlogStart < backlog.count { return .backlog }
        if owesComparison, shared.queue.count == 0 { return .everything(shared.queue.takeAll(), []) }
        // That it cannot be reached, or can be again, is noted when files are published.
        let isNews = table.isSilent != (monitor.current.tableTrouble != nil)
        if owesPublishing || isTableDue || isNews, !owesComparison { return .publish }
        return changePace.isDue(at: now) ? .prepareChange : nil
    }

    private func perform(_ turn: Turn, _ reconciler: Reconciler) -> (any Error)? {
        if case .prepareChange = turn { return prepareChange(reconciler) }
        if case .due(let stamp) = lookAtTable() {
            owesPublishing = true
            seenTable = stamp
        }
        let start = ContinuousClock.now
        var options = Reconciler.Options()
        let sliceEnd = start + Self.slice
        options.isStopping = { [unowned self] in isStopping }
        let scope: Reconciler.Scope
        var looked: Set<ImagePath> = []
        switch turn {
        case .everything(let batch, let requests):
            beginJob(requests, batch)
            if !requests.isEmpty {
                changePace.tryNow()
                looksAgain = true
            }
            if requests.contains(where: \.allowsMassRemoval) { mayLeaveOut = true }
            options.allowsMassRemoval = job?.allowsMassRemoval ?? false
            options.isOver = { [unowned self] in .now > sliceEnd || isStopping }
            scope = .everything
        case .places(let batch):
            options.isOver = { [unowned self] in .now > sliceEnd || isStopping }
            looked = Set(batch.places)
            scope = .places(batch.places)
        case .backlog:
            let places = takeBacklog()
            options.allowsMassRemoval = job?.allowsMassRemoval ?? false
            // A change that somebody makes now goes first.
            options.isOver = { [unowned self] in .now > sliceEnd || isStopping || hasDue }
            looked = Set(places)
            scope = .places(places)
        case .publish, .prepareChange:
            scope = .places([])
        }
        options.deferral = deferral(turn.finished, start)
        if case .publish = turn {
        } else {
            options.mayPublishLater = (start - lastPublish) < publishCost * (Self.publishShare - 1)
        }
        do {
            let round = try reconciler.round(scope, options)
            note(round, scope, looked, since: start)
            if round.isPublished { noteTable(reconciler.tableTrouble) }
            // What was opened anew may have found that the settings name another model.
            if reconciler.change != nil, changePace.next == nil { changePace.tryNow() }
            return nil
        } catch {
            return note(error)
        }
    }

    // MARK: Change of model

    /// One step of the change to another model, in time that nothing else needs. Returns what makes no sense to try again.
    private func prepareChange(_ reconciler: Reconciler) -> (any Error)? {
        let start = ContinuousClock.now
        let end = start + Self.slice
        var options = Reconciler.Options()
        options.isStopping = { [unowned self] in isStopping }
        options.isOver = { [unowned self] in .now > end || isStopping || hasDue || isLookAwaited }
        defer { noteChange(reconciler) }
        do {
            let step = try reconciler.prepareChange(
                looksAgain: looksAgain, leavesOut: mayLeaveOut, options)
            looksAgain = false
            switch step {
            case .nothingToDo:
                changePace.noteEnd()
                mayLeaveOut = false
            case .embedded(let count):
                changePace.note(embedded: count, stepFrom: start, to: .now)
                // It was for what was in the way when it was given.
                if count > 0 { mayLeaveOut = false }
                monitor.update { $0.counters.photosEmbedded += count }
            case .tookOver(let report):
                changePace.noteEnd()
                mayLeaveOut = false
                log.notice("\(report.model) has taken over, \(report.products) products")
                hook?.noteRound(hasChangedFiles: true)
                monitor.update {
                    $0.counters.filesWritten += report.published.written
                    $0.counters.filesRemoved += report.published.removed
                }
                // Photos that failed under the other model may not under this.
                _ = ask(ReconcileRequest(allowsMassRemoval: false) { _ in })
            }
            return nil
        } catch {
            looksAgain = false
            guard case ReconcileError.changeFailed = error else { return note(error) }
            mayLeaveOut = false
            changePace.noteFailure(at: .now)
            return nil
        }
    }

    /// Tells whether a change of the model is under way, and what is in its way.
    private func noteChange(_ reconciler: Reconciler) {
        let trouble = reconciler.changeTrouble
        let coming = reconciler.change?.coming.source.name
        if let coming, coming != monitor.current.coming {
            log.notice("\(coming) takes over when all photos are embedded with it")
        }
        if let trouble, trouble != monitor.current.changeTrouble {
            log.error("the model of the settings cannot take over: \(trouble)")
        }
        monitor.update {
            $0.changeTrouble = trouble
            if let coming { $0.coming = coming } else if trouble == nil { $0.coming = nil }
        }
    }

    private var isLookAwaited: Bool { shared.withLock { !$0.lookers.isEmpty } }

    private var hasDue: Bool {
        shared.withLock { !$0.requests.isEmpty || $0.queue.nextDue.map { $0 <= .now } ?? false }
    }

    /// - Parameter finished: photos that are whole and were changed, whatever their size and time say. They stay so until a
    ///   round has looked at them, whatever becomes of the one to come.
    private func deferral(_ finished: Set<ImagePath>, _ now: ContinuousClock.Instant) -> Deferral {
        var deferral = shared.withLock {
            $0.finished.formUnion(finished)
            return $0.queue.deferral(finished: $0.finished, at: now)
        }
        deferral.youngFor = settings.settleLimit
        // What was begun may have been finished since.
        if watcher.state.isBehind { deferral.unfinished = [] }
        return deferral
    }

    /// The next photos of the backlog: more than a turn takes, but not so many that listing them takes long.
    private func takeBacklog() -> [ImagePath] {
        let end = min(backlogStart + 2048, backlog.count)
        defer {
            backlogStart = end
            if backlogStart == backlog.count {
                backlog = []
                backlogStart = 0
            }
        }
        return Array(backlog[backlogStart..<end])
    }

    // MARK: What a round did

    private func beginJob(_ requests: [ReconcileRequest], _ batch: LookQueue.Batch) {
        for reason in batch.everything.sorted(by: { $0.rawValue < $1.rawValue }) {
            let isRoutine = reason == .poll || reason == .periodic
            log.log(level: isRoutine ? .debug : .notice, "comparing the whole folder: \(reason.rawValue)")
        }
        if owesComparison, job != nil {
            job?.goOn(requests)
        } else {
            job = ComparisonJob(following: job, requests)
        }
        // Whatever was left to do is found again.
        backlog = []
        backlogStart = 0
    }

    private func note(
        _ round: Reconciler.Round, _ scope: Reconciler.Scope, _ looked: Set<ImagePath>,
        since start: ContinuousClock.Instant
    ) {
        let now = ContinuousClock.now
        if isInTrouble { log.notice("all is well again") }
        if scope == .everything || round.isPublished { setHeldBack(round.report.heldBack, scope) }
        // Photos that the time did not suffice for go on where they are; those of a batch go first.
        if !round.left.isEmpty {
            backlog = round.left + backlog[backlogStart...]
            backlogStart = 0
        }
        let waiting = Set(round.left + round.deferred.map(\.path))
        shared.withLock {
            $0.trouble.noteSuccess()
            if scope == .everything {
                $0.finished.formIntersection(waiting)
            } else {
                $0.finished.subtract(looked.subtracting(waiting))
            }
            $0.queue.postpone(round.deferred, at: now)
            for (path, attempts) in round.retries {
                $0.queue.retry(path, at: now + RetrySchedule.delay(after: attempts))
            }
        }

        job?.note(round, scope, looked, waiting: backlog.count - backlogStart)
        owesComparison = round.awaitsWhole || owesComparison && !round.isPublished
        if round.isPublished {
            owesPublishing = false
            let hasChangedFiles = round.report.published.written + round.report.published.removed > 0
            if hasChangedFiles { publishCost = min(now - start, .seconds(10)) }
            hook?.noteRound(hasChangedFiles: hasChangedFiles)
            lastPublish = now
        } else {
            owesPublishing = true
        }
        count(round)
        journal.note(round)
    }

    private func noteTable(_ trouble: String?) {
        let before = monitor.current.tableTrouble
        guard trouble != before else { return }
        if let trouble, before == nil { log.error("\(trouble). Files are as its last state says") }
        if trouble == nil { log.notice("the table of attributes can be reached again") }
        monitor.update { $0.tableTrouble = trouble }
    }

    private func setHeldBack(_ count: Int, _ scope: Reconciler.Scope) {
        if count > 0 && heldBack == 0 {
            log.error(
                "\(count) products have vanished at once and are kept: is the folder mounted? If they are meant to go: imgrec-agent reconcile --allow-mass-removal"
            )
        } else if count == 0 && heldBack > 0 {
            guard scope == .everything else { return }
            log.notice("no products are held back any more")
        }
        heldBack = count
        monitor.update { $0.heldBack = count }
    }

    /// Something went wrong. Returns it where trying again makes no sense.
    private func note(_ error: any Error) -> (any Error)? {
        if case ReconcileError.stopped = error { return nil }
        if error.isFatal { return error }
        if case PublishingError.cannotWrite(_, EROFS) = error, notifier.isPresent {
            return ServiceError.outputLost(folder: settings.outputFolder)
        }
        if error is FolderScanError {
            // The watcher tells when it is back; and if it cannot, the next look does.
            monitor.update { $0.phase = .waitingForFolder }
        }
        let reason = error.explained.description
        let isNew = monitor.current.trouble != reason
        owesPublishing = true
        shared.withLock { $0.trouble.note(failureAt: .now) }
        monitor.update {
            $0.trouble = reason
            $0.counters.troubles += 1
        }
        if isNew { log.error("\(reason)") }
        job?.fail(error)
        return nil
    }

    /// After a turn: ends a comparison that is through, and tells how things stand.
    private func settle() {
        let isInTrouble = isInTrouble
        let isThrough =
            backlogStart == backlog.count && !owesPublishing && !owesComparison && !isInTrouble
        if isThrough, let job, job.awaited.isEmpty, !lookAtTable().isNew {
            job.end(catalogue)
            monitor.update { $0.counters.reconciles += 1 }
            self.job = nil
        }
        let phase: ServiceMonitor.Phase =
            if isInTrouble {
                watcher.state.isFolderThere ? .trouble : .waitingForFolder
            } else if !isThrough {
                .working
            } else if monitor.current.tableTrouble != nil {
                .trouble
            } else {
                heldBack > 0 ? .heldBack : .idle
            }
        let waiting = backlog.count - backlogStart
        monitor.update {
            $0.phase = phase
            $0.backlog = waiting
            if !isInTrouble { $0.trouble = nil }
            if phase != .working {
                $0.progress = ""
                $0.photosPerSecond = nil
            }
        }
        if phase != .working { tellStatus() }
    }

    // MARK: Telling

    /// Called often while a round goes on.
    private func pulse(_ progress: ReconcileProgress) {
        if case .ranking = progress, [.idle, .heldBack].contains(monitor.current.phase) {
            // Another model takes over: until its lists are published, nobody is to believe that all is done.
            monitor.update { $0.phase = .working }
        }
        let now = ContinuousClock.now
        guard lastPulse.map({ now - $0 >= .milliseconds(200) }) ?? true else { return }
        lastPulse = now
        if isLookAwaited { _ = lookAtTable() }
        // Over all turns of a comparison.
        let (whole, rate) = job?.tell(progress, waiting: backlog.count - backlogStart) ?? (progress, nil)
        let text = display.line(of: whole).text
        monitor.update {
            $0.progress = text
            if let rate { $0.photosPerSecond = rate }
        }
        notifier.status(text)
        ping()
    }

    /// Tells the watchdog that work goes on: only from here, where it does.
    private func ping() {
        let now = ContinuousClock.now
        guard lastPing.map({ now - $0 >= .seconds(1) }) ?? true,
            watcher.state.heartbeat + Self.longestSilence > now
        else { return }
        lastPing = now
        notifier.watchdog()
    }

    private func tellStatus() {
        let now = monitor.current
        let products = (try? catalogue?.rankedProductCount()) ?? 0
        var text = "\(products) products"
        switch now.phase {
        case .heldBack: text += "; \(now.heldBack) vanished at once and are kept until confirmed"
        case .waitingForFolder: text += "; the image folder is not there"
        case .trouble: text += "; \(now.trouble ?? now.tableTrouble ?? "trouble"), trying again"
        default: break
        }
        notifier.status(text)
    }

    private func count(_ round: Reconciler.Round) {
        monitor.update {
            $0.counters.rounds += 1
            $0.counters.photosRead += round.report.read
            $0.counters.photosEmbedded += round.report.embedded
            $0.counters.photosFailed += round.failures.count
            $0.counters.filesWritten += round.report.published.written
            $0.counters.filesRemoved += round.report.published.removed
        }
    }
}

extension WorkLoop.Turn {
    /// Whether it is done in time that nothing else needs, and all that is published is true meanwhile.
    fileprivate var isInBackground: Bool { if case .prepareChange = self { true } else { false } }

    fileprivate var finished: Set<ImagePath> {
        switch self {
        case .everything(let batch, _), .places(let batch): batch.finished
        case .backlog, .publish, .prepareChange: []
        }
    }
}

extension Error {
    /// Whether trying again, without somebody mending something, makes no sense.
    fileprivate var isFatal: Bool {
        switch self as any Error {
        case is SettingsError, is ModelError, SandboxError.cannotContain, CatalogueError.damaged,
            CatalogueError.fromNewerVersion, CatalogueError.foreign, CatalogueError.gone:
            true
        default: false
        }
    }
}
