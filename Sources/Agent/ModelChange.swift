import Catalogue
import Foundation
import Products
import Settings

/// The change to another model while the one in service goes on: first every photo gets a vector of the one to come,
/// in steps between other work; then it takes over at once. For one thread.
///
/// All that is done is in the catalogue, so a change that was interrupted goes on where it was.
final class ModelChange {
    let coming: ModelAtWork
    let number: ModelNumber
    private let settings: Settings
    /// Why contents got no vector.
    private(set) var failures: [ContentDigest: Failure] = [:]
    /// Where the next step goes on.
    private var after: ContentDigest?

    private static let photosAtOnce = 1024
    private static let storedAtOnce = 64

    struct Failure: Sendable {
        let reason: String
        /// Whether it would fail again: not where the photo cannot be read now, or is another one by now.
        let isFinal: Bool
    }

    struct Step: Sendable {
        let embedded: Int
        /// Whether there is no photo left to embed.
        let isThrough: Bool
    }

    init(to coming: ModelAtWork, number: ModelNumber, settings: Settings) {
        (self.coming, self.number, self.settings) = (coming, number, settings)
    }

    /// Embeds photos until the time is up.
    ///
    /// - Parameter isOver: when it is true no further photo is begun; called from several threads.
    /// - Throws: `AgentError` where the networks cannot be loaded or run, `CatalogueError` where nothing can be stored.
    func step(_ catalogue: Catalogue, isOver: @escaping @Sendable () -> Bool) throws -> Step {
        var images = try next(of: catalogue)
        if images.isEmpty, after != nil {
            // Those that came meanwhile, anywhere.
            after = nil
            images = try next(of: catalogue)
        }
        guard !images.isEmpty else { return Step(embedded: 0, isThrough: true) }
        let number = number
        var waiting: [(digest: ContentDigest, embedding: Embedding)] = []
        var embedded: Set<ContentDigest> = []
        func store() throws {
            try catalogue.store(images: [], embeddings: waiting, model: number)
            embedded.formUnion(waiting.map(\.digest))
            waiting = []
        }
        let isEmbedded: @Sendable (ContentDigest) -> Bool = { digest in
            ((try? catalogue.embeddedContents(among: [digest], of: number)) ?? []).contains(digest)
        }
        let taken = try coming.pipeline(settings).run(
            images.map(\.path), isEmbedded: isEmbedded, isOver: isOver
        ) { outcomes in
            for (index, outcome) in outcomes {
                let asked = images[index].digest
                switch outcome {
                case .embedded(_, let digest, let embedding, _):
                    waiting.append((digest, embedding))
                    if digest != asked { failures[asked] = Failure(reason: "it has changed", isFinal: false) }
                case .refused(_, _, let reason): failures[asked] = Failure(reason: reason, isFinal: true)
                case .lost(_, _, let reason), .unreadable(let reason):
                    failures[asked] = Failure(reason: reason, isFinal: false)
                case .vanished: failures[asked] = Failure(reason: "it is not there", isFinal: false)
                case .known: break
                }
            }
            if waiting.count >= Self.storedAtOnce { try store() }
        }
        if !waiting.isEmpty { try store() }
        for image in images.prefix(taken)
        where !embedded.contains(image.digest) && failures[image.digest] == nil {
            failures[image.digest] = Failure(reason: "it has changed", isFinal: false)
        }
        after = images[taken - 1].digest
        return Step(embedded: embedded.count, isThrough: false)
    }

    private func next(of catalogue: Catalogue) throws -> [(path: ImagePath, digest: ContentDigest)] {
        while true {
            let images = try catalogue.unembeddedImages(of: number, after: after, limit: Self.photosAtOnce)
            let untried = images.filter { failures[$0.digest] == nil }
            if !untried.isEmpty || images.isEmpty { return untried }
            after = images.last?.digest
        }
    }
}

/// When the next step of a change is due: the rest of the time is left to other programs.
struct ChangePace {
    private let percent: Int
    /// Nil where there is nothing to do.
    private(set) var next: ContinuousClock.Instant? = .now
    private var failures = 0

    /// How long after a step that went wrong the next is tried, at first and at last.
    private static let (firstPause, longestPause) = (Duration.seconds(1), Duration.seconds(600))

    /// - Parameter percent: how much of the time steps may take.
    init(percent: Int) { self.percent = percent }

    func isDue(at now: ContinuousClock.Instant) -> Bool { next.map { $0 <= now } ?? false }

    mutating func note(stepFrom start: ContinuousClock.Instant, to end: ContinuousClock.Instant) {
        failures = 0
        next = end + (end - start) * (100 - percent) / percent
    }

    mutating func noteFailure(at now: ContinuousClock.Instant) {
        failures += 1
        next = now + min(Self.longestPause, Self.firstPause * (1 << min(failures - 1, 12)))
    }

    mutating func noteEnd() {
        failures = 0
        next = nil
    }

    /// Somebody may have mended what was wrong, or put another model in its place.
    mutating func tryNow() { next = .now }
}
