import Embedding
import Foundation
import Imaging
import PhotoReading
import Products
import Sandbox
import Synchronization
import Threads

/// Reads, decodes and embeds photos on several threads.
///
/// Each thread takes one photo at a time through all steps, with an inference request of its own. There are
/// more threads than cores: while some wait for inference, others read and decode, and every core is always
/// busy with one or the other. While the network is being loaded, the first photos are made ready for it. What
/// is held at once is a few photos and a few small pictures, however many photos the folder has.
package struct EmbeddingPipeline {
    let folder: String
    let workers: PhotoWorkers
    /// The most bytes that a photo's file may have.
    let fileLimit: Int
    let followsLinks: Bool
    let model: ModelLoader
    let threads: Int

    /// How often a process has to be lost over a photo before it is the photo's fault; another reason is possible, but not
    /// that often.
    package static let lossesUntilRefused = 3
    /// How many vectors one transaction takes: what a power cut costs, against a wait for the disk each.
    package static let storedAtOnce = 64

    /// What became of one photo.
    package enum Outcome: Sendable {
        /// - notes: what is not as it should be and did no harm.
        case embedded(FileStamp, ContentDigest, Products.Embedding, notes: [String])
        /// This content has a vector already, or will have when the photo that is being embedded is done.
        case known(FileStamp, ContentDigest)
        /// The photo's own fault: it fails again until it changes.
        case refused(FileStamp, ContentDigest?, reason: String)
        /// The process that was reading it was lost, most likely by its fault.
        case lost(FileStamp, ContentDigest, reason: String)
        /// The file could not be read.
        /// - mayPass: whether another try may fare better though the file stays as it is.
        case unreadable(reason: String, mayPass: Bool)
        case vanished
    }

    private enum Message: Sendable {
        case outcome(index: Int, Outcome)
        case stopped(any Error)
    }

    /// Takes photos through the pipeline.
    ///
    /// - Parameters:
    ///   - photos: each at most once.
    ///   - isEmbedded: whether a content has a vector; called from several threads.
    ///   - isOver: when it is true no further photo is begun; called from several threads.
    ///   - receive: called on the calling thread with a few outcomes at a time, each with the photo's index.
    /// - Returns: how many of the photos were taken through; the others were not touched.
    /// - Throws: what `receive` throws, `ModelError` where the network cannot be loaded or run, `SandboxError` where no
    ///   photo can be read, `ThreadError` where there are no threads for it.
    package func run(
        _ photos: [ImagePath], isEmbedded: @escaping @Sendable (ContentDigest) -> Bool,
        isOver: @escaping @Sendable () -> Bool = { false },
        receive: ([(index: Int, outcome: Outcome)]) throws -> Void
    ) throws -> Int {
        guard !photos.isEmpty else { return 0 }
        let lanes = min(photos.count, threads * 2)
        let queue = BoundedQueue<Message>(capacity: 64, senders: lanes)
        let next = SharedCounter(upTo: photos.count, isOver: isOver)
        let claims = ContentClaims(isEmbedded)
        model.begin()
        defer { queue.close() }
        for started in 0..<lanes {
            do {
                try OwnThread("embed") { [self] in
                    defer { queue.finish() }
                    do {
                        try embed(photos, next, claims, ahead: Self.preparedAhead / lanes, queue)
                    } catch {
                        _ = queue.send(.stopped(error))
                    }
                }
            } catch {
                for _ in started..<lanes { queue.finish() }
                // Whoever gives the model up after this must not leave its loading behind.
                model.waitForEnd()
                throw error
            }
        }
        while true {
            let messages = queue.receive()
            if messages.isEmpty { return next.taken }
            var outcomes: [(index: Int, outcome: Outcome)] = []
            for message in messages {
                switch message {
                case .outcome(let index, let outcome): outcomes.append((index, outcome))
                case .stopped(let error): throw error
                }
            }
            try receive(outcomes)
        }
    }

    /// What one lane does: photos are prepared while the network is still being loaded.
    private func embed(
        _ photos: [ImagePath], _ next: SharedCounter, _ claims: ContentClaims, ahead limit: Int,
        _ queue: BoundedQueue<Message>
    ) throws {
        var ahead: [(index: Int, preparation: Preparation)] = []
        while ahead.count < limit, !model.isOver, let index = next.take() {
            ahead.append((index, try prepare(photos[index], claims: claims)))
        }
        let lane = try lane()
        for (index, preparation) in ahead {
            guard queue.send(.outcome(index: index, try finish(preparation, lane: lane))) else { return }
        }
        while let index = next.take() {
            let outcome = try finish(try prepare(photos[index], claims: claims), lane: lane)
            guard queue.send(.outcome(index: index, outcome)) else { return }
        }
    }

    /// What becomes of one photo; `run` does the same for many.
    package func outcome(of path: ImagePath) throws -> Outcome {
        let preparation = try prepare(path, claims: ContentClaims { _ in false })
        if case .over(let outcome) = preparation { return outcome }
        model.begin()
        return try finish(preparation, lane: try lane())
    }

    private func lane() throws -> EmbeddingLane {
        try model.model().makeLane()
    }

    // MARK: The steps

    /// A photo on its way: all that can be done without the network has been done.
    private enum Preparation: Sendable {
        case picture(FileStamp, ContentDigest, PhotoWorkers.Reading)
        case over(Outcome)
    }

    /// How many pictures are made ready while the network is being loaded: 200 kB each at 224 x 224.
    private static let preparedAhead = 192

    private func prepare(_ path: ImagePath, claims: ContentClaims) throws -> Preparation {
        let bytes: [UInt8]
        let stamp: FileStamp
        do throws(PhotoFileError) {
            (bytes, stamp) = try PhotoFile.read(
                path, in: folder, limit: fileLimit, followsLinks: followsLinks)
        } catch {
            switch error {
            case .vanished: return .over(.vanished)
            case .tooLarge(_, _, let stamp): return .over(.refused(stamp, nil, reason: error.description))
            case .unreadable(let number):
                return .over(
                    .unreadable(reason: error.description, mayPass: !isFinding(errno: number)))
            case .notAFile, .changing:
                return .over(.unreadable(reason: error.description, mayPass: false))
            }
        }
        let digest = ContentDigest(of: bytes)
        guard claims.claim(digest) else { return .over(.known(stamp, digest)) }
        switch try workers.read(bytes) {
        case .success(let reading): return .picture(stamp, digest, reading)
        case .failure(.refused(let error)):
            return .over(.refused(stamp, digest, reason: error.description))
        case .failure(.lost(let failure)):
            return .over(.lost(stamp, digest, reason: PhotoWorkers.Failure.lost(failure).description))
        }
    }

    private func finish(_ preparation: Preparation, lane: borrowing EmbeddingLane) throws
        -> Outcome
    {
        switch preparation {
        case .over(let outcome):
            return outcome
        case .picture(let stamp, let digest, let reading):
            do throws(EmbeddingError) {
                return .embedded(
                    stamp, digest, try lane.embed(reading.pictures), notes: reading.description?.notes ?? [])
            } catch {
                switch error {
                case .noDirection: return .refused(stamp, digest, reason: error.description)
                case .inference(let error): throw error
                }
            }
        }
    }
}

/// Deals out the numbers from 0, until they or the time are used up.
private final class SharedCounter: Sendable {
    private let next = Mutex(0)
    private let end: Int
    private let isOver: @Sendable () -> Bool

    init(upTo end: Int, isOver: @escaping @Sendable () -> Bool) {
        self.end = end
        self.isOver = isOver
    }

    func take() -> Int? {
        let isOver = isOver()
        return next.withLock { next in
            // One at least, so that however little time there is, something gets done.
            guard next < end, !isOver || next == 0 else { return nil }
            next += 1
            return next - 1
        }
    }

    var taken: Int { next.withLock { $0 } }
}

/// Which contents somebody has taken on, so that two photos of one content are embedded once.
private final class ContentClaims: Sendable {
    private let claimed = Mutex<Set<ContentDigest>>([])
    private let isEmbedded: @Sendable (ContentDigest) -> Bool

    init(_ isEmbedded: @escaping @Sendable (ContentDigest) -> Bool) { self.isEmbedded = isEmbedded }

    func claim(_ digest: ContentDigest) -> Bool {
        claimed.withLock { $0.insert(digest).inserted } && !isEmbedded(digest)
    }
}
