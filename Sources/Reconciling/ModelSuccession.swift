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
        let chosen = try inService(catalogue) ?? coming(catalogue)
        latest = chosen
        return chosen
    }

    private func inService(_ catalogue: Catalogue) throws -> ModelAtWork? {
        guard workplace.keepsModelInService, let record = try catalogue.modelInService()?.record,
            record.identity != unusable
        else { return nil }
        // What is loaded goes on, whatever has become of its files.
        if let latest, latest.source.identity == record.identity, !latest.network.hasFailed { return latest }
        let library = ModelLibrary(settings: workplace.settings, executable: workplace.executable)
        return (try? ModelSource(record, library: library)).map(atWork)
    }

    private func coming(_ catalogue: Catalogue) throws -> ModelAtWork {
        let wanted = try wanted()
        // Noted as the coming one, so that nobody prunes its vectors before it is in service.
        let isInService = try catalogue.modelInService()?.record.identity == wanted.source.identity
        try catalogue.setComing(isInService ? nil : wanted.source.record)
        return wanted
    }

    /// Whether another model than one whose networks cannot be loaded is to be chosen from now on: the published lists stay as they
    /// are until all photos have a vector of it.
    mutating func giveUp(_ work: ModelAtWork) -> Bool {
        guard workplace.keepsModelInService, unusable == nil, let wanted = try? wanted(),
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
    ///
    /// - Throws: errors that are beyond repair (`isBeyondRepair`); any other is why the model cannot take over.
    mutating func lookForChange(_ session: Session) throws {
        do {
            let wanted = try wanted()
            guard wanted.source.identity != session.work.source.identity else {
                (change, trouble) = (nil, nil)
                if try session.catalogue.modelInService()?.number == session.model {
                    try session.catalogue.setComing(nil)
                }
                return
            }
            guard let number = try session.catalogue.setComing(wanted.source.record) else { return }
            if change?.coming.source.identity == wanted.source.identity, change?.number == number { return }
            change = ModelChange(to: wanted, number: number, settings: workplace.settings)
        } catch let error where !error.isBeyondRepair {
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
