import Catalogue
import Embedder
import Embedding
import PhotoReading
import Products
import Watching

/// Plans a round for everything, and tells what it would do. Changes nothing, the catalogue included.
struct DryRun {
    let workplace: Workplace
    let source: ModelSource
    let brake: RemovalBrake

    func report() throws -> ReconcileReport {
        let start = ContinuousClock.now
        let scan = try workplace.scan(.everything)
        let settings = workplace.settings
        let catalogue = try Catalogue.forReading(stateFolder: settings.state.folder)
        let model = try catalogue?.existingNumber(of: source.record)
        let embedded = try model.flatMap { try catalogue?.embeddedContents(of: $0) } ?? []
        let plan = ReconcilePlan(
            scan: scan, images: try catalogue?.images() ?? [], embedded: embedded,
            rules: settings.readingRules(source.identity), grouping: workplace.grouping)

        var report = plan.report(model: source.name)
        report.isDryRun = true
        report.plan = plan.changes
        report.products = try catalogue?.rankedProductCount() ?? 0
        let remaining = Set(scan.photos.map { workplace.grouping.product(of: $0.path) })
        let vanishing = try catalogue?.rankedProducts().count { !remaining.contains($0) } ?? 0
        if brake.isMass(vanishing, of: report.products) { report.heldBack = vanishing }
        report.failed = try catalogue?.failures() ?? []
        report.seconds = (ContinuousClock.now - start).seconds
        return report
    }
}

extension Catalogue {
    /// The photos that failed, as reports have them.
    func failures() throws(CatalogueError) -> [ReconcileReport.Failure] {
        try failedImages().map {
            ReconcileReport.Failure(path: $0.path.text, reason: $0.failureReason ?? "")
        }
    }
}
