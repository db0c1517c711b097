import Products
import Synchronization

@testable import Neighbours

/// Vectors in memory.
final class VectorsInMemory: VectorStore {
    let rowLength: Int
    private let rows = Mutex<[Float]>([])

    init(dimension: Int) { rowLength = ExactScores.rowLength(ofDimension: dimension) }

    func read(_ slots: Range<Int>, into rows: inout [Float], at place: Int) {
        self.rows.withLock { all in
            for index in 0..<slots.count * rowLength {
                rows[place * rowLength + index] = all[slots.lowerBound * rowLength + index]
            }
        }
    }

    func write(_ vector: Embedding, to slot: Int) {
        rows.withLock { rows in
            let missing = (slot + 1) * rowLength - rows.count
            if missing > 0 { rows.append(contentsOf: repeatElement(0, count: missing)) }
            for (index, value) in vector.values.enumerated() { rows[slot * rowLength + index] = value }
        }
    }
}
