import Catalogue
import Embedding
import Foundation
import Products
import Settings
import Watching

// Which model rounds are made with, and how the one of the settings takes over from the one in service.

extension Reconciler {
    /// The model that the settings name, with its networks still to be loaded unless rounds are made with it.
    func wantedModel() throws(ModelError) -> ModelAtWork {
        atWork(try ModelSource(settings: settings, executable: executable))
    }

    private func atWork(_ source: ModelSource) -> ModelAtWork {
        if let latest, latest.source.identity == source.identity, !latest.network.hasFailed { return latest }
        return ModelAtWork(source, settings: settings, executable: executable)
    }

    /// The model to make rounds with: the one in service, where that is to go on and can be had; else the wanted one.
    func model(for catalogue: Catalogue) throws -> ModelAtWork {
        let inService = try catalogue.modelInService()
        if keepsServing, let inService {
            let library = ModelLibrary(settings: settings, executable: executable)
            if let source = try? ModelSource(inService.record, library: library) { return atWork(source) }
        }
        let wanted = try wantedModel()
        // Noted as the next one, so that nobody prunes its vectors before it is in service.
        let isInService = inService?.record.identity == wanted.source.identity
        try catalogue.setNext(isInService ? nil : wanted.source.record)
        return wanted
    }

    /// Looks whether the settings name another model than the one that rounds are made with.
    func noteWantedModel(_ opened: Opened) {
        change = nil
        do {
            let wanted = try wantedModel()
            guard wanted.source.identity != opened.work.source.identity else {
                changeTrouble = nil
                if try opened.catalogue.modelInService()?.number == opened.model {
                    try opened.catalogue.setNext(nil)
                }
                return
            }
            guard let number = try opened.catalogue.setNext(wanted.source.record) else { return }
            change = ModelChange(to: wanted, number: number, settings: settings)
        } catch {
            changeTrouble = "\(error)"
        }
    }

    /// What came of trying to change the model.
    enum ChangeStep: Sendable {
        /// The model of the settings is in service.
        case nothingToDo
        case embedded(Int)
        case tookOver(ReconcileReport)
    }

    /// One step of the change to the model of the settings, while rounds go on with the one in service. When all photos have
    /// a vector, it takes over.
    ///
    /// - Parameters:
    ///   - leavesOut: whether photos that have no vector of it may leave, however many.
    ///   - options: when to begin no further photo, and when to give up.
    /// - Throws: `AgentError.changeFailed` where the model cannot take over and the one in service goes on; something else
    ///   where it has and its lists could not be published.
    func prepareChange(leavesOut: Bool, _ options: Options) throws(AgentError) -> ChangeStep {
        let opened = try inRooms { try open() }
        var hasTakenOver = false
        do throws(AgentError) {
            return try inRooms {
                // What was in its way may have been mended.
                if change == nil { noteWantedModel(opened) }
                guard let change else {
                    guard let changeTrouble else { return .nothingToDo }
                    throw AgentError.changeFailed(reason: changeTrouble)
                }
                // Without the folder every photo would seem to fail.
                guard access(settings.imagesFolder, R_OK | X_OK) == 0 else {
                    throw FolderScanError.missing(folder: settings.imagesFolder)
                }
                let step = try change.step(opened.catalogue, isOver: options.isOver)
                guard step.isThrough else {
                    changeTrouble = nil
                    return .embedded(step.embedded)
                }
                let new = try takeOver(change, opened, leavesOut: leavesOut, options)
                hasTakenOver = true
                var report = ReconcileReport()
                report.model = new.work.source.name
                report.products = try new.catalogue.rankedProductCount()
                try publish(new, everything: true, options, &report)
                return .tookOver(report)
            }
        } catch {
            if case .stopped = error { throw error }
            if hasTakenOver { throw error }
            // The next try begins anew: with the networks, and with photos that failed.
            change = nil
            let reason = if case .changeFailed(let reason) = error { reason } else { error.description }
            changeTrouble = reason
            throw .changeFailed(reason: reason)
        }
    }

    /// Computes the new model's neighbours of all products that the catalogue has, and puts it in service: one
    /// transaction, before which nothing has changed. Photos without a vector of it leave with the change.
    private func takeOver(
        _ change: ModelChange, _ opened: Opened, leavesOut: Bool, _ options: Options
    ) throws -> Opened {
        let catalogue = opened.catalogue
        let lacking = try catalogue.images(withoutVectorOf: change.number)
        let rules = settings.readingRules(change.coming.source.identity)
        var departures = Departures()
        departures.failed = lacking.map { image in
            let reason = image.digest.flatMap { change.failures[$0]?.reason } ?? "it was not embedded"
            return ImageRecord(
                path: image.path, product: image.product, stamp: image.stamp,
                state: .failed(reason: reason, attempts: 1, under: rules))
        }
        let unavailable = lacking.filter { image in
            image.digest.flatMap { change.failures[$0]?.isFinal } != true
        }
        let products = try catalogue.rankedProductCount()
        if !leavesOut, !unavailable.isEmpty || isMassRemoval(lacking.count, of: products) {
            let first = (unavailable.first ?? lacking[0]).path
            let reason = departures.failed.first { $0.path == first }?.failureReason ?? ""
            throw AgentError.modelIncomplete(photos: lacking.count, first: "\(first.text): \(reason)")
        }

        let table = try RankingTable(
            catalogue: catalogue, model: change.number, dimension: change.coming.source.dimension,
            count: settings.recommendationCount, threads: settings.effectiveThreads)
        let affected = Set(try catalogue.rankingState().unranked + lacking.map(\.product))
        let update = try table.update(
            affected, isWhole: true, without: departures,
            progress: { [progress] in progress(.ranking(done: $0, of: $1)) }, isStopping: options.isStopping)
        try catalogue.rank(
            update.changed, neighbours: table.neighbours, removed: update.removed, pools: table.poolChange(),
            count: table.count, model: change.number, settled: update.settled, departures: departures
        ) { done in
            progress(.ranking(done: done, of: update.changed.count))
            if options.isStopping() { throw AgentError.stopped }
        }

        opened.publisher.change(to: change.coming.source.name)
        let new = Opened(
            catalogue: catalogue, work: change.coming, model: change.number, publisher: opened.publisher)
        self.opened = new
        self.table = table
        latest = change.coming
        self.change = nil
        changeTrouble = nil
        return new
    }
}
