import Products
import Synchronization
import TestSupport
import Testing

@testable import Neighbours

@Suite("Neighbours")
struct NeighboursTests {
    /// Random products, with vectors that repeat, so that scores tie.
    private func vectors(count: Int, dimension: Int, seed: UInt64) -> [(
        product: ProductID, embedding: Embedding
    )] {
        var random = SeededRandom(seed: seed)
        let distinct = (0..<max(1, count * 2 / 3)).map { _ in random.embedding(dimension: dimension) }
        return (0..<count).map {
            (ProductID("p\($0 * 7919 % 10007)"), distinct.randomElement(using: &random)!)
        }
    }

    /// The definition: sort all by score, then by id.
    private func expected(
        _ index: NeighbourIndex, _ vectors: [(product: ProductID, embedding: Embedding)],
        of product: ProductID, count: Int
    ) -> [Neighbour] {
        let own = vectors.first { $0.product == product }!.embedding
        return index.nearest(to: own, count: vectors.count).filter { $0.product != product }
            .sorted { $0.score != $1.score ? $0.score > $1.score : $0.product < $1.product }
            .prefix(count).map { $0 }
    }

    @Test(
        "the table is what sorting all pairs gives, ties by id, scores bit for bit",
        arguments: [(0, 8), (1, 8), (2, 3), (31, 16), (33, 17), (150, 40)], [1, 5, 200])
    func table(size: (count: Int, dimension: Int), k: Int) {
        let vectors = vectors(count: size.count, dimension: size.dimension, seed: 11)
        let index = NeighbourIndex(vectors, dimension: size.dimension)
        let table = index.table(count: k, threads: 2)
        #expect(table.count == size.count)
        for (product, neighbours) in zip(index.products, table) {
            #expect(neighbours == expected(index, vectors, of: product, count: k))
        }
    }

    @Test("the table does not depend on the order of the products or on the threads")
    func order() {
        let vectors = vectors(count: 100, dimension: 24, seed: 3)
        let table = NeighbourIndex(vectors, dimension: 24).table(count: 5, threads: 1)
        #expect(NeighbourIndex(vectors.reversed(), dimension: 24).table(count: 5, threads: 3) == table)
    }

    @Test("scores are the cosine similarity")
    func scores() throws {
        let (a, b) = (try Embedding(normalizing: [1, 2, 3]), try Embedding(normalizing: [3, 2, -1]))
        let index = NeighbourIndex([(ProductID("a"), a), (ProductID("b"), b)], dimension: 3)
        let score = try #require(index.table(count: 1, threads: 1)[0].first?.score)
        #expect(abs(score - Float((3.0 + 4.0 - 3.0) / 14.0)) < 1e-6)
    }

    @Test("similarity is symmetric to the last bit")
    func symmetric() {
        let vectors = vectors(count: 40, dimension: 1280, seed: 9)
        let table = NeighbourIndex(vectors, dimension: 1280).table(count: 39, threads: 2)
        let products = vectors.map(\.product).sorted()
        var scores: [[ProductID]: Float] = [:]
        for (product, neighbours) in zip(products, table) {
            for neighbour in neighbours {
                let pair = [product, neighbour.product].sorted()
                #expect(
                    scores.updateValue(neighbour.score, forKey: pair) ?? neighbour.score == neighbour.score)
            }
        }
    }

    @Test("progress ends with all products")
    func progress() {
        let index = NeighbourIndex(vectors(count: 70, dimension: 8, seed: 2), dimension: 8)
        let seen = Largest()
        _ = index.table(count: 1, threads: 2) { seen.note($0) }
        #expect(seen.value == 70)
    }
}

private final class Largest: Sendable {
    private let largest = Mutex(0)
    var value: Int { largest.withLock { $0 } }
    func note(_ value: Int) { largest.withLock { $0 = max($0, value) } }
}
