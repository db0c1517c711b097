import CNeighbourKernels
import Products
import Synchronization

/// Cosine similarities as they are published: float32, with the same bits on every CPU (neighbour_kernels.h).
enum ExactScores {
    /// How many values a vector's row has: the dimension, filled up with zeros.
    static func rowLength(ofDimension dimension: Int) -> Int {
        let lanes = Int(IMGREC_DOT_LANES)
        return (dimension + lanes - 1) / lanes * lanes
    }

    /// A vector after another, each filled up to a row.
    static func rows(_ vectors: some Collection<Embedding>, rowLength: Int) -> [Float] {
        var rows: [Float] = []
        rows.reserveCapacity(vectors.count * rowLength)
        for vector in vectors {
            rows += vector.values
            rows.append(contentsOf: repeatElement(0, count: rowLength - vector.values.count))
        }
        return rows
    }

    /// The scores of one row of a matrix with all rows of another.
    static func scores(
        of index: Int, in queries: [Float], with rows: [Float], rowLength: Int, into scores: inout [Float]
    ) {
        queries.withUnsafeBufferPointer { queries in
            rows.withUnsafeBufferPointer { rows in
                imgrec_dot_rows(
                    queries.baseAddress! + index * rowLength, rows.baseAddress!, rows.count / rowLength,
                    rowLength,
                    &scores)
            }
        }
    }
}

/// The nearest of some vectors among vectors that are offered in any order: every pair in full, no table, and no more
/// memory than for what is offered at once. Slower than a table, for whoever looks only once or does not trust it.
package struct FlatSearch: Sendable {
    private let queries: [Float]
    private let excluded: [ProductID?]
    private let rowLength: Int
    private var nearest: [[Neighbour]]
    private let count: Int

    /// - Parameters:
    ///   - queries: vectors of one dimension, each with the product that is not to be found, such as itself.
    ///   - count: how many are wanted for each.
    package init(_ queries: [(vector: Embedding, excluded: ProductID?)], count: Int) {
        rowLength = ExactScores.rowLength(ofDimension: queries.first?.vector.values.count ?? 0)
        self.queries = ExactScores.rows(queries.map(\.vector), rowLength: rowLength)
        excluded = queries.map(\.excluded)
        nearest = queries.map { _ in [] }
        self.count = count
    }

    /// What was found so far for each query, the most similar first; among equals the smaller id first.
    package var results: [[Neighbour]] { nearest }

    /// Looks at more products. Each is offered once.
    package mutating func offer(_ products: [(product: ProductID, embedding: Embedding)], threads: Int) {
        guard !products.isEmpty, count > 0 else { return }
        let rows = ExactScores.rows(products.map(\.embedding), rowLength: rowLength)
        let found = Mutex(nearest)
        let (before, queries, excluded, rowLength, count) = (nearest, queries, excluded, rowLength, count)
        // Nothing in it throws.
        try? inParallel(
            before.count, threads: threads, state: [Float](repeating: 0, count: products.count)
        ) {
            scores, index in
            ExactScores.scores(of: index, in: queries, with: rows, rowLength: rowLength, into: &scores)
            var best = before[index]
            for (offset, score) in scores.enumerated() {
                if best.count == count, score < best[count - 1].score { continue }
                let product = products[offset].product
                guard product != excluded[index] else { continue }
                let position = best.firstIndex {
                    $0.score < score || ($0.score == score && product < $0.product)
                }
                if let position {
                    best.insert(Neighbour(product: product, score: score), at: position)
                    if best.count > count { best.removeLast() }
                } else if best.count < count {
                    best.append(Neighbour(product: product, score: score))
                }
            }
            found.withLock { $0[index] = best }
        }
        nearest = found.withLock { $0 }
    }
}
