import CNeighbourKernels
import Products

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

    /// The scores of pairs of rows, each of one matrix and of another.
    static func scores(
        of pairs: [(query: Int, row: Int)], in queries: [Float], with rows: [Float], rowLength: Int
    ) -> [Float] {
        [Float](unsafeUninitializedCapacity: pairs.count) { scores, count in
            queries.withUnsafeBufferPointer { queries in
                rows.withUnsafeBufferPointer { rows in
                    let left: [UnsafePointer<Float>?] = pairs.map {
                        queries.baseAddress! + $0.query * rowLength
                    }
                    let right: [UnsafePointer<Float>?] = pairs.map { rows.baseAddress! + $0.row * rowLength }
                    imgrec_dot_pairs(left, right, pairs.count, rowLength, scores.baseAddress!)
                }
            }
            count = pairs.count
        }
    }
}
