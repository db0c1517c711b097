import Products
import Reconciling

/// What the work loop has to do, and what of it is next. Pure; times are given.
///
/// Whatever is to be done becomes one of five turns, in this order: everything is compared (at the start, on request,
/// when the watcher says so, after trouble); places with changes are looked at; photos of the backlog are; or what
/// was stored is published. Where nothing of that is to be done, photos are embedded for a model that is to take over.
struct Agenda {
    typealias Instant = ContinuousClock.Instant

    enum Turn {
        case everything(LookQueue.Batch, [ReconcileRequest])
        case places(LookQueue.Batch)
        case backlog([ImagePath])
        case publish
        case prepareChange

        /// Whether it is done in time that nothing else needs, and all that is published is true meanwhile.
        var isInBackground: Bool { if case .prepareChange = self { true } else { false } }

        /// Photos that are whole and were changed, whatever their size and time say.
        var finished: Set<ImagePath> {
            switch self {
            case .everything(let batch, _), .places(let batch): batch.finished
            case .backlog, .publish, .prepareChange: []
            }
        }
    }

    /// The loop sleeps no longer.
    private static let longestSleep = Duration.seconds(3600)
    /// Photos of the backlog in one turn: more than it takes, and few enough to be listed quickly.
    private static let backlogAtOnce = 2048

    /// Whether any photo may be what a link leads to.
    private let followsLinks: Bool
    private var backlog: [ImagePath] = []
    private var backlogStart = 0
    /// Whether something is stored that is not published.
    private(set) var owesPublishing = false
    /// Whether everything has to be compared once more before anything can be published.
    private(set) var owesComparison = false
    /// Products that vanished at once and are kept.
    private(set) var heldBack = 0
    /// When the change to another model goes on, if there is one.
    var change: ChangePace

    init(followsLinks: Bool, change: ChangePace) { (self.followsLinks, self.change) = (followsLinks, change) }

    /// Photos that are known to wait for being read.
    var backlogCount: Int { backlog.count - backlogStart }

    /// Whether all that was found is read, ranked and published.
    var isDone: Bool { backlogCount == 0 && !owesPublishing && !owesComparison }

    /// How things stand between two turns.
    func phase(isInTrouble: Bool, isFolderThere: Bool, areAttributesInTrouble: Bool) -> ServiceMonitor.Phase {
        if isInTrouble { return isFolderThere ? .trouble : .waitingForFolder }
        if !isDone { return .working }
        if areAttributesInTrouble { return .trouble }
        return heldBack > 0 ? .heldBack : .idle
    }

    /// What is next; nil where there is nothing to do.
    ///
    /// - Parameter attributes: how the table of attributes is beside the one that is published.
    mutating func next(_ inbox: inout Mailbox.Inbox, _ attributes: AttributesLook, at now: Instant) -> Turn? {
        if !inbox.requests.isEmpty {
            defer { inbox.requests = [] }
            return everything(&inbox, inbox.requests)
        }
        if inbox.trouble.retryAt != nil {
            // In trouble nothing else is tried meanwhile; hints wait.
            guard inbox.trouble.isDue(at: now) || attributes.isDue else { return nil }
            return everything(&inbox)
        }
        if let batch = inbox.queue.takeDue(at: now) {
            // Products that are held back may have come back by any change; any may be of what a link leads to.
            let isEverything = !batch.everything.isEmpty || heldBack > 0 || followsLinks
            return isEverything ? .everything(batch, []) : .places(batch)
        }
        if backlogCount > 0 { return .backlog(takeBacklog()) }
        if owesComparison, inbox.queue.count == 0 { return everything(&inbox) }
        if owesPublishing || attributes.isDue || attributes.hasChangedReach, !owesComparison {
            return .publish
        }
        return change.isDue(at: now) ? .prepareChange : nil
    }

    private func everything(
        _ inbox: inout Mailbox.Inbox, _ requests: [ReconcileRequest] = []
    ) -> Turn {
        inbox.trouble.begin()
        return .everything(inbox.queue.takeAll(), requests)
    }

    private mutating func takeBacklog() -> [ImagePath] {
        let end = min(backlogStart + Self.backlogAtOnce, backlog.count)
        defer {
            backlogStart = end
            if backlogCount == 0 { (backlog, backlogStart) = ([], 0) }
        }
        return Array(backlog[backlogStart..<end])
    }

    /// When there may be something to do next, if nothing new comes.
    func nextWake(_ inbox: Mailbox.Inbox, at now: Instant) -> Instant {
        if let retryAt = inbox.trouble.retryAt { return retryAt }
        let wake = change.next ?? now + Self.longestSleep
        return inbox.queue.nextDue.map { min(wake, $0) } ?? wake
    }

    // MARK: What turns did

    /// Everything is compared from the beginning: whatever was left to do is found again.
    mutating func beginComparison() { (backlog, backlogStart) = ([], 0) }

    mutating func note(_ round: Round, isWhole: Bool) {
        if isWhole || round.isPublished {
            // That nothing is held back any more is known once all has been looked at.
            if round.report.heldBack > 0 || isWhole { heldBack = round.report.heldBack }
        }
        // Photos that the time did not suffice for go on where they are; those of a batch go first.
        if !round.left.isEmpty {
            backlog = round.left + backlog[backlogStart...]
            backlogStart = 0
        }
        owesComparison = round.awaitsWhole || owesComparison && !round.isPublished
        owesPublishing = !round.isPublished
    }

    /// Files are to be brought to what the catalogue says once more.
    mutating func notePublishingDue() { owesPublishing = true }
}

/// How the table of attributes is beside the one that is published, or was tried last and cannot be used.
struct AttributesLook: Hashable {
    enum State: Hashable {
        /// The same, or there is none.
        case known
        /// Somebody may still be writing it.
        case young
        case due(FileStamp?)
        /// It cannot be reached, for this reason.
        case silent(String)
    }

    var state = State.known
    /// Whether it cannot be reached and could be when files were published last, or the other way round.
    var hasChangedReach = false

    var isSilent: Bool { if case .silent = state { true } else { false } }
    var isDue: Bool { if case .due = state { true } else { false } }

    /// Whether it is another one, or may be.
    var isNew: Bool { isDue || state == .young }
}

/// When what was stored is published while photos wait: publishing may take one part of the time. Pure; times are given.
struct PublishPacer {
    typealias Instant = ContinuousClock.Instant

    /// The denominator of that part.
    private static let share = 5
    /// However long one took, the next is not put off for longer than this makes.
    private static let longestCost = Duration.seconds(10)

    private var last: Instant
    private var cost = Duration.zero

    init(at now: Instant) { last = now }

    func mayWait(at now: Instant) -> Bool { (now - last) < cost * (Self.share - 1) }

    /// - Parameter hasChangedFiles: what changed none says nothing of what it costs.
    mutating func note(publishedFrom start: Instant, to end: Instant, hasChangedFiles: Bool) {
        if hasChangedFiles { cost = min(end - start, Self.longestCost) }
        last = end
    }
}
