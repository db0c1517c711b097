import Catalogue
import Control
import Foundation
import Hooking
import Products
import Settings
import Watching

// How the catalogue is: what `status` shows, whether or not an agent is running.

extension StatusReport {
    /// From the catalogue, where no agent is running or the one that is does not answer.
    ///
    /// - Parameter silence: why it could not be asked; nil where none is running.
    package init(ofCatalogue settings: Settings, silence: (any ExplainedError)? = nil) throws {
        guard let catalogue = try Catalogue.forReading(stateFolder: settings.state.folder) else {
            throw silence ?? InsightError.nothingYet(stateFolder: settings.state.folder)
        }
        let filter = PhotoFilter(extensions: [], excludes: settings.images.excludes)
        try self.init(settings: settings, catalogue: catalogue, hook: HookStatus())
        self.silence = silence?.description
        // What hangs the agent may hang whoever looks at the photos.
        if silence == nil {
            folders = (try? FolderScan(of: settings.images.folder, filter: filter))?.folderCount
        }
    }

    /// What a catalogue says, and how the hook is.
    ///
    /// - Parameter catalogue: nil where there is none yet.
    package init(
        settings: Settings, catalogue: Catalogue?, hook: HookStatus
    ) throws(CatalogueError) {
        self.init(settings: settings)
        watchesAllowed = WatchBudget.allowed
        let summary = try catalogue?.summary() ?? .empty
        model = summary.model.map(Model.init)
        change = summary.coming.map {
            Change(model: Model($0.record), embedded: $0.embedded, photos: $0.photos)
        }
        products = summary.products
        photos = summary.ready
        due = summary.due
        isInterrupted = summary.isRankingDue || summary.due > 0
        isHeldBack = summary.isHeldBack
        generation = summary.generation
        if !settings.publish.hook.isEmpty {
            self.hook = Hook(
                command: settings.publish.hook, waiting: try catalogue?.hookChangeCount() ?? 0,
                isRunning: hook.isRunning, lastRun: hook.lastRun?.formatted(.iso8601), trouble: hook.trouble,
                failures: hook.failures)
        }
        lastReconcile = try catalogue?.lastReconcile().flatMap { last in
            guard let found = try? JSONDecoder().decode(ReconcileReport.self, from: Data(last.report.utf8))
            else { return nil }
            let time = Date(timeIntervalSince1970: last.endedAt)
            return Reconcile(endedAt: time.formatted(.iso8601), found: found)
        }
        failed =
            try catalogue?.failedImages().compactMap { record in
                guard case .failed(let reason, let attempts, _) = record.state else { return nil }
                return Failure(path: record.path.text, reason: reason, attempts: attempts)
            } ?? []
    }
}

extension StatusReport.Model {
    init(_ record: ModelRecord) {
        self.init(name: record.name, precision: record.precision, dimension: record.dimension)
    }
}
