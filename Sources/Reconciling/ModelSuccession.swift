import Catalogue
import Embedder
import Embedding
import Products
import Settings

/// Which model rounds are made with, and how the one of the settings takes over from the one in service.
struct ModelSuccession {
    private let workplace: Workplace
    /// The model that rounds were made with last: its networks stay loaded while the session is given up.
    private(set) var latest: ModelAtWork?
    /// A model in service whose networks cannot be loaded here.
    private var unusable: ContentDigest?
    /// What is done so that the model of the settings can take over; nil where there is nothing to do.
    private(set) var change: ModelChange?
    /// Why it cannot.
    private(set) var trouble: String?

    init(_ workplace: Workplace) { self.workplace = workplace }

    // MARK: The model to make rounds with

    /// The model that the settings name, with its networks still to be loaded unless rounds are made with it.
    func wanted() throws(ModelError) -> ModelAtWork {
        atWork(try ModelSource(settings: workplace.settings, executable: workplace.executable))
    }

    private func atWork(_ source: ModelSource) -> ModelAtWork {
        if let latest, latest.source.identity == source.identity, !latest.network.hasFailed { return latest }
        return ModelAtWork(source, settings: workplace.settings, executable: workplace.executable)
    }

    /// Checks that the model of the settings can be had, before anything is touched.
    mutating func check() throws(ModelError) { latest = try wanted() }

    /// The one in service, where that is to go on and can be had; else the wanted one.
    mutating func choose(_ catalogue: Catalogue) throws -> ModelAtWork {
        let chosen = try serving(catalogue) ?? next(catalogue)
        latest = chosen
        return chosen
    }

    private func serving(_ catalogue: Catalogue) throws -> ModelAtWork? {
        guard workplace.keepsServing, let record = try catalogue.modelInService()?.record,
            record.identity != unusable
        else { return nil }
        // What is loaded goes on, whatever has become of its files.
        if let latest, latest.source.identity == record.identity, !latest.network.hasFailed { return latest }
        let library = ModelLibrary(settings: workplace.settings, executable: workplace.executable)
        return (try? ModelSource(record, library: library)).map(atWork)
    }

    private func next(_ catalogue: Catalogue) throws -> ModelAtWork {
        let wanted = try wanted()
        // Noted as the next one, so that nobody prunes its vectors before it is in service.
        let isInService = try catalogue.modelInService()?.record.identity == wanted.source.identity
        try catalogue.setNext(isInService ? nil : wanted.source.record)
        return wanted
    }

    /// Whether another model than one whose networks cannot be loaded is to be chosen from now on: the published lists stay as they
    /// are until all photos have a vector of it.
    mutating func giveUp(_ work: ModelAtWork) -> Bool {
        guard workplace.keepsServing, unusable == nil, let wanted = try? wanted(),
            wanted.source.identity != work.source.identity
        else { return false }
        unusable = work.source.identity
        return true
    }

    /// Waits until no network is being loaded any more: before the process ends.
    func waitForLoading() {
        latest?.network.waitForEnd()
        change?.coming.network.waitForEnd()
    }

    // MARK: The one to come

    /// Looks whether the settings name another model than the one that rounds are made with. A change to it that is under
    /// way goes on.
    mutating func lookForChange(_ session: Session) {
        do {
            let wanted = try wanted()
            guard wanted.source.identity != session.work.source.identity else {
                (change, trouble) = (nil, nil)
                if try session.catalogue.modelInService()?.number == session.model {
                    try session.catalogue.setNext(nil)
                }
                return
            }
            guard let number = try session.catalogue.setNext(wanted.source.record) else { return }
            if change?.coming.source.identity == wanted.source.identity, change?.number == number { return }
            change = ModelChange(to: wanted, number: number, settings: workplace.settings)
        } catch {
            change = nil
            trouble = error.explained.description
        }
    }

    /// Photos were embedded, so what was in the way is not any more.
    mutating func noteProgress() { trouble = nil }

    mutating func noteTakeOver(by work: ModelAtWork) { (latest, change, trouble) = (work, nil, nil) }

    /// The model cannot take over. Returns why, as an error.
    mutating func noteFailure(_ error: any Error) -> ReconcileError {
        let reason: String
        switch error {
        case ReconcileError.changeFailed(let known): reason = known
        case ReconcileError.modelIncomplete:
            change?.forgetPassingFailures()
            reason = error.explained.description
        default: reason = error.explained.description
        }
        // The next try begins anew, with the networks too.
        if case ReconcileError.modelIncomplete = error {} else { change = nil }
        trouble = reason
        return .changeFailed(reason: reason)
    }
}

/// Computes the new model's neighbours of all products that the catalogue has, and puts it in service: one transaction, before
/// which nothing has changed. Photos without a vector of it leave with the change.
struct TakeOverStep {
    let workplace: Workplace
    let session: Session
    let options: Round.Options
    let brake: RemovalBrake

    /// - Parameter leavesOut: whether photos that have no vector of it may leave, however many.
    /// - Throws: `ReconcileError.modelIncomplete` where some have none and are not to leave.
    func run(_ change: ModelChange, leavesOut: Bool) throws -> Session {
        let catalogue = session.catalogue
        let lacking = try catalogue.images(withoutVectorOf: change.number)
        let departures = try departures(lacking, change, leavesOut: leavesOut)
        workplace.progress(.ranking(done: 0, of: 0))
        let new = try Session(of: change.coming, change.number, after: session, workplace)
        let table = try new.loadTable(workplace)
        let affected = Set(try catalogue.rankingState().unranked + lacking.map(\.product))
        try table.bringUpToDate(affected, isWhole: true, without: departures, workplace, options)
        new.table = table
        try new.publisher(workplace).change(to: change.coming.source.name)
        return new
    }

    /// Photos that fail with the change.
    private func departures(
        _ lacking: [ImageRecord], _ change: ModelChange, leavesOut: Bool
    ) throws -> Departures {
        let rules = workplace.rules(change.coming)
        var departures = Departures()
        var blocking: [(path: ImagePath, reason: String)] = []
        for image in lacking {
            let failure = image.digest.flatMap { change.failures[$0] }
            let reason = failure?.reason ?? "it has just come"
            let isRefused = failure?.kind == .refused
            // What is not there leaves with a round, which knows when not to believe it.
            if !isRefused, !leavesOut || failure?.kind == .gone { blocking.append((image.path, reason)) }
            departures.failed.append(
                ImageRecord(
                    path: image.path, product: image.product, stamp: image.stamp,
                    state: .failed(reason: reason, attempts: 1, under: isRefused ? rules : nil)))
        }
        let vanishing = try vanishing(lacking, change.number)
        if !leavesOut, let first = departures.failed.first,
            brake.isMass(vanishing, of: try session.catalogue.rankedProductCount())
        {
            blocking.append((first.path, first.failureReason ?? ""))
        }
        if let first = blocking.first {
            throw ReconcileError.modelIncomplete(
                photos: max(blocking.count, vanishing), first: "\(first.path.text): \(first.reason)")
        }
        return departures
    }

    /// How many products none of whose photos has a vector there are.
    private func vanishing(_ lacking: [ImageRecord], _ model: ModelNumber) throws -> Int {
        guard !lacking.isEmpty else { return 0 }
        return Set(lacking.map(\.product)).subtracting(try session.catalogue.embeddedProducts(of: model))
            .count
    }
}
