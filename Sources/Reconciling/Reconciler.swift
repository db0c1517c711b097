import Catalogue
import Embedder
import Embedding
import Foundation
import Products
import Publishing
import Sandbox
import Settings
import Tables
import Watching

/// Makes the catalogue and the output folder agree with the image folder, wholly or in places. For one thread.
///
/// A round is the one path that everything takes: scan, plan, apply (read, embed, store), rank, recommend, publish. What it
/// needs stays open and in memory from one round to the next (`Session`).
package final class Reconciler {
    private enum State {
        /// Nothing is held yet.
        case idle
        /// What was built on these was given up for trouble.
        case closed(Premises)
        case open(Session)
    }

    private let workplace: Workplace
    private var state = State.idle
    private var brake: RemovalBrake
    private var attributes: AttributeFeed
    private var succession: ModelSuccession

    /// - Parameters:
    ///   - executable: the running program's path, beside which models are found.
    ///   - keepsModelInService: whether the model in service goes on until the one that the settings name can take over.
    ///   - tableFiles: looks at the table of attributes; nil for this process itself.
    ///   - progress: called often, on the thread of the round.
    package init(
        settings: Settings, executable: String, keepsModelInService: Bool = false,
        tableFiles: (any TableFiles)? = nil,
        progress: @escaping @Sendable (ReconcileProgress) -> Void = { _ in }
    ) throws {
        let files = tableFiles ?? DirectTableFiles(limit: settings.output.attributesMaxBytes)
        workplace = Workplace(
            settings: settings, executable: executable, keepsModelInService: keepsModelInService,
            progress: progress)
        brake = RemovalBrake(limit: settings.images.massRemovalLimit)
        attributes = AttributeFeed(settings, files, isPatient: keepsModelInService)
        succession = ModelSuccession(workplace)
        // What can be known at once is said before anything is touched.
        guard !keepsModelInService else { return }
        try succession.check()
        try attributes.read()
    }

    // MARK: What others may know

    /// What the catalogue knows; nil until it is open. It is opened once: others read from it meanwhile.
    package var catalogue: Catalogue? {
        switch state {
        case .idle: nil
        case .closed(let premises): premises.catalogue
        case .open(let session): session.catalogue
        }
    }

    /// What the processes that read photos have given up; nil before there is one.
    package var containment: Containment? {
        if case .open(let session) = state { session.work.workers.containment } else { nil }
    }

    /// Why the table of attributes could not be looked at when files were published last; nil where it could.
    package var attributesTrouble: String? { attributes.trouble }

    /// The name of the model that is to take over; nil where none is.
    package var coming: String? { succession.change?.coming.source.name }

    /// Why it cannot.
    package var changeTrouble: String? { succession.trouble }

    // MARK: The ways to run

    /// Compares the whole folder and waits until everything is published.
    package func run(allowsMassRemoval: Bool = false) throws -> ReconcileReport {
        try round(.everything, Round.Options(allowsMassRemoval: allowsMassRemoval)).report
    }

    /// Plans, reports, and changes nothing.
    package func dryRun() throws -> ReconcileReport {
        try DryRun(workplace: workplace, source: try succession.wanted().source, brake: brake).report()
    }

    /// Opens what is there from now on, the catalogue among it.
    package func prepare() throws {
        // Whoever starts a service wants to hear of it now, not with the first photo.
        try open().publisher(workplace).checkMayWrite()
    }

    /// Opens everything, and publishes what an earlier run left due. Loads the network.
    package func start() throws {
        try prepare()
        let session = try open()
        session.work.network.begin()
        try session.work.workers.prepare()
        // Lists of another model stay as they are until those of this one are ready.
        if try session.catalogue.rankingState().model == session.model {
            do {
                _ = try publish(session, looksAtAll: false, Round.Options())
            } catch is TableError {
                // The first round says so, and goes on trying.
            }
            session.table = try session.loadTable(workplace)
        }
        try loadModel()
    }

    /// Waits until no network is being loaded any more: before the process ends.
    package func waitForLoading() { succession.waitForLoading() }

    // MARK: A round

    /// One round.
    package func round(_ scope: Round.Scope, _ options: Round.Options) throws -> Round {
        let start = ContinuousClock.now
        var round = Round()
        // Before the catalogue or the output is touched: a folder that is not there changes nothing.
        let scan = try workplace.scan(scope)
        let session = try open()
        let planned = try PlanStep(workplace: workplace, session: session, deferral: options.deferral)
            .run(scan, scope)
        let applied = try ApplyStep(workplace: workplace, session: session, options: options)
            .run(planned.plan)
        round.deferred = planned.deferred
        round.take(applied, model: session.work.source.name)
        let isWhole = scope == .everything
        let departures = applied.departures
        if isWhole {
            try AdoptStep(workplace: workplace, session: session, options: options, brake: brake)
                .run(without: departures.paths)
        }

        let mayWait = options.mayPublishLater && departures.isEmpty && !isWhole
        if !mayWait {
            let input = RankStep.Input(
                departures: departures, before: planned.before, isWhole: isWhole,
                isThrough: round.left.isEmpty && round.deferred.isEmpty)
            try rankAndPublish(session, input, options, &round)
        }
        round.report.seconds = (ContinuousClock.now - start).seconds
        return round
    }

    private func rankAndPublish(
        _ session: Session, _ input: RankStep.Input, _ options: Round.Options, _ round: inout Round
    ) throws {
        switch try RankStep(workplace: workplace, session: session, options: options).run(input, &brake) {
        case .awaitsWhole(let heldBack):
            round.report.products = try session.catalogue.rankedProductCount()
            if heldBack > 0 { round.hold(heldBack) }
            round.awaitsWhole = true
            return
        case .done(let products, let heldBack):
            round.report.products = products
            if heldBack > 0 { round.hold(heldBack) }
        }
        let outcome = try publish(session, looksAtAll: input.isWhole, options)
        round.report.published = outcome.published
        round.report.attributes = outcome.attributes
        round.isPublished = true
        if input.isWhole {
            if round.report.heldBack == 0, round.left.isEmpty { try session.catalogue.purge() }
            round.report.failed += try session.catalogue.failures()
        }
        let failed = Dictionary(
            round.report.failed.map { (FileName(text: $0.path), $0) }, uniquingKeysWith: { first, _ in first }
        )
        round.report.failed = failed.values.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    private func publish(_ session: Session, looksAtAll: Bool, _ options: Round.Options) throws
        -> PublishStep.Outcome
    {
        try attributes.update(session.catalogue)
        return try PublishStep(workplace: workplace, session: session, options: options)
            .run(looksAtAll: looksAtAll)
    }

    private func open() throws -> Session {
        if let catalogue, !catalogue.isInPlace { throw CatalogueError.gone(file: catalogue.file) }
        let premises: Premises
        switch state {
        case .open(let session):
            guard !session.hasPublisher else { return session }
            // After trouble: what is wrong with the output folder is found before anything is read, and that the settings name
            // another model by now.
            _ = try session.publisher(workplace)
            if workplace.keepsModelInService { try succession.lookForChange(session) }
            return session
        case .closed(let held): premises = held
        case .idle:
            premises = try Premises(stateFolder: workplace.settings.state.folder)
            state = .closed(premises)
        }
        let catalogue = premises.catalogue
        let work = try succession.choose(catalogue)
        let number = try catalogue.number(of: work.source.record)
        let session = Session(premises: premises, work: work, model: number)
        _ = try session.publisher(workplace)
        state = .open(session)
        if workplace.keepsModelInService { try succession.lookForChange(session) }
        return session
    }

    /// Loads the networks that rounds are made with. Where those of the model in service cannot be, and the settings name
    /// another, that one's.
    private func loadModel() throws {
        let session = try open()
        session.work.network.begin()
        do {
            _ = try session.work.network.model()
        } catch let error as ModelError {
            guard succession.giveUp(session.work) else { throw error }
            // Its lock on the output folder too, which the next session takes.
            session.closePublisher()
            state = .closed(session.premises)
            try loadModel()
        }
    }

    // MARK: Change of model

    /// What came of trying to change the model.
    package enum ChangeStep: Sendable {
        /// The model of the settings is in service.
        case nothingToDo
        case embedded(Int)
        case tookOver(ReconcileReport)
    }

    /// One step of the change to the model of the settings, while rounds go on with the one in service. When all photos have
    /// a vector, it takes over.
    ///
    /// - Parameters:
    ///   - looksAgain: whether the settings' model may be another one than when it was looked at last.
    ///   - leavesOut: whether photos that have no vector of it may leave, however many.
    ///   - options: when to begin no further photo, and when to give up.
    /// - Throws: `ReconcileError.changeFailed` where the model cannot take over and the one in service goes on; something else
    ///   where it has and its lists could not be published.
    package func prepareChange(looksAgain: Bool, leavesOut: Bool, _ options: Round.Options) throws
        -> ChangeStep
    {
        let session = try open()
        let new: Session
        do {
            // What was in its way may have been mended.
            if succession.change == nil || looksAgain { try succession.lookForChange(session) }
            guard let change = succession.change else {
                guard let trouble = succession.trouble else { return .nothingToDo }
                throw ReconcileError.changeFailed(reason: trouble)
            }
            // Without the folder every photo would seem to fail.
            guard access(workplace.settings.images.folder, R_OK | X_OK) == 0 else {
                throw FolderScanError.missing(folder: workplace.settings.images.folder)
            }
            let step = try change.step(session.catalogue, isOver: options.isOver)
            guard step.isThrough else {
                if step.embedded > 0 { succession.noteProgress() }
                return .embedded(step.embedded)
            }
            new = try TakeOverStep(
                workplace: workplace, session: session, options: options, brake: brake
            ).run(change, leavesOut: leavesOut)
        } catch ReconcileError.stopped {
            throw ReconcileError.stopped
        } catch let error where error.isBeyondRepair {
            throw error
        } catch {
            throw succession.noteFailure(error)
        }
        state = .open(new)
        succession.noteTakeOver(by: new.work)
        let outcome = try publish(new, looksAtAll: true, options)
        var report = ReconcileReport()
        report.model = new.work.source.name
        report.products = try new.catalogue.rankedProductCount()
        (report.published, report.attributes) = (outcome.published, outcome.attributes)
        return .tookOver(report)
    }
}
