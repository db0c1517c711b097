import Catalogue
import Embedder
import Embedding
import Foundation
import Imaging
import PhotoReading
import Products
import Publishing
import Sandbox
import Settings
import Tables
import Watching

/// Makes the catalogue and the output folder agree with the image folder, wholly or in places. For one thread.
///
/// A round is the one path that everything takes: scan, plan, apply (read, embed, store), rank, publish. What it
/// needs stays open and in memory from one round to the next.
package final class Reconciler {
    /// Where a round looks.
    package enum Scope: Hashable, Sendable {
        case everything
        /// Photos, or folders with all below them.
        case places([ImagePath])
    }

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
    }

    /// What a round did and what it left.
    package struct Round: Sendable {
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
        package var folderCount = 0
    }

    let settings: Settings
    let executable: String
    /// Whether the model in service goes on until the wanted one has a vector of every photo.
    let keepsServing: Bool
    let tableFiles: any TableFiles
    private let grouping: ProductGrouping
    private let filter: PhotoFilter
    let progress: @Sendable (ReconcileProgress) -> Void

    /// Held from the first round on, also while what is opened is given up for trouble.
    private var lock: StateLock?
    /// What the catalogue knows; nil until it is open. It is opened once: others read from it meanwhile.
    package private(set) var catalogue: Catalogue?
    var opened: Opened?
    /// In step with the neighbour table of the catalogue; nil where that is not known.
    var table: RankingTable?
    private var recentlyGone = RecentlyGone()
    /// As it was published last; nil where nothing was.
    var form: PublishedForm?
    /// Why the table of attributes could not be looked at when files were published last, as it was known before.
    package var tableTrouble: String?

    /// The model that rounds were made with last: its networks stay loaded while what is opened is given up.
    var latest: ModelAtWork?
    /// A model in service whose networks cannot be loaded here.
    var unusable: ContentDigest?
    /// What is done so that the model of the settings can take over; nil where there is nothing to do.
    package var change: ModelChange?
    /// Why it cannot.
    package var changeTrouble: String?

    /// What the processes that read photos have given up; nil before there is one.
    package var containment: Containment? { opened?.work.workers.containment }

    /// What is held from the first round to the last. Nobody else works on these folders meanwhile.
    final class Opened {
        let catalogue: Catalogue
        /// The model that rounds are made with.
        let work: ModelAtWork
        let model: ModelNumber
        var publisher: Publisher

        init(catalogue: Catalogue, work: ModelAtWork, model: ModelNumber, publisher: Publisher) {
            self.catalogue = catalogue
            self.work = work
            self.model = model
            self.publisher = publisher
        }
    }

    /// - Parameters:
    ///   - executable: the running program's path, beside which models are found.
    ///   - keepsServing: whether the model in service goes on until the one that the settings name can take over.
    ///   - tableFiles: looks at the table of attributes; nil for this process itself.
    ///   - progress: called often, on the thread of the round.
    package init(
        settings: Settings, executable: String, keepsServing: Bool = false,
        tableFiles: (any TableFiles)? = nil,
        progress: @escaping @Sendable (ReconcileProgress) -> Void = { _ in }
    ) throws {
        self.settings = settings
        self.executable = executable
        self.keepsServing = keepsServing
        self.tableFiles = tableFiles ?? DirectTableFiles()
        self.progress = progress
        grouping = ProductGrouping(pattern: settings.productPattern)
        filter = PhotoFilter(settings: settings)
        // What can be known at once is said before anything is touched.
        guard !keepsServing else { return }
        latest = try wantedModel()
        form = try PublishedForm(settings, self.tableFiles)
    }

    // MARK: The ways to run

    /// Compares the whole folder and waits until everything is published.
    package func run(allowsMassRemoval: Bool = false) throws -> ReconcileReport {
        try round(.everything, Options(allowsMassRemoval: allowsMassRemoval)).report
    }

    /// Plans, reports, and changes nothing.
    package func dryRun() throws -> ReconcileReport {
        try timed { round in
            progress(.scanning)
            let scan = try FolderScan(of: settings.imagesFolder, filter: filter)
            let catalogue = try Catalogue.forReading(stateFolder: settings.stateFolder)
            let source = try wantedModel().source
            let model = try catalogue?.existingNumber(of: source.record)
            let embedded = try model.flatMap { try catalogue?.embeddedContents(of: $0) } ?? []
            let plan = ReconcilePlan(
                scan: scan, images: try catalogue?.images() ?? [], embedded: embedded,
                rules: settings.readingRules(source.identity),
                grouping: grouping)

            round.report = report(of: plan, source)
            round.report.isDryRun = true
            round.report.plan = plan.changes
            round.report.products = try catalogue?.rankedProductCount() ?? 0
            let remaining = Set(scan.photos.map { grouping.product(of: $0.path) })
            let vanishing = try catalogue?.rankedProducts().count { !remaining.contains($0) } ?? 0
            if isMassRemoval(vanishing, of: round.report.products) { round.report.heldBack = vanishing }
            round.report.failed = try catalogue.map(failures) ?? []
        }.report
    }

    /// Opens what is there from now on, the catalogue among it.
    package func prepare() throws {
        // Whoever starts a service wants to hear of it now, not with the first photo.
        try open().publisher.checkMayWrite()
    }

    /// Opens everything, and publishes what an earlier run left due. Loads the network.
    package func start() throws {
        try prepare()
        let opened = try open()
        opened.work.network.begin()
        try opened.work.workers.prepare()
        var report = ReconcileReport()
        // Lists of another model stay as they are until those of this one are ready.
        if try opened.catalogue.rankingState().model == opened.model {
            do {
                try publish(opened, everything: false, Options(), &report)
            } catch is TableError {
                // The first round says so, and goes on trying.
            }
            table = try loadTable(opened)
        }
        try loadModel()
    }

    /// Waits until no network is being loaded any more: before the process ends.
    package func settle() {
        latest?.network.settle()
        change?.coming.network.settle()
    }

    /// One round.
    package func round(_ scope: Scope, _ options: Options) throws -> Round {
        try timed { round in try self.round(scope, options, &round) }
    }

    private func timed(_ body: (inout Round) throws -> Void) throws -> Round {
        let start = ContinuousClock.now
        var round = Round()
        try body(&round)
        round.report.seconds = (ContinuousClock.now - start).seconds
        return round
    }

    private func round(_ scope: Scope, _ options: Options, _ round: inout Round) throws {
        progress(.scanning)
        // Before the catalogue or the output is touched: a folder that is not there changes nothing.
        let scan =
            switch scope {
            case .everything:
                try FolderScan(of: settings.imagesFolder, filter: filter) { [progress] in progress(.scanning)
                }
            case .places(let places):
                try FolderScan(of: settings.imagesFolder, at: places, filter: filter) { [progress] in
                    progress(.scanning)
                }
            }
        round.folderCount = scan.folderCount
        let opened = try open()
        let images: [ImageRecord]
        let embedded: Set<ContentDigest>
        switch scope {
        case .everything:
            images = try opened.catalogue.images()
            embedded = try opened.catalogue.embeddedContents(of: opened.model)
        case .places(let places):
            images = try opened.catalogue.images(atOrBelow: places)
            embedded = try opened.catalogue.embeddedContents(
                among: images.compactMap(\.digest), of: opened.model)
        }
        var plan = ReconcilePlan(
            scan: scan, images: images, embedded: embedded, rules: rules(opened), grouping: grouping,
            finished: options.deferral.finished)
        let deferred = plan.deferReadings(options.deferral)
        let counterparts = plan.withholdRemovals(for: deferred)
        for photo in deferred {
            round.deferred.append((photo.path, photo.stamp))
            if let gone = counterparts[photo.path] { round.deferred.append((gone, nil)) }
        }
        let departures = try apply(plan, opened, options, &round)
        if scope == .everything { try adopt(opened, departures, options) }

        let mayWait = options.mayPublishLater && departures.isEmpty && scope != .everything
        guard !mayWait else { return }
        guard try rank(departures, before: images, isWhole: scope == .everything, options, opened, &round)
        else {
            round.awaitsWhole = true
            return
        }
        try publish(opened, everything: scope == .everything, options, &round.report)
        round.isPublished = true
        if scope == .everything {
            if round.report.heldBack == 0, round.left.isEmpty {
                try opened.catalogue.purge()
            }
            round.report.failed += try failures(opened.catalogue)
        }
        round.report.failed = Dictionary(
            round.report.failed.map { (FileName(text: $0.path), $0) }, uniquingKeysWith: { first, _ in first }
        ).values.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    func open() throws -> Opened {
        if let catalogue, !catalogue.isInPlace { throw CatalogueError.gone(file: catalogue.file) }
        if let opened { return opened }
        if lock == nil { lock = try StateLock(stateFolder: settings.stateFolder) }
        let catalogue = try self.catalogue ?? Catalogue(stateFolder: settings.stateFolder)
        self.catalogue = catalogue
        let work = try model(for: catalogue)
        latest = work
        let number = try catalogue.number(of: work.source.record)
        let publisher = try openPublisher(catalogue, work, number)
        let new = Opened(catalogue: catalogue, work: work, model: number, publisher: publisher)
        opened = new
        if keepsServing { noteWantedModel(new) }
        return new
    }

    func rules(_ opened: Opened) -> String { settings.readingRules(opened.work.source.identity) }

    // MARK: Plan

    private func report(of plan: ReconcilePlan, _ source: ModelSource) -> ReconcileReport {
        var report = ReconcileReport()
        report.added = plan.count(.added)
        report.changed = plan.count(.changed)
        report.retried = plan.count(.retried)
        report.modelChanged = plan.count(.modelChanged)
        report.removed = plan.removed.count
        report.unchanged = plan.unchanged + plan.regrouped.count
        report.model = source.name
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
        _ plan: ReconcilePlan, _ opened: Opened, _ options: Options, _ round: inout Round
    ) throws -> Departures {
        let (catalogue, model) = (opened.catalogue, opened.model)
        let isEmbedded = catalogue.embeddedCheck(of: model)
        var intake = PhotoIntake(plan: plan, rules: rules(opened), isStored: isEmbedded)
        try catalogue.store(images: intake.takeImages(), embeddings: [], model: model)

        let total = plan.readings.count
        var taken = 0
        if total > 0 {
            let pipeline = opened.work.pipeline(settings)
            progress(.embedding(done: 0, of: total))
            var done = 0
            taken = try pipeline.run(
                plan.readings.map(\.photo.path), isEmbedded: isEmbedded, isOver: options.isOver
            ) { outcomes in
                for (index, outcome) in outcomes { intake.take(outcome, of: plan.readings[index]) }
                done += outcomes.count
                if intake.isWorthStoring || done == total {
                    let embeddings = intake.takeEmbeddings()
                    try catalogue.store(images: intake.takeImages(), embeddings: embeddings, model: model)
                }
                progress(.embedding(done: done, of: total))
            }
            let embeddings = intake.takeEmbeddings()
            try catalogue.store(images: intake.takeImages(), embeddings: embeddings, model: model)
            round.left = intake.settleDuplicates().map(\.path)
            try catalogue.store(images: intake.takeImages(), embeddings: [], model: model)
        }
        var (done, left) = plan.dropReadings(from: taken)
        let counterparts = done.withholdRemovals(for: left)
        for photo in left {
            round.left.append(photo.path)
            if let gone = counterparts[photo.path] { round.left.append(gone) }
        }
        round.report = report(of: done, opened.work.source)
        round.changes = done.changes
        round.failures = intake.failures
        round.notes = intake.notes
        round.retries = intake.retries
        round.report.read = intake.readCount
        round.report.embedded = intake.embeddedCount
        round.keptFailures = intake.keptFailures
        round.report.failed = intake.keptFailures
        var departures = intake.departures
        departures.removed += done.removed.map(\.path)
        return departures
    }

    /// A catalogue made anew does not know what an earlier one published; the index on disk does. Takes these
    /// products on, unless so many of them have no photo that the folder is probably not there.
    private func adopt(_ opened: Opened, _ departures: Departures, _ options: Options) throws {
        let indexed = opened.publisher.takeIndexedProducts()
        guard !indexed.isEmpty else { return }
        let known = Set(try opened.catalogue.publications().map(\.product))
        let forgotten = indexed.filter { !known.contains($0) }
        guard !forgotten.isEmpty else { return }
        let departing = departures.paths
        let present = Set(
            try opened.catalogue.images().filter { $0.digest != nil && !departing.contains($0.path) }
                .map(\.product))
        let missing = forgotten.count { !present.contains($0) }
        guard options.allowsMassRemoval || !isMassRemoval(missing, of: forgotten.count) else {
            self.opened = nil
            throw ReconcileError.outputOfOthers(
                folder: settings.outputFolder, missing: missing, products: forgotten.count)
        }
        try opened.catalogue.adopt(forgotten)
    }

    // MARK: Rank

    /// Brings the neighbour table up to date with what was stored and what departs.
    ///
    /// - Parameters:
    ///   - before: the photos of the scope as they were known before this round.
    ///   - isWhole: whether the scope is everything.
    /// - Returns: false where it has to wait until photos have vectors of another model.
    private func rank(
        _ wanted: Departures, before: [ImageRecord], isWhole: Bool, _ options: Options, _ opened: Opened,
        _ round: inout Round
    ) throws -> Bool {
        let catalogue = opened.catalogue
        let state = try catalogue.rankingState()
        let count = settings.recommendationCount
        let isOtherModel = state.model != opened.model
        var isBehind = isOtherModel || state.count != count || !state.unranked.isEmpty
        if isWhole, !isBehind {
            isBehind = try table?.hasLost ?? false || opened.catalogue.arePoolsAhead(of: opened.model)
        }
        round.report.products = try catalogue.rankedProductCount()
        guard isBehind || !wanted.isEmpty else {
            if state.isHeldBack, isWhole { try catalogue.setHeldBack(false) }
            return true
        }

        var departures = wanted
        let departing = departures.paths
        let leaving = before.filter { departing.contains($0.path) }.map(\.product)
        let turnover = try turnover(
            Set(state.unranked + leaving), before: before, departing: departing, catalogue)
        var recent = recentlyGone
        recent.settle(turnover, isHeldBack: state.isHeldBack)
        let vanishing = turnover.gone.count
        let earlier = recent.count(besides: turnover.gone.keys)
        var affected = Set(state.unranked)
        // What is held back stays so until all of it is back, not only enough: the rest may be on its way.
        let isLatched = state.isHeldBack && settings.massRemovalLimit < 1
        let isMass = isMassRemoval(vanishing + earlier, of: round.report.products + earlier)
        if vanishing > 0, isLatched || isMass, !options.allowsMassRemoval {
            if !state.isHeldBack { try catalogue.setHeldBack(true) }
            round.report.heldBack = vanishing
            round.report.removed = 0
            round.changes.removeAll { $0.action == .remove }
            departures = Departures()
            recentlyGone = recent
            guard isBehind else { return true }
        } else {
            affected.formUnion(leaving)
            if options.allowsMassRemoval { recent.forget() } else { recent.add(turnover.gone) }
            if state.isHeldBack, isWhole { try catalogue.setHeldBack(false) }
        }
        // After a change of model, a photo that cannot be read now has no vector that could be compared.
        if isOtherModel, !options.allowsMassRemoval {
            let paths = departures.paths
            let unembedded = try catalogue.images(withoutVectorOf: opened.model).filter {
                !paths.contains($0.path)
            }
            let isThrough = isWhole && round.left.isEmpty && round.deferred.isEmpty
            guard unembedded.isEmpty || isThrough else { return false }
            if let first = unembedded.first {
                throw ReconcileError.modelIncomplete(photos: unembedded.count, first: first.path.text)
            }
        }
        try update(affected, departures, state, options, isOtherModel: isOtherModel, opened, &round.report)
        recentlyGone = recent
        return true
    }

    /// Computes new rows and makes the change in one transaction.
    private func update(
        _ affected: Set<ProductID>, _ departures: Departures, _ state: RankingState, _ options: Options,
        isOtherModel: Bool, _ opened: Opened, _ report: inout ReconcileReport
    ) throws {
        // What fails half-way is read again from the catalogue.
        let table = try self.table.take() ?? loadTable(opened)
        let change = try table.update(
            affected, isWhole: isOtherModel || state.count != table.count, without: departures,
            progress: { [progress] in progress(.ranking(done: $0, of: $1)) }, isStopping: options.isStopping)
        report.products = table.productCount
        try opened.catalogue.rank(
            change.changed, neighbours: table.neighbours, removed: change.removed, pools: table.poolChange(),
            count: table.count, model: opened.model, settled: change.settled, departures: departures
        ) { done in
            progress(.ranking(done: done, of: change.changed.count))
            if options.isStopping() { throw ReconcileError.stopped }
        }
        self.table = table
    }

    private func loadTable(_ opened: Opened) throws -> RankingTable {
        try RankingTable(
            catalogue: opened.catalogue, model: opened.model, dimension: opened.work.source.dimension,
            count: settings.recommendationCount, threads: settings.effectiveThreads)
    }

    /// Whether so many vanishing products look like a folder that is not there rather than like a change.
    func isMassRemoval(_ vanishing: Int, of products: Int) -> Bool {
        Double(vanishing) > settings.massRemovalLimit * Double(products)
    }

    /// What becomes of products whose photos came or went. A product that loses its last photo counts as gone unless
    /// one of its photos is there as a new product's; each photo of a new product stands for one that has gone, so
    /// that copies of one picture do not stand for many.
    private func turnover(
        _ affected: Set<ProductID>, before: [ImageRecord], departing: Set<ImagePath>, _ catalogue: Catalogue
    ) throws -> RecentlyGone.Turnover {
        let ranked = Set(try catalogue.rankedProducts(among: affected))
        var turnover = RecentlyGone.Turnover()
        var gone: [ProductID] = []
        for product in affected {
            let digests = try catalogue.images(of: product).filter { !departing.contains($0.path) }
                .compactMap(\.digest)
            if !digests.isEmpty { turnover.present.insert(product) }
            if !ranked.contains(product) {
                for digest in digests { turnover.arrived[digest, default: 0] += 1 }
            } else if digests.isEmpty {
                gone.append(product)
            }
        }
        guard !gone.isEmpty else { return turnover }
        let contents = Dictionary(grouping: before.filter { $0.digest != nil }, by: \.product)
        for product in gone.sorted() {
            let digests = contents[product, default: []].compactMap(\.digest)
            if !turnover.match(digests) { turnover.gone[product] = digests }
        }
        return turnover
    }
}
