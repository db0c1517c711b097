import Products
import TestSupport
import Testing

@testable import Neighbours

@Suite("Neighbours")
struct NeighboursTests {
    private typealias Vectors = [ProductID: Embedding]

    /// Random products, with vectors that repeat, so that scores tie.
    private func vectors(count: Int, dimension: Int, seed: UInt64) -> Vectors {
        var random = SeededRandom(seed: seed)
        let distinct = (0..<max(1, count * 2 / 3)).map { _ in random.embedding(dimension: dimension) }
        return Dictionary(
            uniqueKeysWithValues: (0..<count).map {
                (ProductID("p\($0 * 7919 % 10007)"), distinct.randomElement(using: &random)!)
            })
    }

    private func table(_ vectors: Vectors, dimension: Int, count: Int, threads: Int = 2) -> NeighbourTable {
        var table = NeighbourTable(dimension: dimension, count: count)
        _ = table.update(vectors.map { ($0.key, $0.value) }, threads: threads)
        return table
    }

    /// The definition: sort all by score, then by id.
    private func expected(_ vectors: Vectors, of product: ProductID, dimension: Int, count: Int)
        -> [Neighbour]
    {
        let flat = NeighbourTable(vectors.map { ($0.key, $0.value) }, dimension: dimension, count: 1)
        return flat.nearest(to: vectors[product]!, count: vectors.count).filter { $0.product != product }
            .sorted { $0.score != $1.score ? $0.score > $1.score : $0.product < $1.product }
            .prefix(count).map { $0 }
    }

    @Test(
        "the table is what sorting all pairs gives, ties by id, scores bit for bit",
        arguments: [(0, 8), (1, 8), (2, 3), (31, 16), (33, 17), (150, 40)], [1, 5, 200])
    func table(size: (count: Int, dimension: Int), k: Int) {
        let vectors = vectors(count: size.count, dimension: size.dimension, seed: 11)
        let table = table(vectors, dimension: size.dimension, count: k)
        #expect(table.productCount == size.count)
        for product in vectors.keys {
            #expect(
                table.neighbours(of: product)
                    == expected(vectors, of: product, dimension: size.dimension, count: k))
        }
    }

    @Test("the table does not depend on the order of the products or on the threads")
    func order() {
        let vectors = vectors(count: 100, dimension: 24, seed: 3)
        let one = table(vectors, dimension: 24, count: 5, threads: 1)
        var other = NeighbourTable(dimension: 24, count: 5)
        _ = other.update(vectors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, threads: 3)
        for product in vectors.keys { #expect(one.neighbours(of: product) == other.neighbours(of: product)) }
    }

    @Test("scores are the cosine similarity")
    func scores() throws {
        let (a, b) = (try Embedding(normalizing: [1, 2, 3]), try Embedding(normalizing: [3, 2, -1]))
        let table = table([ProductID("a"): a, ProductID("b"): b], dimension: 3, count: 1)
        let score = try #require(table.neighbours(of: ProductID("a"))?.first?.score)
        #expect(abs(score - Float((3.0 + 4.0 - 3.0) / 14.0)) < 1e-6)
    }

    @Test("similarity is symmetric to the last bit")
    func symmetric() {
        let vectors = vectors(count: 40, dimension: 1280, seed: 9)
        let table = table(vectors, dimension: 1280, count: 39)
        var scores: [[ProductID]: Float] = [:]
        for product in vectors.keys {
            for neighbour in table.neighbours(of: product)! {
                let pair = [product, neighbour.product].sorted()
                #expect(
                    scores.updateValue(neighbour.score, forKey: pair) ?? neighbour.score == neighbour.score)
            }
        }
    }

    @Test("a search passes over what is not wanted")
    func filtered() {
        let vectors = vectors(count: 50, dimension: 8, seed: 4)
        let table = table(vectors, dimension: 8, count: 3)
        let query = vectors.values.first!
        let all = table.nearest(to: query, count: 50)
        #expect(all.count == 50)
        let wanted = Set(all.enumerated().filter { $0.offset % 3 == 0 }.map(\.element.product))
        #expect(
            table.nearest(to: query, count: 10, where: wanted.contains)
                == Array(all.filter { wanted.contains($0.product) }.prefix(10)))
    }

    @Test(
        "for any sequence of comings, changes and goings the table is the one made from scratch, and so is a reader's copy",
        arguments: 0..<120)
    func incremental(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let dimension = 6
        let count = Int.random(in: 1...4, using: &random)
        let names = (0..<Int.random(in: 2...60, using: &random)).map { ProductID("p\($0)") }
        let distinct = (0..<12).map { _ in random.embedding(dimension: dimension) }
        var vectors: Vectors = [:]
        var table = NeighbourTable(dimension: dimension, count: count)
        var copy: [ProductID: [Neighbour]] = [:]
        for step in 0..<12 {
            var changes: [ProductID: Embedding?] = [:]
            for _ in 0..<Int.random(in: 1...(names.count / 2 + 1), using: &random) {
                let name = names.randomElement(using: &random)!
                switch Int.random(in: 0..<5, using: &random) {
                case 0, 1: changes[name] = .some(nil)
                case 2: changes[name] = random.embedding(dimension: dimension)
                default: changes[name] = distinct.randomElement(using: &random)!
                }
            }
            for (name, vector) in changes { vectors[name] = vector }
            let change = table.update(
                changes.map { ($0.key, $0.value) }, threads: Int.random(in: 1...3, using: &random))
            for product in change.removed { copy[product] = nil }
            for (product, neighbours) in change.rows { copy[product] = neighbours }

            let fresh = self.table(vectors, dimension: dimension, count: count, threads: 1)
            #expect(table.productCount == vectors.count)
            for name in names {
                #expect(table.neighbours(of: name) == fresh.neighbours(of: name), "seed \(seed) step \(step)")
                #expect(copy[name] == fresh.neighbours(of: name), "seed \(seed) step \(step)")
            }
            // As after a restart: what was published is all that is known.
            if Bool.random(using: &random) {
                table = NeighbourTable(
                    vectors.map { ($0.key, $0.value) }, rows: copy, dimension: dimension, count: count)
            }
        }
    }

    @Test("products whose rows are not known get them at the next update")
    func unknownRows() {
        let vectors = vectors(count: 30, dimension: 8, seed: 5)
        var table = NeighbourTable(vectors.map { ($0.key, $0.value) }, dimension: 8, count: 4)
        let change = table.update([], threads: 1)
        #expect(change.rows.count == 30 && change.searchedAgain == 30)
        #expect(change.rows.allSatisfy { $0.neighbours.count == 4 })
    }

    @Test("most departures need no search")
    func pools() {
        let vectors = vectors(count: 400, dimension: 16, seed: 6)
        var table = table(vectors, dimension: 16, count: 5)
        var searched = 0
        for product in vectors.keys.sorted().prefix(20) {
            searched += table.update([(product, nil)], threads: 2).searchedAgain
        }
        #expect(searched < 20)
    }

    @Test("progress ends with all products")
    func progress() {
        var table = NeighbourTable(dimension: 8, count: 1)
        var last = 0
        _ = table.update(vectors(count: 70, dimension: 8, seed: 2).map { ($0.key, $0.value) }, threads: 2) {
            (done, total) throws(Never) in
            #expect(done > last && total == 70)
            last = done
        }
        #expect(last == 70)
    }
}
