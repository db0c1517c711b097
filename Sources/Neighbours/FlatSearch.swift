import Products
import Synchronization

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
        guard !products.isEmpty, !queries.isEmpty, count > 0 else { return }
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
