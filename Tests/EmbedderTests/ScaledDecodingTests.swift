import Embedding
import Foundation
import Imaging
import Products
import TestSupport
import Testing

@Suite("Decoding at a fraction of the size")
struct ScaledDecodingTests {
    @Test("changes no photo's vector by more than a hundredth of a right angle's cosine")
    func cosine() throws {
        let source = try ModelSource(
            named: "efficientnet-lite0", in: ModelLibrary(folders: [Repository.models]), precision: .f32,
            readerVersion: PhotoReader.version)
        let model = try source.load(threads: 2)
        let limits = PhotoReader.Limits(fileBytes: 1 << 30, pixels: 100_000_000)
        let shape = source.shapes[0]
        let (scaled, whole) = (
            PhotoReader(shape: shape, limits: limits),
            PhotoReader(shape: shape, limits: limits, mayScale: false)
        )
        // The photos themselves are too small to be decoded at a fraction: they are seen as they are.
        for (folder, isScaled) in [
            (Repository.catalogue, false), ("\(Repository.fixtures)/enlarged", true),
        ] {
            let names = try FileManager.default.subpathsOfDirectory(atPath: folder).filter {
                $0.hasSuffix(".jpg")
            }.sorted()
            try #require(!names.isEmpty && names.count == Repository.photos.count)
            let lane = try model.makeLane()
            var similarities: [Double] = []
            for name in names {
                let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
                let reading = try scaled.read(bytes)
                #expect((reading.description.eighths < 8) == isScaled, "\(name)")
                let (one, two) = (
                    try lane.embed(reading.pictures), try lane.embed(try whole.read(bytes).pictures)
                )
                let cosine = zip(one.values, two.values).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                #expect(cosine >= 0.99, "\(name)")
                similarities.append(cosine)
            }
            similarities.sort()
            print(
                "cosine of scaled and whole decoding, \(names.count) photos \(isScaled ? "enlarged" : "as they are"): "
                    + String(
                        format: "minimum %.5f, median %.5f", similarities[0],
                        similarities[similarities.count / 2]))
        }
    }
}
