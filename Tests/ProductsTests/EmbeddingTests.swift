import TestSupport
import Testing

@testable import Products

@Suite("Embeddings")
struct EmbeddingTests {
    @Test("have unit length")
    func unitLength() throws {
        let embedding = try Embedding(normalizing: [3, 4])
        #expect(embedding.values == [0.6, 0.8])
    }

    @Test(
        "a vector without a direction has none", arguments: [[Float](), [0, 0], [.nan, 1], [.infinity, 1]])
    func noDirection(values: [Float]) {
        #expect(throws: Embedding.Failure.zeroOrNotFinite) { try Embedding(normalizing: values) }
    }

    @Test("come back from their bytes bit for bit")
    func bytes() {
        var random = SeededRandom(seed: 5)
        let embedding = random.embedding(dimension: 1280)
        #expect(Embedding(littleEndianBytes: embedding.littleEndianBytes) == embedding)
    }

    @Test(
        "bytes that are no unit vector are refused",
        arguments: [[UInt8](), [1, 2, 3], [UInt8](repeating: 0, count: 16)])
    func damaged(bytes: [UInt8]) {
        #expect(Embedding(littleEndianBytes: bytes) == nil)
    }

    @Test("the mean of two lies between them, and of opposites is the first")
    func mean() throws {
        let (east, north) = (try Embedding(normalizing: [1, 0]), try Embedding(normalizing: [0, 1]))
        let mean = Embedding(meanOf: [east, north])
        #expect(abs(mean.values[0] - 0.70710678) < 1e-6 && mean.values[0] == mean.values[1])
        #expect(Embedding(meanOf: [east, try Embedding(normalizing: [-1, 0])]) == east)
        #expect(Embedding(meanOf: [north]) == north)
    }

    @Test("a digest is SHA-256")
    func digest() {
        // FIPS 180-2, appendix B.1
        let digest = ContentDigest(of: Array("abc".utf8))
        #expect("\(digest)" == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(ContentDigest(hexadecimal: "\(digest)") == digest)
        #expect(ContentDigest(hexadecimal: "ba78") == nil)
    }
}
