import CNeighbourKernels
import Synchronization

/// A pair whose exact score is wanted: for the query's own neighbours, or because the query may be one of the slot's.
struct Pair {
    let query: Int32
    let slot: Int32
    let isOffer: Bool
    var score: Float = 0
}

/// Goes over the codes of all slots with a batch of queries, and finds the pairs that the codes leave open.
struct Scan {
    /// Rows that are looked at before thresholds are compared with what was found.
    private static let rowsAtOnce = 64

    let memory: SlotMemory
    let batch: QueryBatch
    /// Whether slots are to hear of queries that reach their thresholds.
    let isOffering: Bool
    let threads: Int
    /// How many pairs may be found; with more of them the scan is given up.
    let pairLimit: Int
    let kernel: imgrec_kernel
    /// Rows that are looked at before the best of them leads to better ones.
    var rowsBeforeLead = 1024
    /// Whether a slot may be found; nil where all may. Called from several threads.
    var isWanted: (@Sendable (Int) -> Bool)?

    struct Found {
        var lists: [CandidateList]
        var offers: [Pair] = []

        var count: Int { offers.count + lists.reduce(0) { $0 + $1.entries.count } }
    }

    /// - Parameter lists: what is known of each query already.
    /// - Returns: each query's candidates, and offers in no order; nil where there are more than `pairLimit`.
    func run(_ lists: [CandidateList]) -> Found? {
        // Few queries: the rows are divided among the threads. Many: the queries are.
        let slotCount = memory.slotCount
        let parts = max(1, min(4 * threads / max(1, batch.blockCount), slotCount / 2048))
        let part = (slotCount + parts - 1) / parts
        let all = Mutex(Found(lists: lists))
        let found = Atomic(0)
        // Nothing in it throws.
        try? inParallel(batch.blockCount * parts, threads: threads) { item in
            let block = batch.block(item / parts)
            let rows = min((item % parts) * part, slotCount)..<min((item % parts + 1) * part, slotCount)
            // A part of the rows adds to what is known; all of them take its place.
            var own = Found(lists: lists[block].map { parts == 1 ? $0 : $0.emptied })
            guard scan(block, rows, &own, counting: found) else { return }
            for query in own.lists.indices { own.lists[query].prune() }
            all.withLock { all in
                if parts == 1 {
                    all.lists.replaceSubrange(block, with: own.lists)
                } else {
                    for (query, list) in zip(block, own.lists) { all.lists[query].merge(list) }
                }
                all.offers += own.offers
            }
        }
        guard found.load(ordering: .relaxed) <= pairLimit else { return nil }
        return all.withLock { all in
            if parts > 1 { for query in all.lists.indices { all.lists[query].prune() } }
            return all
        }
    }

    /// - Returns: false where too much was found.
    private func scan(
        _ block: Range<Int>, _ rows: Range<Int>, _ own: inout Found, counting found: borrowing Atomic<Int>
    ) -> Bool {
        var thresholds = block.enumerated().map { own.lists[$0.offset].threshold - batch.margins[$0.element] }
        let hits = UnsafeMutablePointer<imgrec_hit>.allocate(capacity: block.count * Self.rowsAtOnce)
        defer { hits.deallocate() }
        var counted = own.count
        var first = rows.lowerBound
        // The best so far leads to better ones: after 1024 rows, 8192, 65536 ...
        var nextLead = rowsBeforeLead
        var leads = [Int32](repeating: -1, count: block.count)
        while first < rows.upperBound {
            let segmentEnd = (first / SlotMemory.slotsPerSegment + 1) * SlotMemory.slotsPerSegment
            let width = min(first + Self.rowsAtOnce, rows.upperBound, segmentEnd) - first
            var codes = memory.rows(from: first, isOffering: isOffering)
            let hitCount = batch.scan(block, thresholds, &codes, width, kernel, hits)
            for index in 0..<hitCount { take(hits[index], first, block, &own, &thresholds) }
            first += width
            if first - rows.lowerBound >= nextLead {
                nextLead *= 8
                for position in leads.indices { follow(&leads[position], block, position, &own, &thresholds) }
            }
            guard hitCount > 0 else { continue }
            let count = own.count
            if count - counted > min(4096, pairLimit / 8) {
                let total = found.add(count - counted, ordering: .relaxed).newValue
                counted = count
                // A single query has to be answered, however much there is.
                if total > pairLimit { return false }
            }
        }
        return true
    }

    @inline(__always)
    private func take(
        _ hit: imgrec_hit, _ first: Int, _ block: Range<Int>, _ own: inout Found, _ thresholds: inout [Float]
    ) {
        let slot = first + Int(hit.row)
        let position = Int(hit.query)
        let query = block.lowerBound + position
        guard batch.slots.isEmpty || batch.slots[query] != slot else { return }
        let whom = Int(hit.whom)
        if whom & IMGREC_FOR_QUERY != 0, isWanted?(slot) ?? true {
            let margin = batch.margins[query] + memory.margin(of: slot)
            own.lists[position].offer(
                Candidate(lower: hit.score - margin, upper: hit.score + margin, slot: Int32(slot)))
            thresholds[position] = own.lists[position].threshold - batch.margins[query]
        }
        if whom & IMGREC_FOR_ROW != 0 {
            own.offers.append(Pair(query: Int32(query), slot: Int32(slot), isOffer: true))
        }
    }

    /// Looks at the pool of the best candidate so far. What is near to what is near to a query is often near to the
    /// query: their scores say early what the nearest have at least to reach. The scan itself looks at every row.
    private func follow(
        _ lead: inout Int32, _ block: Range<Int>, _ position: Int, _ own: inout Found,
        _ thresholds: inout [Float]
    ) {
        let query = block.lowerBound + position
        let wanted = own.lists[position].wanted
        guard wanted > 0, wanted <= memory.depth,
            let best = own.lists[position].entries.max(by: { $0.lower < $1.lower })?.slot, best != lead
        else { return }
        lead = best
        let near = memory.pool(of: Int(best)).map(\.slot).filter { slot in
            memory.isShown(Int(slot)) && (batch.slots.isEmpty || batch.slots[query] != Int(slot))
                && isWanted?(Int(slot)) ?? true
        }
        guard near.count + 1 >= wanted else { return }
        var bounds = zip(near, batch.scores(of: query, with: near, memory, kernel)).map { slot, score in
            score - batch.margins[query] - memory.margin(of: Int(slot))
        }
        bounds += own.lists[position].entries.filter { $0.slot == best }.map(\.lower)
        own.lists[position].raise(to: nthLargest(wanted, of: &bounds))
        thresholds[position] = own.lists[position].threshold - batch.margins[query]
    }
}
