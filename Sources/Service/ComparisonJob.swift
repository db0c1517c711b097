import Catalogue
import Foundation
import Products
import Reconciling
import Synchronization

/// A comparison of everything, which may take many turns of the work loop, and who waits for its end.
struct ComparisonJob {
    /// Who waits for it.
    private(set) var requests: [ReconcileRequest]
    private(set) var allowsMassRemoval: Bool
    /// Photos that have to be looked at once more before the comparison is over: those that were in the making may
    /// have been whole. Nobody is kept waiting for the end of an upload.
    private(set) var awaited: Set<ImagePath> = []

    private let start = ContinuousClock.now
    private var report = ReconcileReport()
    private var isContinued = false
    /// Photos that could not be read and stay as they were.
    private var keptFailures: [String: ReconcileReport.Failure] = [:]
    /// Photos that were read for it, and all that are to be.
    private var (done, total) = (0, 0)
    /// Photos that were known to wait after its last turn.
    var backlog = 0

    /// A comparison that begins anew: whoever waited for the one before waits for this one, but a confirmation was for
    /// what had vanished when it was given.
    init(following previous: ComparisonJob?, _ requests: [ReconcileRequest]) {
        self.requests = (previous?.requests ?? []) + requests
        allowsMassRemoval = requests.contains(where: \.allowsMassRemoval)
    }

    /// The second half of the same comparison.
    mutating func goOn(_ requests: [ReconcileRequest]) {
        self.requests += requests
        isContinued = true
        allowsMassRemoval = allowsMassRemoval || requests.contains(where: \.allowsMassRemoval)
    }

    /// - Parameters:
    ///   - looked: the photos that the round looked at; nil for everything.
    ///   - backlog: how many photos are known to wait for being read.
    mutating func note(_ round: Round, looked: Set<ImagePath>?, backlog: Int) {
        if let looked {
            report.add(round.report)
            awaited.subtract(looked.subtracting(round.left))
            for path in looked { keptFailures[path.text] = nil }
        } else {
            if isContinued { report.add(round.report) } else { report = round.report }
            awaited = Set(round.deferred.map(\.path))
        }
        self.backlog = backlog
        for failure in round.keptFailures { keptFailures[failure.path] = failure }
        done += round.report.read
        total = max(total, done + backlog)
    }

    /// Tells those who wait how far it is.
    ///
    /// - Returns: the progress over all turns, and how many photos are embedded in a second where that is known.
    func tell(_ progress: ReconcileProgress) -> (progress: ReconcileProgress, photosPerSecond: Double?) {
        var whole = progress
        var rate: Double?
        if case .embedding(let done, let total) = progress {
            whole = .embedding(done: self.done + done, of: max(self.total, self.done + total + backlog))
            let seconds = (ContinuousClock.now - start).seconds
            if seconds > 0.5 { rate = Double(self.done + done) / seconds }
        }
        for request in requests { request.progress(whole) }
        return (whole, rate)
    }

    /// Those who asked for it, who are told by whoever takes them what went wrong.
    mutating func takeRequests() -> [ReconcileRequest] {
        defer { requests = [] }
        return requests
    }

    /// Answers those who asked for it, and stores what it found.
    func end(_ catalogue: Catalogue?) {
        var report = report
        report.seconds = (ContinuousClock.now - start).seconds
        report.failed = failures(catalogue)
        for request in requests { request.end(.success(report)) }
        report.failed = []
        if let json = try? JSONEncoder().encode(report) {
            // Only for show: what cannot be stored is not worth an error.
            try? catalogue?.note(
                LastReconcile(
                    endedAt: Date().timeIntervalSince1970, report: String(decoding: json, as: UTF8.self)))
        }
    }

    /// What the catalogue says now, and photos that it does not count as failed because they stay as they were.
    private func failures(_ catalogue: Catalogue?) -> [ReconcileReport.Failure] {
        var failures = keptFailures
        for record in (try? catalogue?.failedImages()) ?? [] {
            guard case .failed(let reason, _, _) = record.state else { continue }
            failures[record.path.text] = ReconcileReport.Failure(path: record.path.text, reason: reason)
        }
        return failures.values.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }
}

/// The comparison that goes on, if there is one: the loop's turns change it, and while one goes on the progress of its round is
/// told through it.
final class CurrentJob: Sendable {
    private let job = Mutex<ComparisonJob?>(nil)

    /// Begins one, for whoever waited for the one before too.
    ///
    /// - Parameter goesOn: whether this is the second half of the same comparison.
    func begin(_ requests: [ReconcileRequest], goesOn: Bool) {
        job.withLock { job in
            if goesOn, job != nil {
                job?.goOn(requests)
            } else {
                job = ComparisonJob(following: job, requests)
            }
        }
    }

    var allowsMassRemoval: Bool { job.withLock { $0?.allowsMassRemoval ?? false } }

    var requests: [ReconcileRequest] { job.withLock { $0?.requests ?? [] } }

    /// Whether there is one, and no photo is to be looked at once more for it.
    var isThrough: Bool { job.withLock { $0.map(\.awaited.isEmpty) ?? false } }

    func note(_ round: Round, looked: Set<ImagePath>?, backlog: Int) {
        job.withLock { $0?.note(round, looked: looked, backlog: backlog) }
    }

    /// Before a turn: how many photos wait beside those that it takes.
    func note(backlog: Int) { job.withLock { $0?.backlog = backlog } }

    // Whoever waits is spoken to without the lock: it may come back with a question.

    func tell(_ progress: ReconcileProgress) -> (progress: ReconcileProgress, photosPerSecond: Double?) {
        job.withLock { $0 }?.tell(progress) ?? (progress, nil)
    }

    func fail(_ error: any Error) {
        let failed = job.withLock { $0?.takeRequests() ?? [] }
        for request in failed { request.end(.failure(error)) }
    }

    func end(_ catalogue: Catalogue?) {
        let ended = job.withLock { job in
            defer { job = nil }
            return job
        }
        ended?.end(catalogue)
    }
}
