/// A slot that may be among a query's nearest: its score lies between two bounds, both included.
struct SlotBounds {
    let lower: Float
    let upper: Float
    let slot: Int32
}

/// The slots that may be among a query's nearest few.
///
/// Once `wanted` lower bounds reach a value, whatever cannot reach it is not among the nearest `wanted`. What can,
/// ties included, stays: so the nearest are always among the entries.
struct CandidateList {
    private(set) var entries: [SlotBounds] = []
    /// What an upper bound has to reach.
    private(set) var threshold = -Float.greatestFiniteMagnitude
    let wanted: Int
    private var capacity: Int

    init(wanted: Int) {
        self.wanted = wanted
        capacity = Self.roomFor(wanted)
        if wanted == 0 { threshold = .infinity }
    }

    /// Few enough to be looked through often, for a better threshold lets less in.
    private static func roomFor(_ count: Int) -> Int { 3 * count + 64 }

    mutating func offer(_ candidate: SlotBounds) {
        guard candidate.upper >= threshold else { return }
        entries.append(candidate)
        if entries.count >= capacity { prune() }
    }

    /// Leaves out what cannot be among the nearest.
    mutating func prune() {
        guard entries.count > wanted, wanted > 0 else { return }
        var bounds = entries.map(\.lower)
        threshold = max(threshold, nthLargest(wanted, of: &bounds))
        entries.removeAll { $0.upper < threshold }
        capacity = Self.roomFor(max(wanted, entries.count))
    }

    /// Takes a value that `wanted` lower bounds are known to reach, whether or not they are among the entries.
    mutating func raise(to threshold: Float) {
        guard threshold > self.threshold else { return }
        self.threshold = threshold
        entries.removeAll { $0.upper < threshold }
    }

    /// A list without entries that lets in what this one lets in.
    var emptied: CandidateList {
        var list = self
        list.entries = []
        return list
    }

    mutating func merge(_ other: CandidateList) {
        threshold = max(threshold, other.threshold)
        entries += other.entries
    }
}
