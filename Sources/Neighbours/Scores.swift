import CNeighbourKernels
import Foundation
import Products
import Synchronization

/// A slot in another slot's pool.
struct PoolEntry: Sendable {
    let score: Float
    let slot: Int32

    /// The order of neighbours: by score, then by product id.
    func ranks(before other: PoolEntry, _ products: [ProductID?]) -> Bool {
        if score != other.score { return score > other.score }
        return products[Int(slot)]! < products[Int(other.slot)]!
    }
}

/// The best few of the entries that it was offered, in any order.
struct TopK: Sendable {
    private(set) var entries: [PoolEntry] = []
    /// What a score has to reach to be among them.
    private(set) var worst: Float
    private let count: Int

    init(_ count: Int) {
        self.count = count
        worst = count > 0 ? -.infinity : .infinity
        entries.reserveCapacity(count + 1)
    }

    mutating func offer(_ score: Float, _ slot: Int32, _ products: [ProductID?]) {
        guard count > 0, score >= worst else { return }
        let entry = PoolEntry(score: score, slot: slot)
        var position = entries.count
        while position > 0, entry.ranks(before: entries[position - 1], products) { position -= 1 }
        guard position < count else { return }
        entries.insert(entry, at: position)
        if entries.count > count { entries.removeLast() }
        if entries.count == count { worst = entries[count - 1].score }
    }
}

/// Dot products of vectors with all rows of a matrix, in tiles that stay in the cache.
enum Scores {
    /// A block of queries goes over a tile of rows while both are in the cache: 32 rows of 1280 dimensions are
    /// 160 kB.
    static let queriesAtOnce = 32
    private static let rowsPerTile = 64

    static func stride(ofDimension dimension: Int) -> Int {
        let lanes = Int(IMGREC_DOT_LANES)
        return (dimension + lanes - 1) / lanes * lanes
    }

    /// The scores of one vector with all rows, tile by tile.
    ///
    /// - Parameter body: is given a tile's first row and its scores.
    static func forEachTile(
        of query: [Float], matrix: [Float], stride: Int, rows: Int,
        _ body: (_ first: Int, _ scores: ArraySlice<Float>) -> Void
    ) {
        var scores = [Float](repeating: 0, count: rowsPerTile)
        for first in Swift.stride(from: 0, to: rows, by: rowsPerTile) {
            let count = min(rowsPerTile, rows - first)
            matrix.withUnsafeBufferPointer {
                imgrec_dot_rows(query, $0.baseAddress! + first * stride, count, stride, &scores)
            }
            body(first, scores[..<count])
        }
    }

    struct Found: Sendable {
        /// The nearest of each query, itself excepted.
        var best: [TopK]
        /// Queries that reach the threshold of a slot, slot by slot.
        var offers: [(slot: Int, entry: PoolEntry)] = []
    }

    /// The nearest of a block of slots, and to which other slots they are near.
    ///
    /// - Parameters:
    ///   - queries: at most `queriesAtOnce` slots.
    ///   - products: of each slot; nil where a slot is free.
    ///   - depth: how many of the nearest to find.
    ///   - offered: whether a slot is told which queries reach its threshold.
    ///   - threshold: of a slot.
    static func search(
        _ queries: [Int], matrix: [Float], stride: Int, products: [ProductID?], depth: Int, threads: Int,
        offered: [Bool], threshold: (Int) -> Float
    ) -> Found {
        let rows = products.count
        let tiles = (rows + rowsPerTile - 1) / rowsPerTile
        let thresholds = offered.indices.map { offered[$0] ? threshold($0) : .infinity }
        let all = Mutex(Found(best: queries.map { _ in TopK(depth) }))
        let next = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: max(1, min(threads, tiles))) { _ in
            var own = Found(best: queries.map { _ in TopK(depth) })
            var scores = [Float](repeating: 0, count: rowsPerTile)
            matrix.withUnsafeBufferPointer { matrix in
                while true {
                    let first = next.add(1, ordering: .relaxed).oldValue * rowsPerTile
                    guard first < rows else { return }
                    let count = min(rowsPerTile, rows - first)
                    for (index, query) in queries.enumerated() {
                        imgrec_dot_rows(
                            matrix.baseAddress! + query * stride, matrix.baseAddress! + first * stride, count,
                            stride, &scores)
                        let worst = own.best[index].worst
                        for offset in 0..<count {
                            let (slot, score) = (first + offset, scores[offset])
                            if score >= worst, slot != query, products[slot] != nil {
                                own.best[index].offer(score, Int32(slot), products)
                            }
                            if score >= thresholds[slot], slot != query {
                                own.offers.append((slot, PoolEntry(score: score, slot: Int32(query))))
                            }
                        }
                    }
                }
            }
            all.withLock { all in
                for (index, best) in own.best.enumerated() {
                    for entry in best.entries { all.best[index].offer(entry.score, entry.slot, products) }
                }
                all.offers.append(contentsOf: own.offers)
            }
        }
        return all.withLock { $0 }
    }
}
