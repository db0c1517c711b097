import Products
import Synchronization

/// The nearest neighbours of every product.
///
/// Each product has a slot, and a pool: the slots nearest to it, sorted, deeper than what is asked for. A pool is
/// always the exact beginning of the sorted list of all others. So a product that comes is either inserted in a pool
/// or ranks behind all that the pool is known to hold; one that leaves shortens the pools that hold it; and only a
/// pool that has become shorter than what is asked for is searched again.
///
/// Searching goes over codes of one byte a dimension, with a proven bound on what they may be wrong by
/// (neighbour_kernels.h); pairs that the bound leaves open are scored in full precision, from the store.
///
/// Memory: about a byte a dimension, 35 bytes, and 8 for each of `depth` pool entries a product, and its id. An
/// update of b products takes b x products x dimension multiplications of bytes, and a few hundred of vectors.
///
/// More than 300 lines: pools, the batches that change them and their layout are one idea, whose proofs need all of it.
///
/// For one thread at a time. What `progress` throws leaves it true for the products that it then has; after an error of
/// the store it is of no use.
package final class NeighbourTable {
    /// How many neighbours are asked for.
    package let count: Int
    private let dimension: Int
    private let store: any VectorStore
    private let memory: SlotMemory
    private let limits: Limits
    private let kernel: Kernel

    private var slots: [ProductID: Int] = [:]
    /// The product in each slot; nil where a slot is free.
    private var products: [ProductID?] = []
    private var freeSlots: [Int] = []
    private var removedProducts: Set<ProductID> = []
    private var freedSlots: Set<Int> = []
    /// Has all slots whose pools have fewer entries than are asked for.
    private var shortSlots: Set<Int> = []
    /// How many products there were when the layout of the codes was made.
    private var layoutProducts = 0

    /// How many more than what is asked for a pool holds: so many of them may leave before it is searched again. What
    /// comes fills it up again, so that in the long run s spare entries last for about s^2 / 2(count + s / 2) x
    /// products changes, as in a random walk.
    private static let spareEntries = 16

    /// What bounds the memory and the time that an update takes at once.
    struct Limits {
        /// Products that are looked up together.
        var batch = 2048
        /// Products looked up together times products there are: about a second's work.
        var batchPairs = 100_000_000
        /// Pairs whose exact scores are wanted, 16 bytes each.
        var openPairs = 2_000_000
        /// Rows that a scan looks at before all others.
        var sampleLength = 1024
        var kernel = Kernel.best
    }

    /// An empty table.
    ///
    /// - Parameters:
    ///   - dimension: how many values each vector has.
    ///   - count: how many neighbours are asked for.
    ///   - store: has room for the vectors.
    package convenience init(dimension: Int, count: Int, store: any VectorStore) {
        self.init(dimension: dimension, count: count, store: store, limits: Limits())
    }

    init(dimension: Int, count: Int, store: any VectorStore, limits: Limits) {
        (self.dimension, self.count, self.store, self.limits) = (dimension, count, store, limits)
        memory = SlotMemory(
            layout: CodeLayout(dimension: dimension, sample: [], rowLength: store.rowLength),
            depth: count + Self.spareEntries)
        kernel = limits.kernel
    }

    /// The number of products there are.
    package var productCount: Int { slots.count }

    /// The memory of codes and pools, without the products' ids.
    package var bytes: Int { memory.slotCount * memory.bytesPerSlot }

    /// Whether a product has a slot.
    package func contains(_ product: ProductID) -> Bool { slots[product] != nil }

    /// The nearest neighbours of a product, the most similar first; nil where there is no such product.
    package func neighbours(of product: ProductID) -> [Neighbour]? {
        slots[product].map { slot in
            memory.pool(of: slot).prefix(count).map {
                Neighbour(product: products[Int($0.slot)]!, score: $0.score)
            }
        }
    }

    /// Every product, in the order of their ids.
    package var allProducts: [ProductID] { slots.keys.sorted() }

    /// The order of neighbours: by score, then by product id.
    private var ranks: (PoolEntry, PoolEntry) -> Bool {
        { [products] (left: PoolEntry, right: PoolEntry) -> Bool in
            if left.score != right.score { return left.score > right.score }
            return products[Int(left.slot)]! < products[Int(right.slot)]!
        }
    }

    // MARK: Searching

    /// The `count` products most similar to a vector, the most similar first.
    ///
    /// - Parameters:
    ///   - threads: how many cores to use.
    ///   - isWanted: products that it is false for are passed over. Called from several threads.
    /// - Throws: what the store throws.
    package func nearest(
        to vector: Embedding, count: Int, threads: Int, where isWanted: (@Sendable (ProductID) -> Bool)? = nil
    ) throws -> [Neighbour] {
        precondition(vector.values.count == dimension)
        let batch = QueryBatch(
            rows: ExactScores.rows([vector], rowLength: store.rowLength), slots: [],
            rowLength: store.rowLength,
            layout: memory.layout, threads: 1)
        var isSlotWanted: (@Sendable (Int) -> Bool)?
        if let isWanted {
            isSlotWanted = { [products] slot in products[slot].map(isWanted) ?? false }
        }
        let found = Scan(
            memory: memory, batch: batch, isOffering: false, threads: threads, pairLimit: .max,
            kernel: kernel,
            isWanted: isSlotWanted
        ).run([CandidateList(wanted: min(count, slots.count))])!
        return try nearest(found.lists, batch, wanted: count, threads: threads)[0].map {
            Neighbour(product: products[Int($0.slot)]!, score: $0.score)
        }
    }

    /// The exact nearest of each query among its candidates, sorted.
    private func nearest(
        _ lists: [CandidateList], _ batch: QueryBatch, wanted: Int, threads: Int, offers: [Pair] = [],
        take: (Pair) -> Void = { _ in }
    ) throws -> [[PoolEntry]] {
        var pairs = offers
        for (query, list) in lists.enumerated() {
            pairs += list.entries.map { Pair(query: Int32(query), slot: $0.slot, isOffer: false) }
        }
        let scored = Mutex<[[PoolEntry]]>(lists.map { _ in [] })
        let rescoring = Rescoring(
            store: store, batch: batch, slotCount: memory.slotCount, threads: threads)
        try rescoring.run(pairs) { (pairs: ArraySlice<Pair>) in
            for pair in pairs where pair.isOffer { take(pair) }
            scored.withLock { scored in
                for pair in pairs where !pair.isOffer {
                    scored[Int(pair.query)].append(PoolEntry(slot: pair.slot, score: pair.score))
                }
            }
        }
        let all = scored.withLock { $0 }
        let nearest = Mutex(all)
        let order = ranks
        let chunk = 64
        try inParallel((all.count + chunk - 1) / chunk, threads: threads) { index in
            let range = index * chunk..<min((index + 1) * chunk, all.count)
            let own = range.map { TopK.nearest(wanted, of: all[$0], order) }
            nearest.withLock { $0.replaceSubrange(range, with: own) }
        }
        return nearest.withLock { $0 }
    }

    // MARK: Updating

    /// Takes products in, changes their vectors, and takes products out.
    ///
    /// - Parameters:
    ///   - changes: each product at most once; nil takes it out.
    ///   - threads: how many cores to use. The result does not depend on it.
    ///   - progress: called now and then, on the calling thread, with how many of the products to look up are done.
    ///     Between two calls lies about a second at most. What it throws ends the update.
    /// - Returns: how many rows had to be searched again because too many of their neighbours had left.
    /// - Throws: what `progress` and the store throw.
    @discardableResult
    package func update(
        _ changes: [(product: ProductID, embedding: Embedding?)], threads: Int,
        progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
    ) throws -> Int {
        let coming = changes.compactMap { change in change.embedding.map { (change.product, $0) } }
        try forget(changes.map(\.product), threads: threads)
        try renewLayout(threads: threads)
        var done = 0
        var batchLimit = limits.batch
        while done < coming.count {
            let length = max(1, min(batchLimit, limits.batchPairs / max(1, slots.count), coming.count - done))
            let batch = coming[done..<done + length]
            if try insert(Array(batch), threads: threads) {
                done += length
                batchLimit = min(limits.batch, batchLimit + batchLimit / 8 + 1)
            } else {
                batchLimit = max(1, length / 2)
            }
            try progress(done, coming.count)
        }
        return try searchShortRows(threads: threads) { try progress(coming.count + $0, coming.count + $1) }
    }

    /// Takes products out of their slots and of every pool.
    private func forget(_ leaving: [ProductID], threads: Int) throws {
        var gone: [Int] = []
        for product in leaving {
            guard let slot = slots.removeValue(forKey: product) else { continue }
            gone.append(slot)
            // Until it comes again.
            removedProducts.insert(product)
        }
        guard !gone.isEmpty else { return }
        let isGone = Set(gone.map(Int32.init))
        for slot in gone {
            products[slot] = nil
            memory.clear(slot)
            memory.unmark(slot)
            freeSlots.append(slot)
            freedSlots.insert(slot)
        }
        for slot in try memory.slotsHolding(gone, threads: threads) {
            memory.remove(isGone.contains, fromPoolOf: slot, visible: count)
            memory.setThreshold(of: slot, isComplete: false)
            if memory.poolCount(of: slot) < count { shortSlots.insert(slot) }
        }
    }

    /// Looks products up that have no slot, together.
    ///
    /// - Returns: false where too many pairs are open for so many at once; nothing has changed then.
    private func insert(_ coming: [(product: ProductID, embedding: Embedding)], threads: Int) throws -> Bool {
        let others = slots.count
        prepareThresholds(others: others)
        var places: [Int] = []
        let rows = ExactScores.rows(coming.map(\.embedding), rowLength: store.rowLength)
        if others == 0 { setLayout(sample: rows, ofProducts: coming.count) }
        for (product, embedding) in coming {
            precondition(embedding.values.count == dimension)
            let slot = freeSlots.popLast() ?? addSlot()
            places.append(slot)
            products[slot] = product
        }
        try inParallel(places.count, threads: threads, state: memory.layout.room) { room, index in
            try store.write(coming[index].embedding, to: places[index])
            rows.withUnsafeBufferPointer {
                memory.encode($0.baseAddress! + index * store.rowLength, to: places[index], &room)
            }
        }
        let batch = QueryBatch(
            rows: rows, slots: places, rowLength: store.rowLength, layout: memory.layout, threads: threads)
        let wanted = min(memory.depth, others + coming.count - 1)
        let found = Scan(
            memory: memory, batch: batch, isOffering: true, threads: threads,
            pairLimit: coming.count == 1 ? .max : limits.openPairs, kernel: kernel,
            sampleLength: limits.sampleLength
        ).run(places.map { _ in CandidateList(wanted: wanted) })
        guard let found else {
            for slot in places.reversed() {
                products[slot] = nil
                memory.clear(slot)
                freeSlots.append(slot)
            }
            return false
        }
        let order = ranks
        let pools = try nearest(found.lists, batch, wanted: wanted, threads: threads, offers: found.offers) {
            offer in
            let slot = Int(offer.slot)
            let takesAll = memory.takesAll(slot)
            memory.insert(
                PoolEntry(slot: Int32(places[Int(offer.query)]), score: offer.score), in: slot,
                isComplete: takesAll, visible: count, ranks: order)
            if !takesAll { memory.setThreshold(of: slot, isComplete: false) }
        }
        for (index, slot) in places.enumerated() {
            slots[coming[index].product] = slot
            removedProducts.remove(coming[index].product)
            freedSlots.remove(slot)
            setPool(pools[index], of: slot)
        }
        return true
    }

    private func addSlot() -> Int {
        products.append(nil)
        return memory.addSlot()
    }

    private func setPool(_ entries: [PoolEntry], of slot: Int) {
        memory.setPool(entries, of: slot)
        memory.setThreshold(of: slot, isComplete: false)
        if entries.count < count { shortSlots.insert(slot) }
        memory.mark(slot, SlotMemory.Mark.row | SlotMemory.Mark.pool)
    }

    /// While there are no more products than a pool has room for, a pool that holds all others takes whatever comes.
    private func prepareThresholds(others: Int) {
        guard others <= memory.depth + 1 + limits.batch else { return }
        for (slot, product) in products.enumerated() where product != nil && memory.isShown(slot) {
            memory.setThreshold(of: slot, isComplete: memory.poolCount(of: slot) == others - 1)
        }
    }

    /// Searches rows again that have become too short, or were never known.
    private func searchShortRows(threads: Int, progress: (Int, Int) throws -> Void) throws -> Int {
        let wanted = min(count, slots.count - 1)
        let short = shortSlots.filter {
            products[$0] != nil && memory.isShown($0) && memory.poolCount(of: $0) < wanted
        }.sorted()
        var done = 0
        var batchLimit = limits.batch
        while done < short.count {
            let length = max(1, min(batchLimit, limits.batchPairs / slots.count, short.count - done))
            let batch = try queries(Array(short[done..<done + length]), threads: threads)
            let wanted = min(memory.depth, slots.count - 1)
            let found = Scan(
                memory: memory, batch: batch, isOffering: false, threads: threads,
                pairLimit: length == 1 ? .max : limits.openPairs, kernel: kernel,
                sampleLength: limits.sampleLength
            ).run(batch.slots.map { _ in CandidateList(wanted: wanted) })
            guard let found else {
                batchLimit = max(1, length / 2)
                try progress(done, short.count)
                continue
            }
            batchLimit = min(limits.batch, batchLimit + batchLimit / 8 + 1)
            let pools = try nearest(found.lists, batch, wanted: wanted, threads: threads)
            for (slot, pool) in zip(batch.slots, pools) { setPool(pool, of: slot) }
            done += length
            try progress(done, short.count)
        }
        shortSlots = shortSlots.filter { products[$0] != nil && memory.poolCount(of: $0) < count }
        return short.count
    }

    /// The vectors of slots, as queries.
    private func queries(_ slots: [Int], threads: Int) throws -> QueryBatch {
        let rowLength = store.rowLength
        var rows = [Float](repeating: 0, count: slots.count * rowLength)
        for (index, slot) in slots.enumerated() {
            try store.read(slot..<slot + 1, into: &rows, at: index)
        }
        return QueryBatch(
            rows: rows, slots: slots, rowLength: rowLength, layout: memory.layout, threads: threads)
    }

    // MARK: What has changed

    /// Products that are new or whose nearest neighbours may be others now, and products that have left, since this
    /// was asked last; each in the order of their ids.
    package func takeChangedRows() -> (changed: [ProductID], removed: [ProductID]) {
        defer { removedProducts = [] }
        return (
            memory.takeMarked(SlotMemory.Mark.row).compactMap { products[$0] }.sorted(),
            removedProducts.sorted()
        )
    }

    /// Slots whose pools are others now, and slots that are free now, since this was asked last.
    package func takeChangedPools() -> (changed: [Int], freed: [Int]) {
        defer { freedSlots = [] }
        return (memory.takeMarked(SlotMemory.Mark.pool).filter { products[$0] != nil }, freedSlots.sorted())
    }

    /// What is to be kept of a slot's product for `restore`; nil where the slot is free.
    package func pool(ofSlot slot: Int) -> NeighbourPool? {
        products[slot].map { NeighbourPool(slot: slot, product: $0, entries: memory.pool(of: slot)) }
    }

    // MARK: After a restart

    /// Takes a pool of an earlier run, before anything else: what `pool(ofSlot:)` gave of one product after another.
    package func restore(_ pool: NeighbourPool) {
        while memory.slotCount <= pool.slot { _ = addSlot() }
        products[pool.slot] = pool.product
        slots[pool.product] = pool.slot
        memory.setPool(pool.entries.prefix(memory.depth), of: pool.slot)
        // What is cut off is not kept up to date from now on, and must not be believed later.
        if pool.entries.count > memory.depth { memory.mark(pool.slot, SlotMemory.Mark.pool) }
    }

    /// Takes the vectors of the restored pools from the store.
    ///
    /// - Parameter isIntact: whether what the store has of a slot is the vector that was written. Called from several
    ///   threads.
    /// - Returns: the products whose vectors are lost: they have slots, but cannot be found until an update removes or
    ///   changes them.
    /// - Throws: what the store throws.
    package func finishRestoring(
        threads: Int, isIntact: (_ slot: Int, _ row: Span<Float>) -> Bool
    ) throws -> [ProductID] {
        freeSlots = products.indices.reversed().filter { products[$0] == nil }
        for (slot, product) in products.enumerated() where product != nil {
            // A pool that names what cannot be is believed as far as it goes.
            let pool = memory.pool(of: slot)
            var last = Float.infinity
            let sound = pool.prefix { entry in
                defer { last = entry.score }
                return products.indices.contains(Int(entry.slot)) && products[Int(entry.slot)] != nil
                    && entry.slot != Int32(slot) && entry.score <= last
            }
            if sound.count < pool.count { setPool(Array(sound), of: slot) }
            if sound.count < count { shortSlots.insert(slot) }
        }
        if !slots.isEmpty { try improveLayout() }
        let lost = try encodeAll(threads: threads, isIntact)
        // While a slot cannot be found it is not told of what comes: its pool must not be believed when, after another
        // interruption, its vector is there again.
        for slot in lost { setPool([], of: slot) }
        return lost.compactMap { products[$0] }.sorted()
    }

    // MARK: The layout of codes

    /// From how many vectors a layout is made, and how many in a row are read of them.
    private static let sampleLength = 2048
    private static let sampleRun = 16

    private func setLayout(sample: [Float], ofProducts count: Int) {
        let rowLength = store.rowLength
        memory.setLayout(CodeLayout(dimension: dimension, sample: sample, rowLength: rowLength))
        // Rows that the store has lost say nothing.
        let sound = stride(from: 0, to: sample.count, by: rowLength).count { start in
            sample[start..<start + rowLength].contains { $0 != 0 }
        }
        layoutProducts = count * sound / max(1, sample.count / rowLength)
    }

    /// Makes the layout from what the store has, here and there: neighbours in a folder are alike. All vectors have to
    /// be encoded after it.
    private func improveLayout() throws {
        let runs = (min(Self.sampleLength, memory.slotCount) + Self.sampleRun - 1) / Self.sampleRun
        let length = min(Self.sampleRun, memory.slotCount)
        var sample = [Float](repeating: 0, count: runs * length * store.rowLength)
        for run in 0..<runs {
            let first = min(run * memory.slotCount / runs, memory.slotCount - length)
            try store.read(first..<first + length, into: &sample, at: run * length)
        }
        setLayout(sample: sample, ofProducts: slots.count)
    }

    /// Makes the layout anew when there are many more products than it was made for.
    private func renewLayout(threads: Int) throws {
        guard slots.count >= max(64, 8 * layoutProducts) else { return }
        let shown = slots.values.count { memory.isShown($0) }
        guard shown >= max(64, 8 * layoutProducts) else { return }
        try improveLayout()
        layoutProducts = shown
        _ = try encodeAll(threads: threads) { slot, _ in memory.isShown(slot) }
    }

    /// Encodes the vectors of all slots that are intact.
    ///
    /// - Returns: the slots that are not; they stay hidden.
    private func encodeAll(threads: Int, _ isIntact: (Int, Span<Float>) -> Bool) throws -> [Int] {
        let lost = Mutex<[Int]>([])
        let rowsAtOnce = 128
        let (rowLength, slotCount) = (store.rowLength, memory.slotCount)
        try inParallel(
            (slotCount + rowsAtOnce - 1) / rowsAtOnce, threads: threads,
            state: ([Float](repeating: 0, count: rowsAtOnce * rowLength), memory.layout.room)
        ) { state, index in
            let first = index * rowsAtOnce
            let length = min(rowsAtOnce, slotCount - first)
            try store.read(first..<first + length, into: &state.0, at: 0)
            for offset in 0..<length where products[first + offset] != nil {
                let slot = first + offset
                guard isIntact(slot, state.0.span.extracting(offset * rowLength..<(offset + 1) * rowLength))
                else {
                    lost.withLock { $0.append(slot) }
                    continue
                }
                state.0.withUnsafeBufferPointer {
                    memory.encode($0.baseAddress! + offset * rowLength, to: slot, &state.1)
                }
                memory.setThreshold(of: slot, isComplete: false)
            }
        }
        return lost.withLock { $0 }
    }
}
