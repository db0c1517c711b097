import Catalogue
import Embedder
import Embedding
import Foundation
import PhotoReading
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
        if keepsServing, let record = inService?.record, record.identity != unusable {
            // What is loaded goes on, whatever has become of its files.
            if let latest, latest.source.identity == record.identity, !latest.network.hasFailed {
                return latest
            }
            let library = ModelLibrary(settings: settings, executable: executable)
            if let source = try? ModelSource(record, library: library) { return atWork(source) }
        }
        let wanted = try wantedModel()
        // Noted as the next one, so that nobody prunes its vectors before it is in service.
        let isInService = inService?.record.identity == wanted.source.identity
        try catalogue.setNext(isInService ? nil : wanted.source.record)
        return wanted
    }

    /// Loads the networks that rounds are made with. Where those of the model in service cannot be, and the settings name
    /// another, that one's: the published lists stay as they are until all photos have a vector of it.
    func loadModel() throws {
        let opened = try open()
        opened.work.network.begin()
        do throws(ModelError) {
            _ = try opened.work.network.model()
        } catch {
            guard keepsServing, unusable == nil, let wanted = try? wantedModel(),
                wanted.source.identity != opened.work.source.identity
            else { throw error }
            unusable = opened.work.source.identity
            self.opened = nil
            table = nil
            try loadModel()
        }
    }

    /// Looks whether the settings name another model than the one that rounds are made with. A change to it that is under
    /// way goes on.
    func noteWantedModel(_ opened: Opened) {
        do {
            let wanted = try wantedModel()
            guard wanted.source.identity != opened.work.source.identity else {
                (change, changeTrouble) = (nil, nil)
                if try opened.catalogue.modelInService()?.number == opened.model {
                    try opened.catalogue.setNext(nil)
                }
                return
            }
            guard let number = try opened.catalogue.setNext(wanted.source.record) else { return }
            if change?.coming.source.identity == wanted.source.identity, change?.number == number { return }
            change = ModelChange(to: wanted, number: number, settings: settings)
        } catch {
            change = nil
            changeTrouble = error.explained.description
        }
    }

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
    package func prepareChange(looksAgain: Bool, leavesOut: Bool, _ options: Options) throws -> ChangeStep {
        let opened = try open()
        var hasTakenOver = false
        do {
            // What was in its way may have been mended.
            if change == nil || looksAgain { noteWantedModel(opened) }
            guard let change else {
                guard let changeTrouble else { return .nothingToDo }
                throw ReconcileError.changeFailed(reason: changeTrouble)
            }
            // Without the folder every photo would seem to fail.
            guard access(settings.imagesFolder, R_OK | X_OK) == 0 else {
                throw FolderScanError.missing(folder: settings.imagesFolder)
            }
            let step = try change.step(opened.catalogue, isOver: options.isOver)
            guard step.isThrough else {
                if step.embedded > 0 { changeTrouble = nil }
                return .embedded(step.embedded)
            }
            let new = try takeOver(change, opened, leavesOut: leavesOut, options)
            hasTakenOver = true
            var report = ReconcileReport()
            report.model = new.work.source.name
            report.products = try new.catalogue.rankedProductCount()
            try publish(new, everything: true, options, &report)
            return .tookOver(report)
        } catch ReconcileError.stopped {
            throw ReconcileError.stopped
        } catch {
            if hasTakenOver { throw error }
            if case ReconcileError.modelIncomplete = error {
                change?.forgetPassingFailures()
            } else {
                // The next try begins anew, with the networks too.
                change = nil
            }
            let reason =
                if case ReconcileError.changeFailed(let reason) = error { reason } else {
                    error.explained.description
                }
            changeTrouble = reason
            throw ReconcileError.changeFailed(reason: reason)
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
        let vanishing = Set(lacking.map(\.product)).subtracting(
            lacking.isEmpty ? [] : try catalogue.embeddedProducts(of: change.number)
        ).count
        if !leavesOut, isMassRemoval(vanishing, of: try catalogue.rankedProductCount()),
            let first = lacking.first
        {
            blocking.append((first.path, departures.failed.first?.failureReason ?? ""))
        }
        if let first = blocking.first {
            throw ReconcileError.modelIncomplete(
                photos: max(blocking.count, vanishing), first: "\(first.path.text): \(first.reason)")
        }

        progress(.ranking(done: 0, of: 0))
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
            if options.isStopping() { throw ReconcileError.stopped }
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
