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
    /// How many of the rows that are looked at first are followed up, at most, and how many pools are looked through.
    private static let leadCount = 3
    private static let followedLeads = 3

    let memory: SlotMemory
    let batch: QueryBatch
    /// Whether slots are to hear of queries that reach their thresholds.
    let isOffering: Bool
    let threads: Int
    /// How many pairs may be found; with more of them the scan is given up.
    let pairLimit: Int
    let kernel: Kernel
    /// Rows that are looked at before all others.
    var sampleLength = 1024
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
        let lists = seeded(lists)
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
        // What came last is often near to what comes now: from the end, thresholds rise sooner.
        var end = rows.upperBound
        while end > rows.lowerBound {
            let segmentStart = (end - 1) / SlotMemory.slotsPerSegment * SlotMemory.slotsPerSegment
            let first = max(end - Self.rowsAtOnce, rows.lowerBound, segmentStart)
            let width = end - first
            end = first
            var codes = memory.rows(from: first, isOffering: isOffering)
            let hitCount = batch.scan(block, thresholds, &codes, width, kernel, hits)
            for index in 0..<hitCount { take(hits[index], first, block, &own, &thresholds) }
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
        if !batch.slots.isEmpty, batch.slots[query] == slot { return }
        let whom = Int(hit.whom)
        if whom & IMGREC_FOR_QUERY != 0, isWanted?(slot) ?? true {
            let margin = batch.margins[query] + memory.margin(of: slot)
            own.lists[position].offer(
                SlotBounds(lower: hit.score - margin, upper: hit.score + margin, slot: Int32(slot)))
            thresholds[position] = own.lists[position].threshold - batch.margins[query]
        }
        if whom & IMGREC_FOR_ROW != 0 {
            own.offers.append(Pair(query: Int32(query), slot: Int32(slot), isOffer: true))
        }
    }

    // MARK: Leads

    /// Lists that know early what the nearest have at least to reach.
    ///
    /// A few rows from everywhere are looked at first, and then the pools of the best of them, and of the best in
    /// these: what is near to what is near to a query is often near to the query. The scan itself looks at every row
    /// all the same.
    private func seeded(_ lists: [CandidateList]) -> [CandidateList] {
        guard memory.slotCount > 4 * sampleLength else { return lists }
        let all = Mutex(lists)
        // Nothing in it throws.
        try? inParallel(batch.blockCount, threads: threads) { index in
            let block = batch.block(index)
            let own = zip(block, leads(of: block)).map { seeded(lists[$0], $0, $1) }
            all.withLock { $0.replaceSubrange(block, with: own) }
        }
        return all.withLock { $0 }
    }

    /// A slot near to a query.
    private struct Lead {
        let slot: Int
        let score: Float
        /// Whether its pool has been looked through.
        var isFollowed = false
    }

    /// The best of some rows that are spread evenly, for each query of a block.
    private func leads(of block: Range<Int>) -> [[Lead]] {
        let width = 16
        var leads = [[Lead]](repeating: [], count: block.count)
        var thresholds = [Float](repeating: -.greatestFiniteMagnitude, count: block.count)
        let hits = UnsafeMutablePointer<imgrec_hit>.allocate(capacity: block.count * width)
        defer { hits.deallocate() }
        let step = memory.slotCount / (sampleLength / width)
        for start in stride(from: 0, to: memory.slotCount - width, by: max(width, step)) {
            // A tile does not cross the border of a segment.
            let first = start / width * width
            var codes = memory.rows(from: first, isOffering: false)
            let count = batch.scan(block, thresholds, &codes, width, kernel, hits)
            for index in 0..<count {
                let hit = hits[index]
                let (slot, position) = (first + Int(hit.row), Int(hit.query))
                guard hit.score >= thresholds[position], memory.poolCount(of: slot) > 0,
                    isAllowed(slot, block.lowerBound + position)
                else {
                    continue
                }
                let place = leads[position].firstIndex { $0.score < hit.score } ?? leads[position].count
                leads[position].insert(Lead(slot: slot, score: hit.score), at: place)
                if leads[position].count > Self.leadCount { leads[position].removeLast() }
                if leads[position].count == Self.leadCount {
                    thresholds[position] = leads[position].last!.score
                }
            }
        }
        return leads
    }

    private func seeded(_ list: CandidateList, _ query: Int, _ leads: [Lead]) -> CandidateList {
        guard list.wanted > 0, list.wanted <= memory.depth + 1 else { return list }
        var leads = leads
        var seen = Set(leads.map { Int32($0.slot) })
        for _ in 0..<Self.followedLeads {
            var best: Int?
            for (index, lead) in leads.enumerated() where !lead.isFollowed {
                if best.map({ lead.score > leads[$0].score }) ?? true { best = index }
            }
            guard let best else { break }
            leads[best].isFollowed = true
            let near = memory.pool(of: leads[best].slot).map(\.slot).filter {
                memory.isShown(Int($0)) && isAllowed(Int($0), query) && seen.insert($0).inserted
            }
            for (slot, score) in zip(near, batch.scores(of: query, with: near, memory, kernel)) {
                leads.append(Lead(slot: Int(slot), score: score))
            }
        }
        guard leads.count >= list.wanted else { return list }
        var bounds = leads.map { $0.score - batch.margins[query] - memory.margin(of: $0.slot) }
        var seeded = list
        seeded.raise(to: nthLargest(list.wanted, of: &bounds))
        return seeded
    }

    /// Whether a query may be told of a slot.
    private func isAllowed(_ slot: Int, _ query: Int) -> Bool {
        (batch.slots.isEmpty || batch.slots[query] != slot) && isWanted?(slot) ?? true
    }
}
