import Embedding
import Foundation
import Imaging
import PhotoReading
import Products
import Sandbox
import Settings
import Synchronization
import TestSupport
import Testing

@testable import Embedder

/// Photos through the real network and the real readers.
@Suite("The embedding pipeline", .inLanes)
struct EmbeddingPipelineTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func source(_ folder: String = Repository.models) throws -> ModelSource {
        try ModelSource(
            named: "efficientnet-lite0", in: ModelLibrary(folders: [folder]), precision: .f32,
            readerVersion: PhotoReader.version)
    }

    private func pipeline(_ source: ModelSource? = nil, readers: String = Repository.agent) throws
        -> EmbeddingPipeline
    {
        let settings = try Settings(
            """
            images.folder = "."
            images.max_file_bytes = 1_000_000
            output.folder = "/nowhere"
            performance.threads = 2
            cache.folder = "none"
            """, file: "\(folder.path)/shop.toml")
        return ModelAtWork(try source ?? self.source(), settings: settings, executable: readers)
            .pipeline(settings)
    }

    private func run(
        _ pipeline: EmbeddingPipeline, _ photos: [ImagePath], known: Set<ContentDigest> = [],
        isOver: @escaping @Sendable () -> Bool = { false },
        receive: ([(index: Int, outcome: EmbeddingPipeline.Outcome)]) throws -> Void = { _ in }
    ) throws -> Int {
        try pipeline.run(photos, isEmbedded: { known.contains($0) }, isOver: isOver, receive: receive)
    }

    private func copy(_ name: String, from photo: String = "bird/bird-001.jpg") throws -> ImagePath {
        try FileManager.default.copyItem(
            atPath: "\(Repository.catalogue)/\(photo)", toPath: "\(folder.path)/\(name)")
        return try #require(ImagePath(name))
    }

    private func name(_ outcome: EmbeddingPipeline.Outcome) -> String {
        switch outcome {
        case .embedded: "embedded"
        case .known: "known"
        case .refused(_, let digest, _): digest == nil ? "refused unread" : "refused"
        case .lost: "lost"
        case .unreadable: "unreadable"
        case .vanished: "vanished"
        }
    }

    @Test("says of each photo once what became of it, and embeds each content once")
    func outcomes() throws {
        var photos: [ImagePath] = []
        for number in 1...9 {
            photos.append(try copy("\(number).jpg", from: "bird/bird-00\(number).jpg"))
            photos.append(try copy("copy-\(number).jpg", from: "bird/bird-00\(number).jpg"))
        }
        let stored = try copy("stored.jpg", from: "bird/bird-010.jpg")
        try folder.write("no photo.jpg", Array("no photo".utf8))
        try folder.write("large.jpg", [UInt8](repeating: 0, count: 1_000_001))
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/link.jpg", withDestinationPath: "1.jpg")
        photos += [stored] + ["no photo.jpg", "large.jpg", "link.jpg", "gone.jpg"].map { ImagePath($0)! }
        let known = ContentDigest(
            of: try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/\(stored.text)")))

        var outcomes: [Int: String] = [:]
        let taken = try run(
            try pipeline(), photos, known: [known],
            receive: { batch in
                for (index, outcome) in batch {
                    #expect(outcomes.updateValue(name(outcome), forKey: index) == nil)
                }
            })
        #expect(taken == photos.count && outcomes.count == photos.count)
        for pair in 0..<9 {
            #expect(Set([outcomes[pair * 2], outcomes[pair * 2 + 1]]) == ["embedded", "known"])
        }
        #expect(
            (18..<photos.count).map { outcomes[$0]! }
                == ["known", "refused", "refused unread", "unreadable", "vanished"])
    }

    @Test("begins no photo after its time, and one at least, and those that were not begun are the last")
    func over() throws {
        let photos = try (1...9).map { try copy("\($0).jpg", from: "bird/bird-00\($0).jpg") }
        for limit in [0, 1, 4] {
            let begun = Atomic(0)
            var seen: Set<Int> = []
            let taken = try run(
                try pipeline(), photos, isOver: { begun.add(1, ordering: .relaxed).newValue > limit },
                receive: { seen.formUnion($0.map(\.index)) })
            #expect(taken == max(1, limit) && seen == Set(0..<taken))
        }
    }

    @Test("what whoever receives throws, ends it, and nothing goes on behind")
    func receiver() throws {
        struct Full: Error {}
        let photos = try (1...9).map { try copy("\($0).jpg", from: "bird/bird-00\($0).jpg") }
        let pipeline = try pipeline()
        #expect(throws: Full.self) {
            _ = try run(pipeline, photos, receive: { _ in throw Full() })
        }
        // The same pipeline goes on.
        #expect(try run(pipeline, photos) == 9)
    }

    @Test("a network that cannot be loaded, and readers that cannot be started, end it with the reason")
    func failures() throws {
        let photos = try (1...3).map { try copy("\($0).jpg", from: "bird/bird-00\($0).jpg") }
        #expect(throws: SandboxError.self) {
            _ = try run(try pipeline(readers: "/nowhere/imgrec-agent"), photos)
        }
        let models = "\(folder.path)/models"
        try FileManager.default.createDirectory(atPath: models, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: "\(Repository.models)/efficientnet-lite0", toPath: "\(models)/efficientnet-lite0")
        // It is another file by the time that it is loaded.
        let broken = try source(models)
        try Data("no network".utf8).write(
            to: URL(fileURLWithPath: "\(models)/efficientnet-lite0/model.onnx"))
        #expect(throws: ModelError.self) {
            _ = try run(try pipeline(broken), photos)
        }
        // What is known without the network is.
        try folder.write("no photo.jpg", Array("no photo".utf8))
        let outcome = try pipeline(broken).outcome(of: ImagePath("no photo.jpg")!)
        #expect(name(outcome) == "refused")
    }
}
