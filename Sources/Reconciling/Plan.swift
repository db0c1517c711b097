import Catalogue
import Embedder
import PhotoReading
import Products
import Watching

/// Compares what a scan found with what the catalogue knows.
struct PlanStep {
    let workplace: Workplace
    let session: Session
    let deferral: Deferral

    struct Outcome {
        let plan: ReconcilePlan
        /// The photos of the scope as they were known before this round.
        let before: [ImageRecord]
        /// Photos to look at later, with what they are like now; nil for photos that have gone.
        var deferred: [(path: ImagePath, stamp: FileStamp?)] = []
    }

    func run(_ scan: FolderScan, _ scope: Round.Scope) throws -> Outcome {
        let places: [ImagePath]? = if case .places(let places) = scope { places } else { nil }
        let known = try session.catalogue.known(at: places, model: session.model)
        var plan = ReconcilePlan(
            scan: scan, images: known.images, embedded: known.embedded,
            rules: workplace.rules(session.work), grouping: workplace.grouping, finished: deferral.finished)
        let unread = plan.deferReadings(deferral)
        let counterparts = plan.withholdRemovals(for: unread)
        var outcome = Outcome(plan: plan, before: known.images)
        for photo in unread {
            outcome.deferred.append((photo.path, photo.stamp))
            if let gone = counterparts[photo.path] { outcome.deferred.append((gone, nil)) }
        }
        return outcome
    }
}

extension Workplace {
    /// Names the rules of reading; photos that failed under these are not tried again.
    func rules(_ work: ModelAtWork) -> String { settings.readingRules(work.source.identity) }
}

/// What has to be done so that the catalogue agrees with the folder. Making a plan reads no photo.
package struct ReconcilePlan: Sendable {
    /// A photo that has to be read, and why.
    package struct Reading: Sendable {
        package enum Reason: String, Sendable {
            case added, changed
            /// It failed before, and may not now.
            case retried
            /// Its vector is of another model.
            case modelChanged
        }

        package let photo: FolderScan.Photo
        package let product: ProductID
        package let reason: Reason
        package let previous: ImageRecord?
    }

    package private(set) var readings: [Reading] = []
    /// Photos that are the same but count as another product's now.
    package private(set) var regrouped: [ImageRecord] = []
    /// Photos that are no longer there.
    package private(set) var removed: [ImageRecord] = []
    /// What is in the way of a photo or folder, as a record that has failed.
    package private(set) var obstructed: [(record: ImageRecord, previous: ImageRecord?)] = []
    /// Photos that cannot be looked at now but could before: they stay as they were.
    private(set) var keptFailures: [ReconcileReport.Failure] = []
    package private(set) var unchanged = 0

    /// - Parameters:
    ///   - images: what the catalogue knows.
    ///   - embedded: the contents that have a vector of the model in use.
    ///   - rules: names the rules of reading; photos that failed under these are not tried again.
    ///   - finished: photos that are known to have been written, even if size and time are as they were.
    init(
        scan: FolderScan, images: [ImageRecord], embedded: Set<ContentDigest>, rules: String,
        grouping: ProductGrouping, finished: Set<ImagePath> = []
    ) {
        var known = Dictionary(uniqueKeysWithValues: images.map { ($0.path, $0) })
        for photo in scan.photos {
            let product = grouping.product(of: photo.path)
            let previous = known.removeValue(forKey: photo.path)
            let reason =
                Self.reason(to: photo, previous, embedded: embedded, rules: rules)
                ?? (finished.contains(photo.path) ? .changed : nil)
            if let reason {
                readings.append(Reading(photo: photo, product: product, reason: reason, previous: previous))
            } else if let previous, previous.product != product {
                regrouped.append(
                    ImageRecord(
                        path: previous.path, product: product, stamp: previous.stamp, state: previous.state))
            } else {
                unchanged += 1
            }
        }
        for obstacle in scan.obstacles {
            let previous = known.removeValue(forKey: obstacle.path)
            if obstacle.hidesItself, previous?.digest != nil {
                keptFailures.append(.init(path: obstacle.path.text, reason: obstacle.reason.description))
                unchanged += 1
                continue
            }
            let record = ImageRecord(
                path: obstacle.path, product: grouping.product(of: obstacle.path),
                stamp: FileStamp(bytes: 0, mtimeNanoseconds: 0),
                state: .failed(reason: obstacle.reason.description, attempts: 1, under: nil))
            obstructed.append((record, previous))
        }
        // What lies behind an obstacle has not been seen, which does not mean that it has gone.
        let hidden = scan.obstacles.filter(\.hidesPhotos).map { $0.path.text + "/" }
        removed = known.values.filter { record in
            !hidden.contains { record.path.text.utf8.starts(with: $0.utf8) }
        }
        removed.sort { $0.path < $1.path }
        unchanged += known.count - removed.count
    }

    /// Every photo that something would be done with, in the order of their paths.
    package var changes: [ReconcileReport.Change] {
        var changes: [(path: ImagePath, action: ReconcileReport.Change.Action)] = readings.map { reading in
            switch reading.reason {
            case .added: (reading.photo.path, .add)
            case .changed: (reading.photo.path, .change)
            case .retried: (reading.photo.path, .retry)
            case .modelChanged: (reading.photo.path, .embedAnew)
            }
        }
        changes += regrouped.map { ($0.path, .regroup) }
        changes += removed.map { ($0.path, .remove) }
        changes += obstructed.filter { $0.record != $0.previous }.map { ($0.record.path, .fail) }
        return changes.sorted { $0.path < $1.path }
            .map { ReconcileReport.Change(action: $0.action, path: $0.path.text) }
    }

    func report(model: String) -> ReconcileReport {
        var report = ReconcileReport()
        report.added = count(.added)
        report.changed = count(.changed)
        report.retried = count(.retried)
        report.modelChanged = count(.modelChanged)
        report.removed = removed.count
        report.unchanged = unchanged + regrouped.count
        report.model = model
        return report
    }

    mutating func removeRemoved(where isUnwanted: (ImageRecord) -> Bool) {
        removed.removeAll(where: isUnwanted)
    }

    mutating func removeReadings(where isUnwanted: (Reading) -> Bool) {
        readings.removeAll(where: isUnwanted)
    }

    package func count(_ reason: Reading.Reason) -> Int {
        readings.count { $0.reason == reason }
    }

    private static func reason(
        to photo: FolderScan.Photo, _ previous: ImageRecord?, embedded: Set<ContentDigest>, rules: String
    ) -> Reading.Reason? {
        guard let previous else { return .added }
        guard previous.stamp == photo.stamp else { return .changed }
        switch previous.state {
        case .ready(let digest): return embedded.contains(digest) ? nil : .modelChanged
        case .failed(_, _, let under): return under == rules ? nil : .retried
        }
    }
}
