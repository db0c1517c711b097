import Foundation
import Logging
import Products
import Reconciling
import Watching

/// What the log says of each round's changes, and of folders that cannot be watched.
struct ServiceJournal {
    private let log: Logger
    private let pollInterval: Duration
    private var loggedWatches: (reason: String?, isExhausted: Bool) = (nil, false)

    init(log: Logger, pollInterval: Duration) {
        self.log = log
        self.pollInterval = pollInterval
    }

    /// One line for each photo; failures are few lines, for `status` shows all.
    func note(_ round: Reconciler.Round) {
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

    /// Once for each thing that keeps folders from being watched, whenever that arises.
    mutating func note(_ state: FolderWatcher.State) {
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
