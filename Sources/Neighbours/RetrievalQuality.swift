import CNeighbourKernels
import Products
import Synchronization

/// How well vectors bring things of one label together: each thing is looked for with its own vector among all others, and
/// those that are like it should come first.
///
/// Precision@k is the share of the k nearest that are of the query's label. Average precision is the mean, over all that
/// are of its label, of the precision at the place where each comes (Manning, Raghavan and Schuetze, "Introduction to
/// Information Retrieval", 8.4). Both are means over the queries. The order is that of the cosine similarity in double
/// precision, among equals that of the things.
package struct RetrievalQuality: Hashable, Sendable {
    package let precisionAtK: Double
    package let meanAveragePrecision: Double

    /// - Parameters:
    ///   - vectors: of one dimension.
    ///   - labels: one for each vector.
    ///   - queries: which are looked for; each has another of its label.
    ///   - k: how many of the nearest count; where there are fewer others, all of them.
    ///   - progress: called now and then, from several threads, with how many queries are done; what it throws ends the
    ///     computation and is thrown on.
    package init(
        of vectors: [Embedding], labels: [Int], queries: [Int], k: Int, threads: Int,
        progress: @Sendable (Int) throws -> Void = { _ in }
    ) throws {
        precondition(vectors.count == labels.count && vectors.count > 1 && !queries.isEmpty && k > 0)
        let dimension = vectors[0].values.count
        let rows = vectors.flatMap(\.values)
        let kept = min(k, vectors.count - 1)
        let figures = Mutex([Figures?](repeating: nil, count: queries.count))
        let done = Atomic(0)
        try inParallel(
            queries.count, threads: threads, state: [Double](repeating: 0, count: vectors.count)
        ) { scores, index in
            let query = queries[index]
            rows.withUnsafeBufferPointer { rows in
                imgrec_dot_rows_in_double(
                    rows.baseAddress! + query * dimension, rows.baseAddress!, vectors.count, dimension,
                    &scores)
            }
            let own = Figures(scores: scores, labels: labels, query: query, k: kept)
            figures.withLock { $0[index] = own }
            let count = done.add(1, ordering: .relaxed).newValue
            if count % 16 == 0 || count == queries.count { try progress(count) }
        }
        // In the order of the queries, so that the sum has the same bits on any number of threads.
        let all = figures.withLock { $0.compactMap { $0 } }
        precisionAtK = all.reduce(0) { $0 + $1.precision } / Double(all.count)
        meanAveragePrecision = all.reduce(0) { $0 + $1.averagePrecision } / Double(all.count)
    }

    /// Of one query.
    private struct Figures {
        let precision: Double
        let averagePrecision: Double

        init(scores: [Double], labels: [Int], query: Int, k: Int) {
            func comesBefore(_ a: Int, _ b: Int) -> Bool {
                scores[a] > scores[b] || (scores[a] == scores[b] && a < b)
            }
            let relevant = labels.indices.filter { labels[$0] == labels[query] && $0 != query }
                .sorted(by: comesBefore)
            precondition(!relevant.isEmpty)
            // How many of another label come just before each: between it and the relevant one ahead of it.
            var others = [Int](repeating: 0, count: relevant.count + 1)
            for index in labels.indices where labels[index] != labels[query] {
                var (low, high) = (0, relevant.count)
                while low < high {
                    let middle = (low + high) / 2
                    if comesBefore(relevant[middle], index) { low = middle + 1 } else { high = middle }
                }
                others[low] += 1
            }
            var place = 0
            var (hits, sum) = (0, 0.0)
            for index in relevant.indices {
                place += others[index] + 1
                if place <= k { hits += 1 }
                sum += Double(index + 1) / Double(place)
            }
            precision = Double(hits) / Double(k)
            averagePrecision = sum / Double(relevant.count)
        }
    }
}
