import Foundation
import Products
import TestSupport
import Testing

@testable import Embedding

private let name = "efficientnet-lite0"
private var folder: String { "\(Repository.models)/\(name)" }

@Suite("Models")
struct ModelTests {
    @Test("every key of a manifest is on the page about models")
    func page() throws {
        let page = try String(contentsOfFile: "\(Repository.root)/Docs/reference/models.md", encoding: .utf8)
        let keys = ManifestFile().keys
        #expect(keys.count > 20)
        for key in keys {
            let isThere = page.contains("`\(key.dotted)`") || page.contains("`\(key.definition.name)`")
            #expect(isThere, "\(key.dotted)")
        }
    }

    /// The default model, or a copy of it.
    private func source(
        _ copy: TemporaryFolder? = nil, _ precision: Precision = .f32, version: Int = 1
    ) throws -> ModelSource {
        let library = ModelLibrary(folders: [copy?.path ?? Repository.models])
        return try ModelSource(named: name, in: library, precision: precision, readerVersion: version)
    }

    private func picture(seed: UInt64, manifest: ModelManifest) -> Picture {
        var random = SeededRandom(seed: seed)
        let (width, height) = (manifest.shape.width, manifest.shape.height)
        let pixels = (0..<width * height * Picture.bytesPerPixel).map { _ in
            UInt8.random(in: 0...255, using: &random)
        }
        return Picture(width: width, height: height, pixels: pixels)
    }

    @Test("the manifest says all there is to know")
    func manifest() throws {
        let manifest = try ModelManifest(folder: folder)
        #expect(manifest.name == name)
        #expect(
            manifest.shape
                == PictureShape(width: 224, height: 224, fit: .crop(shortSide: 256), filter: .bicubic))
        #expect(
            manifest.input
                == ModelManifest.Input(
                    name: "image", layout: .nchw, planes: [0, 1, 2], mean: [127, 127, 127],
                    scale: [128, 128, 128]))
        #expect(manifest.dimension == 1280)
        #expect(manifest.licence == "Apache-2.0")
    }

    @Test("at f32 the same picture gives the same bits, in any lane of any load")
    func deterministic() throws {
        let source = try source()
        let picture = picture(seed: 1, manifest: source.manifests[0])
        let (one, two) = (try source.load(threads: 1), try source.load(threads: 2))
        let first = try one.makeLane().embed([picture])
        #expect(try one.makeLane().embed([picture]) == first)
        #expect(try two.makeLane().embed([picture]) == first)
        #expect(try one.makeLane().embed([self.picture(seed: 2, manifest: source.manifests[0])]) != first)
        #expect(first.values.count == 1280)
    }

    @Test("several lanes at once do not disturb each other")
    func concurrent() async throws {
        let source = try source()
        let model = try source.load(threads: 2)
        let pictures = (0..<8).map { picture(seed: $0, manifest: source.manifests[0]) }
        let lane = try model.makeLane()
        var alone: [Products.Embedding] = []
        for picture in pictures { alone.append(try lane.embed([picture])) }
        let together = try await withThrowingTaskGroup { group in
            for (index, picture) in pictures.enumerated() {
                group.addTask { (index, try model.makeLane().embed([picture])) }
            }
            return try await group.reduce(into: [Int: Products.Embedding]()) { $0[$1.0] = $1.1 }
        }
        for index in pictures.indices { #expect(together[index] == alone[index]) }
    }

    @Test("whatever changes vectors changes the identity")
    func identity() throws {
        let copy = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: folder, toPath: "\(copy.path)/\(name)")
        func identity(_ precision: Precision = .f32, version: Int = 1) throws
            -> ContentDigest
        {
            try source(copy, precision, version: version).identity
        }
        let first = try identity()
        #expect(try identity() == first)
        #expect(try identity(.auto) != first)
        #expect(try identity(version: 2) != first)
        try edit(copy, "mean = [127.0", "mean = [126.0")
        #expect(try identity() != first)
    }

    @Test(
        "a manifest that the network does not keep is an error in words",
        arguments: [
            (
                "dimension = 1280", "dimension = 1281",
                "its output embedding has the shape [1, 1280], not 1281 values"
            ),
            (
                "width = 224", "width = 225",
                "its input image has the shape [1, 3, 224, 224], not [1, 3, 224, 225]"
            ),
            ("name = \"image\"", "name = \"pixels\"", "it has no input named pixels; it has image"),
            (
                "name = \"embedding\"", "name = \"features\"",
                "it has no output named features; it has embedding, scores"
            ),
        ])
    func wrongInterface(old: String, new: String, reason: String) throws {
        let copy = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: folder, toPath: "\(copy.path)/\(name)")
        try edit(copy, old, new)
        let source = try source(copy)
        #expect(throws: ModelError.wrongInterface(model: name, reason: reason)) {
            try source.load(threads: 1)
        }
    }

    @Test("a network that is not the manifest's is refused")
    func damaged() throws {
        let copy = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: folder, toPath: "\(copy.path)/\(name)")
        let file = "\(copy.path)/\(name)/model.onnx"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: file))
        #expect { try source(copy) } throws: {
            if case .damaged = $0 as? ModelError { true } else { false }
        }
        try FileManager.default.removeItem(atPath: file)
        #expect(throws: ModelError.missingFile(file: file)) {
            try source(copy)
        }
    }

    @Test("a library names the models it has when asked for another")
    func library() throws {
        let library = ModelLibrary(configured: Repository.models, own: "/y", executable: "/x")
        #expect(try library.folder(of: name) == folder)
        #expect {
            try library.folder(of: "resnet")
        } throws: { "\($0)".contains("Name one of these: \(name)") }
        let installed = ModelLibrary(configured: nil, own: "/y", executable: "/opt/x/bin/imgrec-agent")
        #expect(installed.folders.prefix(2) == ["/y", "/opt/x/share/imgrec-agent/models"])
    }

    private func edit(_ copy: TemporaryFolder, _ old: String, _ new: String) throws {
        let file = "\(copy.path)/\(name)/manifest.toml"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try #require(text.contains(old))
        try text.replacingOccurrences(of: old, with: new).write(
            toFile: file, atomically: true, encoding: .utf8)
    }
}
