import Catalogue
import Embedder
import Foundation
import Products
import Settings

/// The change to another model while the one in service goes on: first every photo gets a vector of the one to come,
/// in steps between other work; then it takes over at once. For one thread.
///
/// All that is done is in the catalogue, so a change that was interrupted goes on where it was.
package final class ModelChange {
    package let coming: ModelAtWork
    let number: ModelNumber
    private let settings: Settings
    /// Why contents got no vector.
    private(set) var failures: [ContentDigest: Failure] = [:]
    /// Where the next step goes on.
    private var after: ContentDigest?

    /// How often a process was lost over a content.
    private var losses: [ContentDigest: Int] = [:]
    /// Of several photos of one content the last is read, not the first: one may be there and not the other.
    private var takesLast = false

    private static let photosAtOnce = 1024

    struct Failure: Sendable {
        enum Kind: Sendable {
            /// The photo's own fault: it would fail again.
            case refused
            /// Another try may fare better.
            case passing
            /// The photo is not there, which is for rounds to judge.
            case gone
        }

        let kind: Kind
        let reason: String
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
    /// - Throws: `ModelError` or `SandboxError` where photos cannot be embedded, `CatalogueError` where nothing can be stored.
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
        let isEmbedded = catalogue.embeddedCheck(of: number)
        let taken = try coming.pipeline(settings).run(
            images.map(\.path), isEmbedded: isEmbedded, isOver: isOver
        ) { outcomes in
            for (index, outcome) in outcomes {
                let asked = images[index].digest
                switch outcome {
                case .embedded(_, let digest, let embedding, _):
                    waiting.append((digest, embedding))
                    if digest != asked { failures[asked] = Self.changed }
                case .refused(_, let digest, let reason):
                    // Of other bytes that are there now rounds will judge.
                    failures[asked] = digest == asked ? Failure(kind: .refused, reason: reason) : Self.changed
                case .lost(_, let digest, let reason):
                    losses[digest, default: 0] += 1
                    let isRefused = losses[asked, default: 0] >= EmbeddingPipeline.lossesUntilRefused
                    failures[asked] = Failure(kind: isRefused ? .refused : .passing, reason: reason)
                case .unreadable(let reason, _): failures[asked] = Failure(kind: .passing, reason: reason)
                case .vanished: failures[asked] = Failure(kind: .gone, reason: "it is not there")
                case .known: break
                }
            }
            if waiting.count >= EmbeddingPipeline.storedAtOnce { try store() }
        }
        if !waiting.isEmpty { try store() }
        for image in images.prefix(taken)
        where !embedded.contains(image.digest) && failures[image.digest] == nil {
            failures[image.digest] = Self.changed
        }
        after = images[taken - 1].digest
        return Step(embedded: embedded.count, isThrough: false)
    }

    private static let changed = Failure(kind: .passing, reason: "it has changed")

    /// Has photos tried again that another try may fare better with.
    func forgetPassingFailures() {
        failures = failures.filter { $0.value.kind == .refused }
        after = nil
        takesLast.toggle()
    }

    private func next(of catalogue: Catalogue) throws -> [(path: ImagePath, digest: ContentDigest)] {
        while true {
            let images = try catalogue.unembeddedImages(
                of: number, after: after, takesLast: takesLast, limit: Self.photosAtOnce)
            let untried = images.filter { failures[$0.digest] == nil }
            if !untried.isEmpty || images.isEmpty { return untried }
            after = images.last?.digest
        }
    }
}
