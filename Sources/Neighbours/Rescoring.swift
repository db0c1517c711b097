/// Exact scores for the pairs that the codes leave open.
///
/// Full vectors lie in a file. Pairs are therefore taken in the order of their slots, a bucket of slots after the
/// other: each row is read once, and where many are wanted all of the bucket at once.
struct Rescoring {
    /// Their rows and those of a block of queries are about what the second-level cache holds.
    private static let slotsPerBucket = 64
    /// From how many pairs on a bucket's rows are read in one go.
    private static let fewPairs = 16

    let store: any VectorStore
    let batch: QueryBatch
    let slotCount: Int
    let threads: Int

    /// What a thread reads rows into.
    private struct Room {
        var rows: [Float]
        /// Where a slot's row lies; -1 where it has not been read.
        var positions = [Int](repeating: -1, count: slotsPerBucket)
    }

    /// - Parameter body: is given the pairs of each bucket with their scores, called from several threads. Pairs with
    ///   the same slot come in the same call.
    func run(_ pairs: [Pair], _ body: (ArraySlice<Pair>) -> Void) throws {
        let bucketCount = (slotCount + Self.slotsPerBucket - 1) / Self.slotsPerBucket
        let (sorted, starts) = sortedByBucket(pairs, bucketCount)
        let rowLength = batch.rowLength
        try inParallel(
            bucketCount, threads: threads,
            state: Room(rows: [Float](repeating: 0, count: Self.slotsPerBucket * rowLength))
        ) { room, bucket in
            var own = sorted[starts[bucket]..<starts[bucket + 1]]
            guard !own.isEmpty else { return }
            try read(own, bucket, &room)
            score(&own, bucket, room)
            body(own)
        }
    }

    /// A counting sort.
    private func sortedByBucket(_ pairs: [Pair], _ bucketCount: Int) -> (sorted: [Pair], starts: [Int]) {
        var starts = [Int](repeating: 0, count: bucketCount + 1)
        for pair in pairs { starts[Int(pair.slot) / Self.slotsPerBucket + 1] += 1 }
        for bucket in 0..<bucketCount { starts[bucket + 1] += starts[bucket] }
        var next = starts
        let sorted = [Pair](unsafeUninitializedCapacity: pairs.count) { sorted, count in
            for pair in pairs {
                let bucket = Int(pair.slot) / Self.slotsPerBucket
                sorted.initializeElement(at: next[bucket], to: pair)
                next[bucket] += 1
            }
            count = pairs.count
        }
        return (sorted, starts)
    }

    private func read(_ pairs: ArraySlice<Pair>, _ bucket: Int, _ room: inout Room) throws {
        let first = bucket * Self.slotsPerBucket
        if pairs.count > Self.fewPairs {
            let count = min(Self.slotsPerBucket, slotCount - first)
            try store.read(first..<first + count, into: &room.rows, at: 0)
            for offset in 0..<count { room.positions[offset] = offset }
            return
        }
        for offset in room.positions.indices { room.positions[offset] = -1 }
        var count = 0
        for pair in pairs where room.positions[Int(pair.slot) - first] < 0 {
            let slot = Int(pair.slot)
            try store.read(slot..<slot + 1, into: &room.rows, at: count)
            room.positions[slot - first] = count
            count += 1
        }
    }

    private func score(_ pairs: inout ArraySlice<Pair>, _ bucket: Int, _ room: borrowing Room) {
        let first = bucket * Self.slotsPerBucket
        let places = pairs.map { (query: Int($0.query), row: room.positions[Int($0.slot) - first]) }
        let scores = ExactScores.scores(
            of: places, in: batch.rows, with: room.rows, rowLength: batch.rowLength)
        for (index, score) in zip(pairs.indices, scores) { pairs[index].score = score }
    }
}
