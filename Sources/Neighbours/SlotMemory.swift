import CNeighbourKernels
import Products
import Synchronization

/// The codes and pools of all slots, in segments of fixed size, so that growing moves nothing.
///
/// Memory for each slot: the dimension, rounded up to 128, in bytes; 35 bytes beside it; and 8 for each entry that a
/// pool has room for. Pointers into it stay in this room.
///
/// More than 300 lines: every pointer into it is here.
///
/// `@unchecked Sendable`: it is not locked. At a time several threads either read, or change what belongs to different
/// slots; slots are added by the table's one thread alone, while no other is at work.
final class SlotMemory: @unchecked Sendable {
    static let slotsPerSegment = 4096

    let depth: Int
    private(set) var layout: CodeLayout
    private(set) var segments: [Segment] = []
    /// Slots 0..<slotCount are or were in use.
    private(set) var slotCount = 0

    final class Segment {
        /// Heads of all slots, then tails of all slots.
        let codes: UnsafeMutablePointer<Int8>
        let headSums: UnsafeMutablePointer<Int32>
        let middleSums: UnsafeMutablePointer<Int32>
        let endSums: UnsafeMutablePointer<Int32>
        let scales: UnsafeMutablePointer<Float>
        let margins: UnsafeMutablePointer<Float>
        let tailLengths: UnsafeMutablePointer<Float>
        let endLengths: UnsafeMutablePointer<Float>
        let thresholds: UnsafeMutablePointer<Float>
        /// Filled up with -1.
        let poolSlots: UnsafeMutablePointer<Int32>
        let poolScores: UnsafeMutablePointer<Float>
        let poolCounts: UnsafeMutablePointer<UInt16>
        /// Of `Mark`.
        let marks: UnsafeMutablePointer<UInt8>

        init(codeLength: Int, depth: Int) {
            let count = slotsPerSegment
            // Memory that was never written takes no room, so small tables stay small.
            func allocate<Value>(_ count: Int) -> UnsafeMutablePointer<Value> {
                UnsafeMutableRawPointer.allocate(byteCount: count * MemoryLayout<Value>.stride, alignment: 64)
                    .bindMemory(to: Value.self, capacity: count)
            }
            codes = allocate(count * codeLength)
            headSums = allocate(count)
            middleSums = allocate(count)
            endSums = allocate(count)
            scales = allocate(count)
            margins = allocate(count)
            tailLengths = allocate(count)
            endLengths = allocate(count)
            thresholds = allocate(count)
            poolSlots = allocate(count * depth)
            poolScores = allocate(count * depth)
            poolCounts = allocate(count)
            marks = allocate(count)
            marks.initialize(repeating: 0, count: count)
        }

        func tails(_ layout: CodeLayout, _ index: Int) -> UnsafeMutablePointer<Int8> {
            codes + slotsPerSegment * layout.headLength + index * layout.tailLength
        }

        deinit {
            for pointer in [headSums, middleSums, endSums, poolSlots] {
                UnsafeMutableRawPointer(pointer).deallocate()
            }
            for pointer in [scales, margins, tailLengths, endLengths, thresholds, poolScores] {
                UnsafeMutableRawPointer(pointer).deallocate()
            }
            UnsafeMutableRawPointer(codes).deallocate()
            UnsafeMutableRawPointer(poolCounts).deallocate()
            UnsafeMutableRawPointer(marks).deallocate()
        }
    }

    /// The codes from a slot to its segment's end.
    func rows(from slot: Int, isOffering: Bool) -> imgrec_rows {
        let (segment, index) = place(slot)
        return imgrec_rows(
            heads: segment.codes + index * layout.headLength, tails: segment.tails(layout, index),
            head_sums: segment.headSums + index, middle_sums: segment.middleSums + index,
            end_sums: segment.endSums + index, scales: segment.scales + index,
            margins: segment.margins + index, tail_lengths: segment.tailLengths + index,
            end_lengths: segment.endLengths + index,
            thresholds: isOffering ? segment.thresholds + index : nil)
    }

    /// What has happened to a slot's pool since it was asked last.
    enum Mark {
        /// Among the first, which are published.
        static let row: UInt8 = 1
        static let pool: UInt8 = 2
    }

    init(layout: CodeLayout, depth: Int) {
        self.layout = layout
        self.depth = depth
    }

    private var codeLength: Int { layout.headLength + layout.tailLength }

    var bytesPerSlot: Int { codeLength + 35 + 8 * depth }

    /// A slot that has not been used before; hidden, with an empty pool.
    func addSlot() -> Int {
        let slot = slotCount
        if slot % Self.slotsPerSegment == 0 { segments.append(Segment(codeLength: codeLength, depth: depth)) }
        slotCount += 1
        let (segment, index) = place(slot)
        // The code of a vector without length.
        (segment.scales[index], segment.tailLengths[index], segment.endLengths[index]) = (0, 0, 0)
        (segment.headSums[index], segment.middleSums[index], segment.endSums[index]) = (0, 0, 0)
        (segment.codes + index * layout.headLength).initialize(repeating: 0, count: layout.headLength)
        segment.tails(layout, index).initialize(repeating: 0, count: layout.tailLength)
        clear(slot)
        return slot
    }

    @inline(__always)
    private func place(_ slot: Int) -> (Segment, Int) {
        (segments[slot / Self.slotsPerSegment], slot % Self.slotsPerSegment)
    }

    // MARK: Codes

    /// Takes another layout. Every vector has to be encoded again.
    func setLayout(_ layout: CodeLayout) { self.layout = layout }

    /// Takes a vector's codes, and lets searches find the slot.
    ///
    /// - Parameters:
    ///   - vector: its row in full precision.
    ///   - room: `layout.room`, for use in between.
    func encode(_ vector: UnsafePointer<Float>, to slot: Int, _ room: inout [Float]) {
        let (segment, index) = place(slot)
        layout.arrange(vector, into: &room)
        let code = imgrec_encode_row(
            room, layout.parts, segment.codes + index * layout.headLength, segment.tails(layout, index))
        segment.scales[index] = code.scale
        segment.headSums[index] = code.head_sum
        segment.middleSums[index] = code.middle_sum
        segment.endSums[index] = code.end_sum
        segment.tailLengths[index] = code.tail_length
        segment.endLengths[index] = code.end_length
        segment.margins[index] = code.margin
    }

    func margin(of slot: Int) -> Float {
        let (segment, index) = place(slot)
        return segment.margins[index]
    }

    /// Whether searches find a slot.
    func isShown(_ slot: Int) -> Bool { margin(of: slot) >= 0 }

    /// Hides a slot from searches, and empties its pool.
    func clear(_ slot: Int) {
        let (segment, index) = place(slot)
        segment.margins[index] = -.infinity
        segment.thresholds[index] = .infinity
        setPool([], of: slot)
    }

    // MARK: Pools

    func poolCount(of slot: Int) -> Int {
        let (segment, index) = place(slot)
        return Int(segment.poolCounts[index])
    }

    func pool(of slot: Int) -> [PoolEntry] {
        let (segment, index) = place(slot)
        let start = index * depth
        return (start..<start + Int(segment.poolCounts[index])).map {
            PoolEntry(slot: segment.poolSlots[$0], score: segment.poolScores[$0])
        }
    }

    /// - Parameter entries: the nearest of all others, sorted; at most `depth`.
    func setPool(_ entries: some Collection<PoolEntry>, of slot: Int) {
        let (segment, index) = place(slot)
        var position = index * depth
        for entry in entries {
            segment.poolSlots[position] = entry.slot
            segment.poolScores[position] = entry.score
            position += 1
        }
        segment.poolCounts[index] = UInt16(entries.count)
        for empty in position..<(index + 1) * depth { segment.poolSlots[empty] = -1 }
    }

    /// Inserts what is near a slot in its pool, unless it ranks behind all that the pool is known to hold.
    ///
    /// - Parameters:
    ///   - isComplete: whether the pool holds all others that there are, so that there is nothing else behind it.
    ///   - visible: how many of the pool are published.
    func insert(
        _ entry: PoolEntry, in slot: Int, isComplete: Bool, visible: Int,
        ranks: (PoolEntry, PoolEntry) -> Bool
    ) {
        let (segment, index) = place(slot)
        let start = index * depth
        var count = Int(segment.poolCounts[index])
        func entryAt(_ position: Int) -> PoolEntry {
            PoolEntry(slot: segment.poolSlots[start + position], score: segment.poolScores[start + position])
        }
        var position = count
        while position > 0, ranks(entry, entryAt(position - 1)) { position -= 1 }
        guard position < count || (isComplete && count < depth) else { return }
        if count < depth { count += 1 }
        var moved = start + count - 1
        while moved > start + position {
            segment.poolSlots[moved] = segment.poolSlots[moved - 1]
            segment.poolScores[moved] = segment.poolScores[moved - 1]
            moved -= 1
        }
        segment.poolSlots[moved] = entry.slot
        segment.poolScores[moved] = entry.score
        segment.poolCounts[index] = UInt16(count)
        segment.marks[index] |= position < visible ? Mark.row | Mark.pool : Mark.pool
    }

    /// Takes slots out of the pool of another.
    func remove(_ isGone: (Int32) -> Bool, fromPoolOf slot: Int, visible: Int) {
        let (segment, index) = place(slot)
        let start = index * depth
        let count = Int(segment.poolCounts[index])
        var kept = 0
        for position in 0..<count {
            if isGone(segment.poolSlots[start + position]) {
                segment.marks[index] |= position < visible ? Mark.row | Mark.pool : Mark.pool
                continue
            }
            segment.poolSlots[start + kept] = segment.poolSlots[start + position]
            segment.poolScores[start + kept] = segment.poolScores[start + position]
            kept += 1
        }
        for empty in kept..<count { segment.poolSlots[start + empty] = -1 }
        segment.poolCounts[index] = UInt16(kept)
    }

    /// Sets what others have to reach to change a slot's pool: its worst entry, which is known to be exact.
    func setThreshold(of slot: Int, isComplete: Bool) {
        let (segment, index) = place(slot)
        let count = Int(segment.poolCounts[index])
        if isComplete && count < depth {
            segment.thresholds[index] = -.infinity
        } else if count == 0 {
            segment.thresholds[index] = .infinity
        } else {
            segment.thresholds[index] = segment.poolScores[index * depth + count - 1] - segment.margins[index]
        }
    }

    /// Whether a pool takes whatever comes; as `setThreshold` was told.
    func takesAll(_ slot: Int) -> Bool {
        let (segment, index) = place(slot)
        return segment.thresholds[index] == -.infinity
    }

    // MARK: Marks

    func mark(_ slot: Int, _ marks: UInt8) {
        let (segment, index) = place(slot)
        segment.marks[index] |= marks
    }

    /// The slots that bear a mark, in their order; it is taken off them.
    func takeMarked(_ mark: UInt8) -> [Int] {
        var slots: [Int] = []
        // Few are marked of many, so eight are looked at at a time.
        let all = UInt64(mark) &* 0x0101_0101_0101_0101
        for (number, segment) in segments.enumerated() {
            let marks = UnsafeRawPointer(segment.marks)
            for first in stride(from: 0, to: Self.slotsPerSegment, by: 8)
            where marks.loadUnaligned(fromByteOffset: first, as: UInt64.self) & all != 0 {
                for index in first..<first + 8 where segment.marks[index] & mark != 0 {
                    segment.marks[index] &= ~mark
                    slots.append(number * Self.slotsPerSegment + index)
                }
            }
        }
        return slots
    }

    func unmark(_ slot: Int) {
        let (segment, index) = place(slot)
        segment.marks[index] = 0
    }

    /// The slots whose pools hold one of some slots.
    func slotsHolding(_ gone: [Int], threads: Int) throws -> [Int] {
        var bits = [UInt64](repeating: 0, count: (slotCount + 63) / 64)
        for slot in gone { bits[slot / 64] |= 1 << (slot % 64) }
        let all = Mutex<[Int]>([])
        try inParallel(
            segments.count, threads: threads, state: [UInt32](repeating: 0, count: Self.slotsPerSegment)
        ) { found, segment in
            let first = segment * Self.slotsPerSegment
            let rows = min(Self.slotsPerSegment, slotCount - first)
            let slots = segments[segment].poolSlots
            let count =
                gone.count == 1
                ? imgrec_rows_holding_one(slots, rows, depth, Int32(gone[0]), &found)
                : imgrec_rows_holding(slots, rows, depth, bits, &found)
            guard count > 0 else { return }
            all.withLock { $0 += found[..<count].map { first + Int($0) } }
        }
        return all.withLock { $0 }
    }
}
