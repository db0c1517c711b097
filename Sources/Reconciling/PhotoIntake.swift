import Catalogue
import Embedder
import Products
import Watching

/// Turns what became of photos into records for the catalogue.
struct PhotoIntake {
    private(set) var departures = Departures()
    private(set) var readCount = 0
    private(set) var embeddedCount = 0
    /// Photos that cannot be read now but could before: they stay as they were.
    private(set) var keptFailures: [ReconcileReport.Failure] = []

    /// Photos that cannot be used since this run, with why.
    private(set) var failures: [ReconcileReport.Failure] = []

    /// What was noticed of photos that are used all the same.
    private(set) var notes: [ReconcileReport.Failure] = []

    /// Photos to try again soon, with how often they were tried.
    private(set) var retries: [(path: ImagePath, attempts: Int)] = []

    private let rules: String
    /// Whether a content has a vector in the catalogue.
    private let isStored: (ContentDigest) -> Bool
    /// Contents that got a vector in this run.
    private var embedded: Set<ContentDigest> = []
    private var images: [ImageRecord] = []
    private var embeddings: [(digest: ContentDigest, embedding: Embedding)] = []
    private var refused: [ContentDigest: (reason: String, isCertain: Bool)] = [:]
    /// Photos whose content another photo is being embedded for.
    private var waiting: [(reading: ReconcilePlan.Reading, stamp: FileStamp, digest: ContentDigest)] = []

    /// What has gone by the plan is for the ranking; what goes while it is read is added here.
    init(plan: ReconcilePlan, rules: String, isStored: @escaping (ContentDigest) -> Bool) {
        self.rules = rules
        self.isStored = isStored
        images = plan.regrouped
        (keptFailures, failures) = (plan.keptFailures, plan.keptFailures)
        for (record, previous) in plan.obstructed { fail(record, previous: previous) }
    }

    var isWorthStoring: Bool {
        embeddings.count >= EmbeddingPipeline.storedAtOnce
            || images.count >= EmbeddingPipeline.storedAtOnce * 4
    }

    mutating func take(_ outcome: EmbeddingPipeline.Outcome, of reading: ReconcilePlan.Reading) {
        switch outcome {
        case .embedded(let stamp, let digest, let embedding, let photoNotes):
            notes += photoNotes.map { ReconcileReport.Failure(path: reading.photo.path.text, reason: $0) }
            readCount += 1
            embeddedCount += 1
            embedded.insert(digest)
            embeddings.append((digest, embedding))
            images.append(reading.record(stamp, .ready(digest)))
        case .known(let stamp, let digest):
            readCount += 1
            if !resolve(reading, stamp, digest) { waiting.append((reading, stamp, digest)) }
        case .refused(let stamp, let digest, let reason):
            readCount += digest == nil ? 0 : 1
            if let digest { refused[digest] = (reason, true) }
            fail(reading, stamp, reason, isCertain: true)
        case .lost(let stamp, let digest, let reason):
            readCount += 1
            refused[digest] = (reason, false)
            fail(reading, stamp, reason, isCertain: false)
        case .unreadable(let reason, let mayPass):
            if reading.previous?.digest != nil {
                let failure = ReconcileReport.Failure(path: reading.photo.path.text, reason: reason)
                keptFailures.append(failure)
                failures.append(failure)
                if mayPass { retries.append((reading.photo.path, RetrySchedule.mostCounted)) }
            } else {
                let state = ImageRecord.State.failed(
                    reason: reason, attempts: reading.attempts + 1, under: nil)
                fail(reading.record(reading.photo.stamp, state), previous: reading.previous)
                if mayPass { retries.append((reading.photo.path, reading.attempts + 1)) }
            }
        case .vanished:
            if reading.previous != nil { departures.removed.append(reading.photo.path) }
        }
    }

    /// Once every photo is through: those that waited for another photo of the same content share its fate.
    ///
    /// - Returns: photos that could not be resolved, because the catalogue could not be asked; they are as they were.
    mutating func resolveDuplicates() -> [FolderScan.Photo] {
        defer { waiting = [] }
        return waiting.filter { !resolve($0.reading, $0.stamp, $0.digest) }.map(\.reading.photo)
    }

    mutating func takeImages() -> [ImageRecord] {
        defer { images = [] }
        return images
    }

    mutating func takeEmbeddings() -> [(digest: ContentDigest, embedding: Embedding)] {
        defer { embeddings = [] }
        return embeddings
    }

    private mutating func resolve(
        _ reading: ReconcilePlan.Reading, _ stamp: FileStamp, _ digest: ContentDigest
    ) -> Bool {
        if embedded.contains(digest) || isStored(digest) {
            images.append(reading.record(stamp, .ready(digest)))
            return true
        }
        guard let (reason, isCertain) = refused[digest] else { return false }
        fail(reading, stamp, reason, isCertain: isCertain)
        return true
    }

    /// - Parameter isCertain: whether it would fail again.
    private mutating func fail(
        _ reading: ReconcilePlan.Reading, _ stamp: FileStamp, _ reason: String, isCertain: Bool
    ) {
        let attempts = reading.attempts + 1
        // A young file may be half of one: somebody may have stalled while writing it.
        let isYoung = stamp.isYoung(within: RetrySchedule.young)
        if isYoung, isCertain || attempts < EmbeddingPipeline.lossesUntilRefused {
            retries.append((reading.photo.path, attempts))
        }
        let isFinal = isCertain ? !isYoung : attempts >= EmbeddingPipeline.lossesUntilRefused
        let state = ImageRecord.State.failed(reason: reason, attempts: attempts, under: isFinal ? rules : nil)
        fail(reading.record(stamp, state), previous: reading.previous)
    }

    /// A photo that was ready departs together with the next ranking; another one is stored as it is.
    private mutating func fail(_ record: ImageRecord, previous: ImageRecord?) {
        if case .failed(let reason, _, _) = record.state, reason != previous?.failureReason {
            failures.append(ReconcileReport.Failure(path: record.path.text, reason: reason))
        }
        if previous?.digest != nil {
            departures.failed.append(record)
        } else if record != previous {
            images.append(record)
        }
    }
}

extension ReconcilePlan.Reading {
    fileprivate func record(_ stamp: FileStamp, _ state: ImageRecord.State) -> ImageRecord {
        ImageRecord(path: photo.path, product: product, stamp: stamp, state: state)
    }

    /// How often this version of the file was tried before.
    fileprivate var attempts: Int {
        guard let previous, case .failed(_, let attempts, _) = previous.state, previous.stamp == photo.stamp
        else { return 0 }
        return attempts
    }
}

extension ImageRecord {
    /// Why the photo cannot be used; nil where it can.
    package var failureReason: String? {
        if case .failed(let reason, _, _) = state { reason } else { nil }
    }
}
