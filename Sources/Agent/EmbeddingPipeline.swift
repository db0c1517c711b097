import Embedding
import Foundation
import Imaging
import Products
import Synchronization

/// Reads, decodes and embeds photos on several threads.
///
/// Each thread takes one photo at a time through all steps, with an inference request of its own. There are
/// more threads than cores: while some wait for inference, others read and decode, and every core is always
/// busy with one or the other. What is held at once is a few photos, however many the folder has.
struct EmbeddingPipeline {
    let folder: String
    let reader: PhotoReader
    let model: Model
    let threads: Int

    /// What became of one photo.
    enum Outcome: Sendable {
        case embedded(FileStamp, ContentDigest, Products.Embedding)
        /// This content has a vector already, or will have when the photo that is being embedded is done.
        case known(FileStamp, ContentDigest)
        /// The photo's own fault: it fails again until it changes.
        case refused(FileStamp, ContentDigest?, reason: String)
        /// The file could not be read; another try may fare better.
        case unreadable(reason: String)
        case vanished
    }

    private enum Message: Sendable {
        case outcome(index: Int, Outcome)
        case stopped(ModelError)
    }

    /// Takes photos through the pipeline.
    ///
    /// - Parameters:
    ///   - photos: each at most once.
    ///   - embedded: contents that have a vector.
    ///   - receive: called on the calling thread with a few outcomes at a time, each with the photo's index.
    /// - Throws: what `receive` throws, or a `ModelError` when the network cannot run.
    func run(
        _ photos: [ImagePath], embedded: Set<ContentDigest>,
        receive: ([(index: Int, outcome: Outcome)]) throws -> Void
    ) throws {
        guard !photos.isEmpty else { return }
        let lanes = min(photos.count, Self.lanes(threads: threads))
        let queue = BoundedQueue<Message>(capacity: 64, senders: lanes)
        let next = SharedCounter()
        let claims = ContentClaims(embedded)
        for _ in 0..<lanes {
            let thread = Thread { [self] in
                defer { queue.finish() }
                do throws(ModelError) {
                    let lane = try model.makeLane()
                    while let index = next.take(below: photos.count) {
                        let outcome = try self.outcome(of: photos[index], lane: lane, claims: claims)
                        guard queue.send(.outcome(index: index, outcome)) else { return }
                    }
                } catch {
                    _ = queue.send(.stopped(error))
                }
            }
            thread.stackSize = 1 << 20
            thread.start()
        }
        defer { queue.close() }
        while true {
            let messages = queue.receive()
            if messages.isEmpty { return }
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

    /// What becomes of one photo; `run` does the same for many.
    func outcome(of path: ImagePath) throws(ModelError) -> Outcome {
        try outcome(of: path, lane: try model.makeLane(), claims: ContentClaims([]))
    }

    private func outcome(
        of path: ImagePath, lane: borrowing EmbeddingLane, claims: ContentClaims
    ) throws(ModelError) -> Outcome {
        let bytes: [UInt8]
        let stamp: FileStamp
        do throws(PhotoFileError) {
            (bytes, stamp) = try PhotoFile.read(path, in: folder, limit: reader.limits.fileBytes)
        } catch {
            switch error {
            case .vanished: return .vanished
            case .tooLarge(_, _, let stamp): return .refused(stamp, nil, reason: error.description)
            case .notAFile, .changing, .unreadable: return .unreadable(reason: error.description)
            }
        }
        let digest = ContentDigest(of: bytes)
        guard claims.claim(digest) else { return .known(stamp, digest) }
        let picture: Picture
        do throws(ImagingError) {
            picture = try reader.picture(from: bytes)
        } catch {
            return .refused(stamp, digest, reason: error.description)
        }
        do throws(EmbeddingError) {
            return .embedded(stamp, digest, try lane.embed(picture))
        } catch {
            switch error {
            case .noDirection: return .refused(stamp, digest, reason: error.description)
            case .inference(let error): throw error
            }
        }
    }

    /// One more thread than cores keeps them busy while a thread waits for a disk or for inference.
    private static func lanes(threads: Int) -> Int { threads * 2 }
}

/// Deals out the numbers from 0.
private final class SharedCounter: Sendable {
    private let next = Atomic(0)

    func take(below end: Int) -> Int? {
        let index = next.add(1, ordering: .relaxed).oldValue
        return index < end ? index : nil
    }
}

/// Which contents somebody has taken on, so that two photos of one content are embedded once.
private final class ContentClaims: Sendable {
    private let claimed: Mutex<Set<ContentDigest>>

    init(_ embedded: Set<ContentDigest>) { claimed = Mutex(embedded) }

    func claim(_ digest: ContentDigest) -> Bool {
        claimed.withLock { $0.insert(digest).inserted }
    }
}
