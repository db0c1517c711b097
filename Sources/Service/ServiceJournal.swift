import Foundation
import Logging
import Products
import Reconciling
import Watching

/// What the log says, and the monitor with it, of what rounds did and found, and of folders that cannot be watched.
struct ServiceJournal {
    private let log: Logger
    private let monitor: ServiceMonitor
    private let pollInterval: Duration
    private var heldBack = 0
    private var loggedWatches: (reason: String?, isExhausted: Bool) = (nil, false)

    init(_ log: Logger, _ monitor: ServiceMonitor, pollInterval: Duration) {
        (self.log, self.monitor, self.pollInterval) = (log, monitor, pollInterval)
    }

    /// Everything is going to be compared.
    func recordBegin(_ reasons: Set<FolderHint.EverythingReason>) {
        for reason in reasons.sorted(by: { $0.rawValue < $1.rawValue }) {
            let isRoutine = reason == .poll || reason == .periodic
            log.log(level: isRoutine ? .debug : .notice, "comparing the whole folder: \(reason.rawValue)")
        }
    }

    /// One line for each photo; failures are few lines, for `status` shows all.
    func record(_ round: Round) {
        monitor.update {
            $0.counters.rounds += 1
            $0.counters.photosRead += round.report.read
            $0.counters.photosEmbedded += round.report.embedded
            $0.counters.photosFailed += round.failures.count
            $0.counters.filesWritten += round.report.published.written
            $0.counters.filesRemoved += round.report.published.removed
        }
        let failed = Set(round.failures.map(\.path))
        for change in round.changes where !failed.contains(change.path) {
            log.info("\(change.action.pastTense) \(change.path)")
        }
        let shown = 5
        for failure in round.failures.prefix(shown) {
            log.warning("failed \(failure.path): \(failure.reason)")
        }
        if round.failures.count > shown {
            log.warning(
                "and \(round.failures.count - shown) more photos failed; 'imgrec-agent status' shows them")
        }
        for note in round.notes { log.notice("\(note.path): \(note.reason)") }
        let published = round.report.published
        if published.written + published.removed > 0 {
            log.info(
                "published \(published.written) files, removed \(published.removed), \(round.report.products) products, \(String(format: "%.3f", round.report.seconds)) s"
            )
        }
    }

    /// The round before went wrong, and this one did not.
    func recordRecovery() { log.notice("all is well again") }

    /// Something went wrong, and is tried again.
    func record(trouble error: any Error) {
        let reason = error.explained.description
        let isNew = monitor.current.trouble != reason
        monitor.update {
            $0.trouble = reason
            $0.counters.troubles += 1
        }
        if isNew { log.error("\(reason)") }
    }

    /// Whether the table of attributes could be looked at.
    func record(attributesTrouble trouble: String?) {
        let before = monitor.current.attributesTrouble
        guard trouble != before else { return }
        if let trouble, before == nil { log.error("files keep the attributes that they have: \(trouble)") }
        if trouble == nil { log.notice("the table of attributes can be reached again") }
        monitor.update { $0.attributesTrouble = trouble }
    }

    /// How many products are held back.
    mutating func record(heldBack count: Int) {
        let before = heldBack
        heldBack = count
        if count > 0 && before == 0 {
            log.error(
                "\(count) products have vanished at once and are kept: is the folder mounted? If they are meant to go: imgrec-agent reconcile --allow-mass-removal"
            )
        } else if count == 0 && before > 0 {
            log.notice("no products are held back any more")
        }
        monitor.update { $0.heldBack = count }
    }

    /// Whether a change of the model is under way, and what is in its way.
    func record(coming: String?, trouble: String?) {
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

    /// Another model has taken over.
    func record(takeOver report: ReconcileReport) {
        log.notice("\(report.model) has taken over, \(report.products) products")
        monitor.update {
            $0.counters.filesWritten += report.published.written
            $0.counters.filesRemoved += report.published.removed
        }
    }

    /// Once for each thing that keeps folders from being watched, whenever that arises.
    mutating func record(_ state: FolderWatcher.State) {
        let seconds = Int(pollInterval.seconds)
        if state.pollReason != loggedWatches.reason {
            if let reason = state.pollReason {
                log.warning("\(reason): compared every \(seconds) s instead")
            } else {
                log.notice("changes are reported everywhere again")
            }
            loggedWatches.reason = state.pollReason
        }
        if state.unwatched.isEmpty == loggedWatches.isExhausted {
            loggedWatches.isExhausted = !state.unwatched.isEmpty
            if state.unwatched.isEmpty {
                log.notice("all folders are watched again")
            } else {
                let allowed = WatchBudget.allowed ?? 0
                let reason = state.unwatchedReason.map { "folders cannot be watched (\($0))" }
                let mending = "To mend it: sysctl fs.inotify.max_user_watches=\(max(524_288, allowed * 4))"
                log.warning(
                    "\(reason ?? "the kernel allows no more watches (fs.inotify.max_user_watches = \(allowed))"): \(state.unwatched.count) folders are compared every \(seconds) s instead. \(reason == nil ? mending : "They are tried again each time.")"
                )
            }
        }
    }
}

extension ReconcileReport.Change.Action {
    var pastTense: String {
        switch self {
        case .add: "added"
        case .change: "changed"
        case .retry: "tried again"
        case .embedAnew: "embedded anew"
        case .regroup: "regrouped"
        case .remove: "removed"
        case .fail: "failed"
        }
    }
}
