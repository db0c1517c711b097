import Catalogue
import Embedding
import Foundation
import Imaging
import Neighbours
import Products
import Publishing
import Settings
import Watching

/// Makes the catalogue and the output folder agree with the image folder.
package struct Reconciler {
    package struct Options: Hashable, Sendable {
        /// Plan and report, change nothing.
        package var isDryRun = false
        /// Remove products however many vanish at once.
        package var allowsMassRemoval = false

        package init(isDryRun: Bool = false, allowsMassRemoval: Bool = false) {
            self.isDryRun = isDryRun
            self.allowsMassRemoval = allowsMassRemoval
        }
    }

    private let settings: Settings
    private let source: ModelSource
    private let reader: PhotoReader
    private let grouping: ProductGrouping
    private let progress: @Sendable (ReconcileProgress) -> Void

    /// - Parameters:
    ///   - executable: the running program's path, beside which models are found.
    ///   - progress: called often, from any thread.
    package init(
        settings: Settings, executable: String,
        progress: @escaping @Sendable (ReconcileProgress) -> Void = { _ in }
    ) throws(AgentError) {
        self.settings = settings
        self.progress = progress
        source = try inRooms { try ModelSource(settings: settings, executable: executable) }
        reader = PhotoReader(settings: settings, shape: source.manifest.shape)
        grouping = ProductGrouping(pattern: settings.productPattern)
    }

    /// Runs once. Waits until everything is published.
    package func run(_ options: Options = Options()) throws(AgentError) -> ReconcileReport {
        let start = ContinuousClock.now
        var report = try inRooms { options.isDryRun ? try dryRun() : try reconcile(options) }
        let duration = ContinuousClock.now - start
        report.seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        return report
    }

    // MARK: The two ways to run

    private func dryRun() throws -> ReconcileReport {
        progress(.scanning)
        let scan = try FolderScan(of: settings.imagesFolder, extensions: settings.imageExtensions)
        let catalogue = try Catalogue.existing(stateFolder: settings.stateFolder)
        let model = try catalogue?.existingNumber(of: source.record)
        let embedded = try model.flatMap { try catalogue?.embeddedContents(of: $0) } ?? []
        let images = try catalogue?.images() ?? []
        let plan = plan(scan, images: images, embedded: embedded)

        var report = report(of: plan)
        report.isDryRun = true
        report.plan = plan.changes
        report.products = try catalogue?.summary().products ?? 0
        let remaining = Set(scan.photos.map { grouping.product(of: $0.path) })
        let vanishing = try catalogue?.rankedProducts().count { !remaining.contains($0) } ?? 0
        if isMassRemoval(vanishing, of: report.products) { report.heldBack = vanishing }
        report.failed = try catalogue.map(failures) ?? []
        return report
    }

    private func reconcile(_ options: Options) throws -> ReconcileReport {
        let lock = try StateLock(stateFolder: settings.stateFolder)
        defer { withExtendedLifetime(lock) {} }
        progress(.scanning)
        // Before the catalogue or the output is touched: a folder that is not there changes nothing.
        let scan = try FolderScan(of: settings.imagesFolder, extensions: settings.imageExtensions)
        let catalogue = try Catalogue(stateFolder: settings.stateFolder)
        let published = try catalogue.publishedProducts()
        var publisher = try Publisher(
            folder: settings.outputFolder, model: source.manifest.name, hasPublished: !published.isEmpty)
        let model = try catalogue.number(of: source.record)

        let images = try catalogue.images()
        let plan = plan(scan, images: images, embedded: try catalogue.embeddedContents(of: model))
        var report = report(of: plan)
        let departures = try apply(plan, catalogue: catalogue, model: model, report: &report)
        try adopt(
            publisher.indexedProducts, known: published, departures: departures, options: options,
            catalogue: catalogue)
        try rank(
            departures, before: images, options: options, catalogue: catalogue, model: model, report: &report)
        try publish(catalogue: catalogue, publisher: &publisher, report: &report)
        report.failed.append(contentsOf: try failures(catalogue))
        report.failed = Dictionary(report.failed.map { (FileName(text: $0.path), $0) }) { first, _ in first }
            .values.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        return report
    }

    // MARK: Plan

    private func plan(_ scan: FolderScan, images: [ImageRecord], embedded: Set<ContentDigest>)
        -> ReconcilePlan
    {
        ReconcilePlan(
            scan: scan, images: images, embedded: embedded, rules: reader.rules, grouping: grouping)
    }

    private func report(of plan: ReconcilePlan) -> ReconcileReport {
        var report = ReconcileReport()
        report.added = plan.count(.added)
        report.changed = plan.count(.changed)
        report.retried = plan.count(.retried)
        report.modelChanged = plan.count(.modelChanged)
        report.removed = plan.removed.count
        report.unchanged = plan.unchanged + plan.regrouped.count
        report.model = source.manifest.name
        return report
    }

    private func failures(_ catalogue: Catalogue) throws -> [ReconcileReport.Failure] {
        try catalogue.failedImages().map { record in
            guard case .failed(let reason, _, _) = record.state else {
                preconditionFailure("asked for failed photos")
            }
            return ReconcileReport.Failure(path: record.path.text, reason: reason)
        }
    }

    // MARK: Apply

    /// Reads and embeds what the plan says, and stores it batch by batch.
    ///
    /// - Returns: the photos that leave, which the ranking takes out.
    private func apply(
        _ plan: ReconcilePlan, catalogue: Catalogue, model: ModelNumber, report: inout ReconcileReport
    ) throws -> Departures {
        var intake = PhotoIntake(
            plan: plan, rules: reader.rules, embedded: try catalogue.embeddedContents(of: model))
        try catalogue.store(images: intake.takeImages(), embeddings: [], model: model)

        let total = plan.readings.count
        if total > 0 {
            let pipeline = EmbeddingPipeline(
                folder: settings.imagesFolder, reader: reader, source: source,
                threads: settings.effectiveThreads)
            progress(.embedding(done: 0, of: total))
            var done = 0
            try pipeline.run(plan.readings.map(\.photo.path), embedded: intake.embedded) { outcomes in
                for (index, outcome) in outcomes { intake.take(outcome, of: plan.readings[index]) }
                done += outcomes.count
                if intake.isWorthStoring || done == total {
                    let embeddings = intake.takeEmbeddings()
                    try catalogue.store(images: intake.takeImages(), embeddings: embeddings, model: model)
                }
                progress(.embedding(done: done, of: total))
            }
            intake.settleDuplicates()
            try catalogue.store(
                images: intake.takeImages(), embeddings: intake.takeEmbeddings(), model: model)
        }
        report.read = intake.readCount
        report.embedded = intake.embeddedCount
        report.failed = intake.keptFailures
        return intake.departures
    }

    /// A catalogue made anew does not know what an earlier one published; the index on disk does. Takes these
    /// products on, unless so many of them have no photo that the folder is probably not there.
    private func adopt(
        _ indexed: [ProductID], known: [ProductID], departures: Departures, options: Options,
        catalogue: Catalogue
    ) throws {
        let known = Set(known)
        let forgotten = indexed.filter { !known.contains($0) }
        guard !forgotten.isEmpty else { return }
        let departing = departures.paths
        let present = Set(
            try catalogue.images().filter { $0.digest != nil && !departing.contains($0.path) }.map(\.product))
        let missing = forgotten.count { !present.contains($0) }
        guard options.allowsMassRemoval || !isMassRemoval(missing, of: forgotten.count) else {
            throw AgentError.outputOfOthers(
                folder: settings.outputFolder, missing: missing, products: forgotten.count)
        }
        try catalogue.adopt(forgotten)
    }

    // MARK: Rank

    /// Computes the neighbour table anew where photos, the model or the count have changed.
    ///
    /// - Parameter before: the photos as they were known before this run.
    private func rank(
        _ wanted: Departures, before: [ImageRecord], options: Options, catalogue: Catalogue,
        model: ModelNumber,
        report: inout ReconcileReport
    ) throws {
        let ranked = try catalogue.rankedProducts()
        let state = try catalogue.rankingState()
        let count = settings.recommendationCount
        let isBehind = state.isDue || state.model != model || state.count != count
        report.products = ranked.count
        guard isBehind || !wanted.isEmpty else { return }

        var departures = wanted
        var vectors = try catalogue.productVectors(of: model, without: departures.paths)
        let remaining = Set(vectors.map(\.product))
        let vanishing = try countNotMoved(
            ranked.filter { !remaining.contains($0) }, ranked: ranked, before: before, departures: departures,
            catalogue: catalogue)
        if !options.allowsMassRemoval && isMassRemoval(vanishing, of: ranked.count) {
            report.heldBack = vanishing
            departures = Departures()
            guard isBehind else { return }
            vectors = try catalogue.productVectors(of: model)
        }
        // After a change of model, a photo that cannot be read now has no vector that could be compared.
        let unembedded = try catalogue.countUnembedded(of: model, without: departures.paths)
        guard unembedded == 0 || options.allowsMassRemoval else {
            throw AgentError.modelIncomplete(photos: unembedded)
        }

        let total = vectors.count
        report.products = total
        progress(.ranking(done: 0, of: total))
        let index = NeighbourIndex(vectors, dimension: source.manifest.dimension)
        vectors = []
        let table = index.table(count: count, threads: settings.effectiveThreads) { [progress] done in
            progress(.ranking(done: done, of: total))
        }
        try catalogue.rank(
            zip(index.products, table).map { ($0, $1) }, count: count, model: model, departures: departures)
    }

    /// Whether so many vanishing products look like a folder that is not there rather than like a change.
    private func isMassRemoval(_ vanishing: Int, of products: Int) -> Bool {
        Double(vanishing) > settings.massRemovalLimit * Double(products)
    }

    /// How many products are gone without one of their photos being there as a new product's: each photo of a new
    /// product stands for one product that has gone, so that copies of one picture do not stand for many.
    private func countNotMoved(
        _ gone: [ProductID], ranked: [ProductID], before: [ImageRecord], departures: Departures,
        catalogue: Catalogue
    ) throws -> Int {
        guard !gone.isEmpty else { return 0 }
        let departing = departures.paths
        let known = Set(ranked)
        var arrived: [ContentDigest: Int] = [:]
        for image in try catalogue.images()
        where !departing.contains(image.path) && !known.contains(image.product) {
            if let digest = image.digest { arrived[digest, default: 0] += 1 }
        }
        let contents = Dictionary(grouping: before.filter { $0.digest != nil }, by: \.product)
        return gone.count { product in
            for digest in contents[product, default: []].compactMap(\.digest)
            where arrived[digest, default: 0] > 0 {
                arrived[digest, default: 0] -= 1
                return false
            }
            return true
        }
    }

    // MARK: Publish

    /// Brings every file to what the catalogue says. Files are compared with what is on disk, not with what was
    /// written last time: whatever happened to the output folder, it is right afterwards.
    private func publish(
        catalogue: Catalogue, publisher: inout Publisher, report: inout ReconcileReport
    ) throws {
        let published = Set(try catalogue.publishedProducts())
        let firstImages = try catalogue.firstImages()
        var digests: [(product: ProductID, digest: ContentDigest)] = []
        try catalogue.forEachRankedProduct { ranked in
            let document = ProductDocument(ranked, firstImages: firstImages)
            digests.append((ranked.product, try publisher.stage(document)))
            if digests.count % 64 == 0 { progress(.publishing(done: digests.count, of: report.products)) }
        }
        let gone = published.subtracting(digests.map(\.product)).sorted()
        let outcome = try publisher.finish(removing: gone)
        try catalogue.notePublished(digests, removed: gone)
        report.published = ReconcileReport.Published(
            written: outcome.written, unchanged: outcome.unchanged, removed: outcome.removed)
    }
}
