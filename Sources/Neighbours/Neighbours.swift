// Neighbours: vectors and ids in, the exact top-k by cosine similarity out. It knows nothing of files, SQL
// or JSON.
//
// Among equal scores the smaller product id comes first. Scores have the same bits however they are
// computed (neighbour_kernels.h), so any two ways to the same table give equal tables.

import CNeighbourKernels
import Foundation
import Products
import Synchronization

/// Vectors to search among.
///
/// Memory: 4 bytes a dimension and product. A search takes products x dimension multiplications; a table
/// takes as many for each product.
package struct NeighbourIndex: Sendable {
    package let products: [ProductID]
    private let dimension: Int
    /// Row by row in the order of `products`, each padded with zeros to `stride`.
    private let matrix: [Float]
    private let stride: Int

    /// - Parameters:
    ///   - vectors: each product once, in any order.
    ///   - dimension: how many values each vector has.
    package init(_ vectors: [(product: ProductID, embedding: Embedding)], dimension: Int) {
        let lanes = Int(IMGREC_DOT_LANES)
        let stride = (dimension + lanes - 1) / lanes * lanes
        let sorted = vectors.sorted { $0.product < $1.product }
        products = sorted.map(\.product)
        self.dimension = dimension
        self.stride = stride
        matrix = [Float](unsafeUninitializedCapacity: sorted.count * stride) { buffer, count in
            buffer.initialize(repeating: 0)
            for (row, vector) in sorted.enumerated() {
                precondition(vector.embedding.values.count == dimension)
                _ = buffer[(row * stride)..<(row * stride + dimension)].update(from: vector.embedding.values)
            }
            count = sorted.count * stride
        }
    }

    /// The `count` products most similar to a vector, the most similar first.
    package func nearest(to embedding: Embedding, count: Int) -> [Neighbour] {
        precondition(embedding.values.count == dimension)
        let query = embedding.values + [Float](repeating: 0, count: stride - dimension)
        var scores = [Float](repeating: 0, count: products.count)
        query.withUnsafeBufferPointer { query in
            matrix.withUnsafeBufferPointer { matrix in
                guard let rows = matrix.baseAddress else { return }
                imgrec_dot_rows(query.baseAddress!, rows, products.count, stride, &scores)
            }
        }
        var best = TopK(min(count, products.count))
        scores.withUnsafeBufferPointer { best.offer($0, firstRow: 0, except: nil) }
        return neighbours(best)
    }

    /// The `count` nearest of every product, itself excepted, in the order of `products`.
    ///
    /// - Parameters:
    ///   - threads: how many cores to use. The result does not depend on it.
    ///   - progress: called now and then, from any thread, with the number of finished products.
    package func table(count: Int, threads: Int, progress: @Sendable (Int) -> Void = { _ in })
        -> [[Neighbour]]
    {
        let blocks = (products.count + Self.rowsPerBlock - 1) / Self.rowsPerBlock
        let table = Mutex([[Neighbour]](repeating: [], count: products.count))
        let next = Atomic(0)
        let finished = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: max(1, min(threads, blocks))) { _ in
            while true {
                let block = next.add(1, ordering: .relaxed).oldValue
                guard block < blocks else { return }
                let rows = (block * Self.rowsPerBlock)..<min((block + 1) * Self.rowsPerBlock, products.count)
                let nearest = nearest(ofRows: rows, count: count)
                table.withLock { table in
                    for (row, neighbours) in zip(rows, nearest) { table[row] = neighbours }
                }
                progress(finished.add(rows.count, ordering: .relaxed).newValue)
            }
        }
        return table.withLock { $0 }
    }

    // MARK: Blocks

    /// A block of queries goes over a block of candidates while those are in the cache: 32 rows of 1280
    /// dimensions are 160 kB.
    private static let rowsPerBlock = 32

    private func nearest(ofRows queries: Range<Int>, count: Int) -> [[Neighbour]] {
        var best = queries.map { _ in TopK(min(count, products.count)) }
        var scores = [Float](repeating: 0, count: Self.rowsPerBlock)
        matrix.withUnsafeBufferPointer { matrix in
            for first in Swift.stride(from: 0, to: products.count, by: Self.rowsPerBlock) {
                let candidates = min(Self.rowsPerBlock, products.count - first)
                for query in queries {
                    imgrec_dot_rows(
                        matrix.baseAddress! + query * stride, matrix.baseAddress! + first * stride,
                        candidates,
                        stride, &scores)
                    scores.withUnsafeBufferPointer {
                        best[query - queries.lowerBound].offer(
                            UnsafeBufferPointer(rebasing: $0[..<candidates]), firstRow: first, except: query)
                    }
                }
            }
        }
        return best.map(neighbours)
    }

    private func neighbours(_ best: TopK) -> [Neighbour] {
        best.entries.map { Neighbour(product: products[$0.row], score: $0.score) }
    }
}

/// The best few of the scores that it was offered, in order. Rows are offered in ascending order, and rows
/// ascend with product ids, so a later row with an equal score ranks behind.
private struct TopK {
    private(set) var entries: [(score: Float, row: Int)] = []
    private let count: Int

    init(_ count: Int) {
        self.count = count
        entries.reserveCapacity(count + 1)
    }

    mutating func offer(_ scores: UnsafeBufferPointer<Float>, firstRow: Int, except excluded: Int?) {
        guard count > 0 else { return }
        var worst = entries.count == count ? entries[count - 1].score : -.infinity
        for index in 0..<scores.count where scores[index] > worst {
            let row = firstRow + index
            if row == excluded { continue }
            var position = entries.count
            while position > 0 && entries[position - 1].score < scores[index] { position -= 1 }
            entries.insert((scores[index], row), at: position)
            if entries.count > count { entries.removeLast() }
            if entries.count == count { worst = entries[count - 1].score }
        }
    }
}
