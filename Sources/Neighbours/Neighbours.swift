// Neighbours: vectors and ids in, the exact top-k by cosine similarity out, and kept exact while vectors come,
// change and go. It knows nothing of files, SQL or JSON.
//
// Among equal scores the smaller product id comes first. Scores have the same bits however they are computed
// (neighbour_kernels.h), so a table that was updated and one that was made anew are equal, ids and bits alike.

import Products

/// What an update did to the table.
package struct TableChange: Sendable {
    /// Products that are new or whose nearest neighbours are others now, in the order of their ids.
    package var rows: [(product: ProductID, neighbours: [Neighbour])] = []
    /// Products that left, in the order of their ids.
    package var removed: [ProductID] = []
    /// How many rows had to be searched again because too many of their neighbours left.
    package var searchedAgain = 0
}

/// The nearest neighbours of every product.
///
/// Each product has a pool: its nearest neighbours, sorted, deeper than what is asked for. A pool is always the
/// exact beginning of the sorted list of all others. So a product that comes is either inserted in a pool or
/// ranks behind all of it; one that leaves shortens the pools that hold it; and only a pool that has become
/// shorter than what is asked for is searched again.
///
/// Memory: 4 bytes a dimension and product, and 8 bytes for each of `depth` pool entries. An update of b products
/// takes b x products x dimension multiplications.
package struct NeighbourTable: Sendable {
    /// How many neighbours are asked for.
    package let count: Int
    private let dimension: Int
    private let stride: Int
    /// How many entries a pool has room for.
    private let depth: Int

    private var slots: [ProductID: Int] = [:]
    /// The product in each slot; nil where a slot is free.
    private var products: [ProductID?] = []
    private var freeSlots: [Int] = []
    /// Slot by slot, each vector padded with zeros to `stride`.
    private var matrix: [Float] = []
    /// Slot by slot, room for `depth` entries each.
    private var pools: [PoolEntry] = []
    private var poolCounts: [Int32] = []

    /// - Parameters:
    ///   - vectors: each product once, in any order.
    ///   - rows: nearest neighbours that are known, exact as far as they go; those of products without a vector
    ///     here are passed over. Products without a row get theirs at the next update.
    ///   - dimension: how many values each vector has.
    ///   - count: how many neighbours are asked for.
    package init(
        _ vectors: [(product: ProductID, embedding: Embedding)] = [], rows: [ProductID: [Neighbour]] = [:],
        dimension: Int, count: Int
    ) {
        self.count = count
        self.dimension = dimension
        stride = Scores.stride(ofDimension: dimension)
        // Room for some to leave before a row has to be searched again.
        depth = 2 * count + 8
        for (product, embedding) in vectors { place(embedding, of: product) }
        for (product, neighbours) in rows {
            guard let slot = slots[product] else { continue }
            let known = neighbours.prefix(depth).compactMap { neighbour in
                slots[neighbour.product].map { PoolEntry(score: neighbour.score, slot: Int32($0)) }
            }
            for (index, entry) in known.enumerated() { pools[slot * depth + index] = entry }
            poolCounts[slot] = Int32(known.count)
        }
    }

    /// How many products there are.
    package var productCount: Int { slots.count }

    package func contains(_ product: ProductID) -> Bool { slots[product] != nil }

    /// The nearest neighbours of a product, the most similar first; nil where there is no such product.
    package func neighbours(of product: ProductID) -> [Neighbour]? {
        slots[product].map { neighbours(ofSlot: $0) }
    }

    /// Every product with its nearest neighbours, in the order of their ids.
    package var rows: [(product: ProductID, neighbours: [Neighbour])] {
        slots.keys.sorted().map { ($0, neighbours(ofSlot: slots[$0]!)) }
    }

    /// The `count` products most similar to a vector, the most similar first.
    ///
    /// - Parameter isWanted: products that it is false for are passed over.
    package func nearest(
        to embedding: Embedding, count: Int, where isWanted: (ProductID) -> Bool = { _ in true }
    ) -> [Neighbour] {
        precondition(embedding.values.count == dimension)
        let query = embedding.values + [Float](repeating: 0, count: stride - dimension)
        var best = TopK(min(count, slots.count))
        Scores.forEachTile(of: query, matrix: matrix, stride: stride, rows: products.count) { first, scores in
            for (index, score) in scores.enumerated() where score >= best.worst {
                if let product = products[first + index], isWanted(product) {
                    best.offer(score, Int32(first + index), products)
                }
            }
        }
        return best.entries.map { Neighbour(product: products[Int($0.slot)]!, score: $0.score) }
    }

    // MARK: Updating

    /// Takes products in, changes their vectors, and takes products out.
    ///
    /// - Parameters:
    ///   - changes: each product at most once; nil takes it out.
    ///   - threads: how many cores to use. The result does not depend on it.
    ///   - progress: called now and then, on the calling thread, with how many of the rows to search are done;
    ///     what it throws ends the update.
    /// - Throws: what `progress` throws; the table is of no use afterwards.
    package mutating func update<Failure: Error>(
        _ changes: [(product: ProductID, embedding: Embedding?)], threads: Int,
        progress: (_ done: Int, _ total: Int) throws(Failure) -> Void
    ) throws(Failure) -> TableChange {
        var change = TableChange()
        var before = forget(changes.compactMap { slots[$0.product] })
        let unchanged = slots.count - changes.count { slots[$0.product] != nil }

        var queries: [Int] = []
        for (product, embedding) in changes {
            if let embedding {
                queries.append(place(embedding, of: product))
            } else if free(product) {
                change.removed.append(product)
            }
        }
        queries.sort()
        var isQuery = [Bool](repeating: false, count: products.count)
        for slot in queries { isQuery[slot] = true }

        // A pool that has all others stays so as long as it has room: also the last may be appended to it.
        let isComplete = poolCounts.map { Int($0) == unchanged - 1 }
        let unqueried = products.indices.map { products[$0] != nil && !isQuery[$0] }
        try search(queries, threads: threads, offeringTo: unqueried, isComplete, &before) {
            (done) throws(Failure) in try progress(done, queries.count)
        }
        let wanted = min(count, slots.count - 1)
        let short = products.indices.filter { slot in
            products[slot] != nil && !isQuery[slot] && poolCounts[slot] < wanted
        }
        for slot in short where before[slot] == nil { before[slot] = neighbours(ofSlot: slot) }
        let nobody = [Bool](repeating: false, count: products.count)
        try search(short, threads: threads, offeringTo: nobody, isComplete, &before) {
            (done) throws(Failure) in try progress(queries.count + done, queries.count + short.count)
        }
        change.searchedAgain = short.count

        for (slot, old) in before {
            guard let product = products[slot], !isQuery[slot] else { continue }
            let new = neighbours(ofSlot: slot)
            if new != old { change.rows.append((product, new)) }
        }
        // The row of a product with another vector may be as it was; that is for the reader to compare.
        for slot in queries { change.rows.append((products[slot]!, neighbours(ofSlot: slot))) }
        change.rows.sort { $0.product < $1.product }
        change.removed.sort()
        return change
    }

    /// The same, without being told how far it is.
    package mutating func update(
        _ changes: [(product: ProductID, embedding: Embedding?)], threads: Int
    ) -> TableChange {
        update(changes, threads: threads) { (_, _) throws(Never) in }
    }

    /// Takes slots out of every pool.
    ///
    /// - Returns: what was asked for of the rows that are different now.
    private mutating func forget(_ touched: [Int]) -> [Int: [Neighbour]] {
        guard !touched.isEmpty else { return [:] }
        var isTouched = [Bool](repeating: false, count: products.count)
        for slot in touched { isTouched[slot] = true }
        var before: [Int: [Neighbour]] = [:]
        for slot in products.indices where products[slot] != nil {
            let pool = (slot * depth)..<(slot * depth + Int(poolCounts[slot]))
            guard pool.contains(where: { isTouched[Int(pools[$0].slot)] }) else { continue }
            before[slot] = neighbours(ofSlot: slot)
            var kept = pool.lowerBound
            for index in pool where !isTouched[Int(pools[index].slot)] {
                pools[kept] = pools[index]
                kept += 1
            }
            poolCounts[slot] = Int32(kept - pool.lowerBound)
        }
        return before
    }

    /// Puts a vector in its product's slot, with an empty pool.
    @discardableResult
    private mutating func place(_ embedding: Embedding, of product: ProductID) -> Int {
        precondition(embedding.values.count == dimension)
        let slot: Int
        if let own = slots[product] {
            slot = own
        } else if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = products.count
            products.append(nil)
            matrix.append(contentsOf: repeatElement(0, count: stride))
            pools.append(contentsOf: repeatElement(PoolEntry(score: 0, slot: 0), count: depth))
            poolCounts.append(0)
        }
        slots[product] = slot
        products[slot] = product
        poolCounts[slot] = 0
        matrix.replaceSubrange((slot * stride)..<(slot * stride + dimension), with: embedding.values)
        return slot
    }

    /// Frees a product's slot. Returns whether there was one.
    private mutating func free(_ product: ProductID) -> Bool {
        guard let slot = slots.removeValue(forKey: product) else { return false }
        products[slot] = nil
        poolCounts[slot] = 0
        freeSlots.append(slot)
        return true
    }

    /// Makes the pools of some slots anew, and offers these slots to the pools of others.
    private mutating func search<Failure: Error>(
        _ queries: [Int], threads: Int, offeringTo offered: [Bool], _ isComplete: [Bool],
        _ before: inout [Int: [Neighbour]], progress: (Int) throws(Failure) -> Void
    ) throws(Failure) {
        for start in Swift.stride(from: 0, to: queries.count, by: Scores.queriesAtOnce) {
            let block = Array(queries[start..<min(start + Scores.queriesAtOnce, queries.count)])
            let found = Scores.search(
                block, matrix: matrix, stride: stride, products: products, depth: min(depth, slots.count - 1),
                threads: threads, offered: offered
            ) { slot in
                // What an entry has to reach to change a pool.
                let count = Int(poolCounts[slot])
                if count < depth && isComplete[slot] { return -.infinity }
                return count == 0 ? .infinity : pools[slot * depth + count - 1].score
            }
            for (slot, entry) in found.offers { insert(entry, in: slot, isComplete[slot], &before) }
            for (query, best) in zip(block, found.best) {
                for (index, entry) in best.entries.enumerated() { pools[query * depth + index] = entry }
                poolCounts[query] = Int32(best.entries.count)
            }
            try progress(start + block.count)
        }
    }

    private mutating func insert(
        _ entry: PoolEntry, in slot: Int, _ isComplete: Bool, _ before: inout [Int: [Neighbour]]
    ) {
        let start = slot * depth
        var count = Int(poolCounts[slot])
        var position = count
        while position > 0, entry.ranks(before: pools[start + position - 1], products) { position -= 1 }
        guard position < count || (isComplete && count < depth) else { return }
        if before[slot] == nil, position < self.count { before[slot] = neighbours(ofSlot: slot) }
        if count < depth { count += 1 }
        var index = count - 1
        while index > position {
            pools[start + index] = pools[start + index - 1]
            index -= 1
        }
        pools[start + position] = entry
        poolCounts[slot] = Int32(count)
    }

    private func neighbours(ofSlot slot: Int) -> [Neighbour] {
        pools[(slot * depth)..<(slot * depth + min(count, Int(poolCounts[slot])))].map {
            Neighbour(product: products[Int($0.slot)]!, score: $0.score)
        }
    }
}
