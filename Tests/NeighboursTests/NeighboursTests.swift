import Products
import TestSupport
import Testing

@testable import Neighbours

typealias Vectors = [ProductID: Embedding]

extension SeededRandom {
    /// Random products, with vectors that repeat, so that scores tie.
    mutating func vectors(count: Int, dimension: Int) -> Vectors {
        let distinct = (0..<max(1, count * 2 / 3)).map { _ in embedding(dimension: dimension) }
        return Dictionary(
            uniqueKeysWithValues: (0..<count).map {
                (ProductID("p\($0 * 7919 % 10007)"), distinct[Int.random(in: distinct.indices, using: &self)])
            })
    }
}

/// The definition: every pair in full, sorted by score, then by id.
func sortedPairs(_ vectors: Vectors, count: Int) -> [ProductID: [Neighbour]] {
    let all = vectors.map { (product: $0.key, embedding: $0.value) }
    var search = FlatSearch(all.map { (vector: $0.embedding, excluded: $0.product) }, count: count)
    search.offer(all, threads: 1)
    return Dictionary(uniqueKeysWithValues: zip(all.map(\.product), search.results))
}

func rows(_ table: NeighbourTable) -> [ProductID: [Neighbour]] {
    Dictionary(uniqueKeysWithValues: table.allProducts.map { ($0, table.neighbours(of: $0)!) })
}

@Suite("The neighbour table")
struct NeighbourTableTests {
    private func vectors(count: Int, dimension: Int, seed: UInt64) -> Vectors {
        var random = SeededRandom(seed: seed)
        return random.vectors(count: count, dimension: dimension)
    }

    private func empty(_ dimension: Int, count: Int, limits: NeighbourTable.Limits = .init())
        -> NeighbourTable
    {
        NeighbourTable(
            dimension: dimension, count: count, store: VectorsInMemory(dimension: dimension), limits: limits)
    }

    private func table(_ vectors: Vectors, dimension: Int, count: Int, threads: Int = 2) throws
        -> NeighbourTable
    {
        let table = empty(dimension, count: count)
        try table.update(vectors.map { ($0.key, $0.value) }, threads: threads)
        return table
    }

    @Test("sorting all pairs by score and then by id is what a flat search gives")
    func flat() throws {
        let vectors = vectors(count: 90, dimension: 40, seed: 21)
        let all = vectors.map { (product: $0.key, embedding: $0.value) }
        for (product, vector) in all.prefix(10) {
            var one = FlatSearch([(vector: vector, excluded: product)], count: 500)
            for start in stride(from: 0, to: all.count, by: 7) {
                one.offer(Array(all[start..<min(start + 7, all.count)]), threads: 2)
            }
            let found = one.results[0]
            #expect(found.count == 89)
            #expect(
                found
                    == found.sorted {
                        $0.score != $1.score ? $0.score > $1.score : $0.product < $1.product
                    })
            for neighbour in found {
                let cosine = zip(vector.values, vectors[neighbour.product]!.values).reduce(0.0) {
                    $0 + Double($1.0) * Double($1.1)
                }
                #expect(abs(Double(neighbour.score) - cosine) < 1e-6)
            }
        }
    }

    @Test(
        "the table is what sorting all pairs gives, ties by id, scores bit for bit",
        arguments: [(0, 8), (1, 8), (2, 3), (31, 16), (33, 17), (150, 40), (500, 130), (3000, 24)],
        [1, 5, 200])
    func table(size: (count: Int, dimension: Int), k: Int) throws {
        let vectors = vectors(count: size.count, dimension: size.dimension, seed: 11)
        let table = try table(vectors, dimension: size.dimension, count: k)
        #expect(table.productCount == size.count)
        #expect(rows(table) == sortedPairs(vectors, count: k))
    }

    @Test(
        "the table does not depend on the order of the products, the threads or how many are looked up at once"
    )
    func order() throws {
        let vectors = vectors(count: 700, dimension: 24, seed: 3)
        let one = rows(try table(vectors, dimension: 24, count: 5, threads: 1))
        for (batch, openPairs) in [(1, 1), (7, 2_000_000), (200, 3000), (2048, 20_000)] {
            var limits = NeighbourTable.Limits()
            (limits.batch, limits.openPairs) = (batch, openPairs)
            let other = empty(24, count: 5, limits: limits)
            try other.update(vectors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, threads: 3)
            #expect(rows(other) == one, "batch \(batch)")
        }
    }

    @Test("many copies of one picture are ranked by their ids")
    func copies() throws {
        var random = SeededRandom(seed: 8)
        let copy = random.embedding(dimension: 16)
        var vectors = random.vectors(count: 500, dimension: 16)
        for number in 0..<1500 { vectors[ProductID("copy-\(number)")] = copy }
        var limits = NeighbourTable.Limits()
        limits.openPairs = 50_000
        let table = empty(16, count: 5, limits: limits)
        try table.update(vectors.map { ($0.key, $0.value) }, threads: 2)
        try table.update([(ProductID("copy-0"), nil), (ProductID("copy-1000"), nil)], threads: 2)
        vectors[ProductID("copy-0")] = nil
        vectors[ProductID("copy-1000")] = nil
        #expect(rows(table) == sortedPairs(vectors, count: 5))
    }

    @Test("similarity is symmetric to the last bit")
    func symmetric() throws {
        let vectors = vectors(count: 40, dimension: 1280, seed: 9)
        let table = try table(vectors, dimension: 1280, count: 39)
        var scores: [[ProductID]: Float] = [:]
        for product in vectors.keys {
            for neighbour in table.neighbours(of: product)! {
                let pair = [product, neighbour.product].sorted()
                #expect(
                    scores.updateValue(neighbour.score, forKey: pair) ?? neighbour.score == neighbour.score)
            }
        }
    }

    @Test("a search passes over what is not wanted", arguments: [50, 6000])
    func filtered(count: Int) throws {
        let vectors = vectors(count: count, dimension: 8, seed: 4)
        let table = try table(vectors, dimension: 8, count: 3)
        let query = vectors.values.first!
        let all = try table.nearest(to: query, count: count, threads: 2)
        #expect(all.count == count)
        let wanted = Set(all.enumerated().filter { $0.offset % 3 == 0 }.map(\.element.product))
        let found = try table.nearest(to: query, count: 10, threads: 2) { wanted.contains($0) }
        #expect(found == Array(all.filter { wanted.contains($0.product) }.prefix(10)))
        #expect(try table.nearest(to: query, count: 10, threads: 2) { _ in false }.isEmpty)
        #expect(rows(table) == sortedPairs(vectors, count: 3))
    }

    @Test(
        "for any sequence of comings, changes and goings the table is the one made from scratch, and so is what a reader was told",
        arguments: 0..<40)
    func incremental(seed: Int) throws {
        for part in 0..<60 { try sequence(seed: UInt64(seed * 60 + part)) }
    }

    private func sequence(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let dimension = [6, 20, 150].randomElement(using: &random)!
        var count = Int.random(in: 1...4, using: &random)
        let names = (0..<Int.random(in: 2...60, using: &random)).map { ProductID("p\($0)") }
        let distinct = (0..<12).map { _ in random.embedding(dimension: dimension) }
        var limits = NeighbourTable.Limits()
        limits.batch = Int.random(in: 1...20, using: &random)
        limits.openPairs = Int.random(in: 1...3000, using: &random)
        limits.sampleLength = 16
        var vectors: Vectors = [:]
        let store = VectorsInMemory(dimension: dimension)
        var table = NeighbourTable(dimension: dimension, count: count, store: store, limits: limits)
        var told: [ProductID: [Neighbour]] = [:]
        var kept: [Int: NeighbourPool] = [:]
        for step in 0..<8 {
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
            try table.update(
                changes.map { ($0.key, $0.value) }, threads: Int.random(in: 1...3, using: &random))
            let change = table.takeChangedRows()
            for product in change.removed { told[product] = nil }
            for product in change.changed { told[product] = table.neighbours(of: product) }
            let pools = table.takeChangedPools()
            for slot in pools.freed { kept[slot] = nil }
            for slot in pools.changed { kept[slot] = table.pool(ofSlot: slot) }

            let expected = sortedPairs(vectors, count: count)
            #expect(rows(table) == expected, "seed \(seed) step \(step)")
            #expect(told == expected, "seed \(seed) step \(step)")
            #expect(Set(kept.values.map(\.product)) == Set(vectors.keys), "seed \(seed) step \(step)")
            // As after a restart, with vectors that were lost, and perhaps with another count.
            guard Bool.random(using: &random) else { continue }
            if Bool.random(using: &random) { count = Int.random(in: 1...8, using: &random) }
            let lost = Set(kept.keys.filter { _ in Int.random(in: 0..<8, using: &random) == 0 })
            table = NeighbourTable(dimension: dimension, count: count, store: store, limits: limits)
            for pool in kept.values { table.restore(pool) }
            let products = try table.finishRestoring(threads: 2) { slot, _ in !lost.contains(slot) }
            #expect(Set(products) == Set(lost.map { kept[$0]!.product }))
            // What was lost is not all given back at once.
            for product in products.shuffled(using: &random) {
                try table.update([(product, vectors[product])], threads: 1)
            }
            try table.update([], threads: 1)
            told = rows(table)
        }
    }

    @Test("larger tables too are what sorting all pairs gives, after a restart and with many vectors lost")
    func large() throws {
        var random = SeededRandom(seed: 19)
        for (dimension, size) in [(300, 5000), (20, 9000)] {
            // In clusters, so that what is near to what is near is near.
            let centres = (0..<60).map { _ in random.embedding(dimension: dimension).values }
            var vectors: Vectors = [:]
            for number in 0..<size {
                let noise = random.embedding(dimension: dimension).values
                let values = zip(centres[number % 60], noise).map { $0 + 0.4 * $1 }
                vectors[ProductID("p\(number)")] = try Embedding(normalizing: values)
            }
            var limits = NeighbourTable.Limits()
            (limits.batch, limits.sampleLength) = (700, 256)
            let store = VectorsInMemory(dimension: dimension)
            let table = NeighbourTable(dimension: dimension, count: 3, store: store, limits: limits)
            try table.update(vectors.map { ($0.key, $0.value) }, threads: 2)
            let expected = sortedPairs(vectors, count: 3)
            #expect(rows(table) == expected)

            let restored = NeighbourTable(dimension: dimension, count: 3, store: store, limits: limits)
            for slot in table.takeChangedPools().changed { restored.restore(table.pool(ofSlot: slot)!) }
            let lost = try restored.finishRestoring(threads: 2) { slot, _ in slot % 3 == 0 }
            #expect(lost.count > size / 2)
            for start in stride(from: 0, to: lost.count, by: 900) {
                let part = lost[start..<min(start + 900, lost.count)]
                try restored.update(part.map { ($0, vectors[$0]) }, threads: 2)
            }
            #expect(rows(restored) == expected)
            for product in lost.prefix(20) {
                try restored.update([(product, nil)], threads: 2)
                vectors[product] = nil
            }
            #expect(rows(restored) == sortedPairs(vectors, count: 3))
        }
    }

    @Test("pools that name what is not there are believed as far as they go")
    func unsound() throws {
        let vectors = vectors(count: 60, dimension: 8, seed: 15)
        let store = VectorsInMemory(dimension: 8)
        let table = NeighbourTable(dimension: 8, count: 4, store: store)
        try table.update(vectors.map { ($0.key, $0.value) }, threads: 1)
        let restored = NeighbourTable(dimension: 8, count: 4, store: store)
        for (index, slot) in table.takeChangedPools().changed.enumerated() {
            let pool = table.pool(ofSlot: slot)!
            var entries = pool.entries
            if index % 3 == 0 {
                entries[index % 5] = PoolEntry(slot: [-7, 60, 1_000_000][index % 2], score: 0.9)
            }
            restored.restore(NeighbourPool(slot: slot, product: pool.product, entries: entries))
        }
        #expect(try restored.finishRestoring(threads: 1) { _, _ in true }.isEmpty)
        try restored.update([], threads: 1)
        #expect(rows(restored) == sortedPairs(vectors, count: 4))
    }

    @Test("pools that reach deeper than before are searched again, and shallower ones are not")
    func otherCount() throws {
        let vectors = vectors(count: 300, dimension: 8, seed: 5)
        let store = VectorsInMemory(dimension: 8)
        let table = NeighbourTable(dimension: 8, count: 4, store: store)
        try table.update(vectors.map { ($0.key, $0.value) }, threads: 1)
        let pools = table.takeChangedPools().changed.map { table.pool(ofSlot: $0)! }
        for count in [2, 4, 20, 21, 40] {
            let other = NeighbourTable(dimension: 8, count: count, store: store)
            for pool in pools { other.restore(pool) }
            #expect(try other.finishRestoring(threads: 1) { _, _ in true }.isEmpty)
            let searched = try other.update([], threads: 1)
            #expect(searched == (count <= 20 ? 0 : 300))
            #expect(rows(other) == sortedPairs(vectors, count: count))
        }
    }

    @Test("most departures need no search")
    func pools() throws {
        let vectors = vectors(count: 400, dimension: 16, seed: 6)
        let table = try table(vectors, dimension: 16, count: 5)
        var searched = 0
        for product in vectors.keys.sorted().prefix(20) {
            searched += try table.update([(product, nil)], threads: 2)
        }
        #expect(searched < 20)
    }

    @Test("an update that leaves rows as they were names none of them")
    func unchanged() throws {
        var random = SeededRandom(seed: 12)
        let vectors = random.vectors(count: 200, dimension: 16)
        let table = try table(vectors, dimension: 16, count: 3)
        _ = table.takeChangedRows()
        let far = try Embedding(normalizing: vectors.values.first!.values.map { -$0 })
        try table.update([(ProductID("new"), far)], threads: 1)
        let changed = table.takeChangedRows().changed
        #expect(changed.contains(ProductID("new")) && changed.count < 100)
    }

    @Test("progress ends with all products, and what it throws ends the update")
    func progress() throws {
        struct Stopped: Error {}
        let all = vectors(count: 70, dimension: 8, seed: 2).map { ($0.key, Optional($0.value)) }
        var limits = NeighbourTable.Limits()
        limits.batch = 16
        var last = 0
        try empty(8, count: 1, limits: limits).update(all, threads: 2) { done, total in
            #expect(done > last && total == 70)
            last = done
        }
        #expect(last == 70)
        #expect(throws: Stopped.self) {
            try empty(8, count: 1, limits: limits).update(all, threads: 2) { _, _ in throw Stopped() }
        }
    }

    @Test("an error of the store ends the update")
    func storeFails() throws {
        struct Broken: Error {}
        final class BrokenStore: VectorStore {
            let rowLength = 16
            func read(_ slots: Range<Int>, into rows: inout [Float], at place: Int) throws { throw Broken() }
            func write(_ vector: Embedding, to slot: Int) {}
        }
        let table = NeighbourTable(dimension: 8, count: 1, store: BrokenStore())
        let vectors = vectors(count: 5, dimension: 8, seed: 2)
        #expect(throws: Broken.self) { try table.update(vectors.map { ($0.key, $0.value) }, threads: 2) }
    }
}
