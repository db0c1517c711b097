import Products

/// What a round did and what it left.
package struct Round: Sendable {
    /// Where a round looks.
    package enum Scope: Hashable, Sendable {
        case everything
        /// Photos, or folders with all below them.
        case places([ImagePath])
    }

    /// What a round may do, and when it ends early.
    package struct Options: Sendable {
        /// Remove products however many vanish at once.
        package var allowsMassRemoval = false
        /// Photos that may be in the making.
        package var deferral = Deferral()
        /// When it is true no further photo is begun. Called from several threads.
        package var isOver: @Sendable () -> Bool = { false }
        /// When it is true the round is given up, with `ReconcileError.stopped`.
        package var isStopping: @Sendable () -> Bool = { false }
        /// Whether a round that only stored photos may leave ranking and publishing to a later one.
        package var mayPublishLater = false

        package init(allowsMassRemoval: Bool = false) { self.allowsMassRemoval = allowsMassRemoval }

        func throwIfStopping() throws { if isStopping() { throw ReconcileError.stopped } }
    }

    package init() {}

    package var report = ReconcileReport()
    /// Photos that came, changed or went, and photos that failed, in the order of their paths.
    package var changes: [ReconcileReport.Change] = []
    package var failures: [ReconcileReport.Failure] = []
    /// Those of the failures that leave a photo as it was, because it could not be read at all.
    package var keptFailures: [ReconcileReport.Failure] = []
    /// What was noticed of photos that are used all the same.
    package var notes: [ReconcileReport.Failure] = []
    /// Photos that failed and are to be tried again soon, with how often they were tried.
    package var retries: [(path: ImagePath, attempts: Int)] = []
    /// Photos that are to be looked at when they have been left alone for a while, with what they are like now;
    /// nil for photos that have gone.
    package var deferred: [(path: ImagePath, stamp: FileStamp?)] = []
    /// Photos that the time did not suffice for.
    package var left: [ImagePath] = []
    /// Whether all that was stored is ranked and published.
    package var isPublished = false
    /// Whether nothing can be ranked before everything has been compared once more: the model is another one.
    package var awaitsWhole = false

    /// Takes in what was read and stored.
    mutating func take(_ applied: ApplyStep.Outcome, model: String) {
        let (plan, intake) = (applied.done, applied.intake)
        left = applied.left
        report = plan.report(model: model)
        report.read = intake.readCount
        report.embedded = intake.embeddedCount
        report.failed = intake.keptFailures
        changes = plan.changes
        failures = intake.failures
        keptFailures = intake.keptFailures
        notes = intake.notes
        retries = intake.retries
    }

    /// Products that would have gone are kept.
    mutating func hold(_ count: Int) {
        report.heldBack = count
        report.removed = 0
        changes.removeAll { $0.action == .remove }
    }
}
