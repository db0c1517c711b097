import CNeighbourKernels

/// Where the elements of vectors go in their codes: those that carry most of the vectors' lengths to the head, so that
/// heads alone tell most pairs to be far apart. Any layout gives the same table; a good one gives it sooner.
struct CodeLayout: Sendable {
    private static let block = Int(IMGREC_CODE_BLOCK)
    /// How much of the vectors' squared lengths the tail may have: what is lost when two tails could still point the
    /// same way. With less the heads are longer, with more they decide less.
    private static let tailShare = 0.35

    let dimension: Int
    /// Those of head and tail, filled up to whole blocks.
    let headLength: Int
    let tailLength: Int
    /// How much of the tail is looked at first.
    private let middleLength: Int
    /// The place of each element among head and tail.
    private let places: [Int]

    /// - Parameter sample: rows of some of the vectors, `rowLength` values each; may be empty.
    init(dimension: Int, sample: [Float], rowLength: Int) {
        self.dimension = dimension
        var energies = [Double](repeating: 0, count: dimension)
        for start in stride(from: 0, to: sample.count, by: rowLength) {
            for index in 0..<dimension {
                energies[index] += Double(sample[start + index]) * Double(sample[start + index])
            }
        }
        let order = energies.indices.sorted {
            energies[$0] != energies[$1] ? energies[$0] > energies[$1] : $0 < $1
        }
        let blockCount = (dimension + Self.block - 1) / Self.block
        let total = energies.reduce(0, +)
        var headBlocks = 0
        var rest = total
        while headBlocks < blockCount, headBlocks == 0 || rest > Self.tailShare * total {
            let next = order[
                min(headBlocks * Self.block, dimension)..<min((headBlocks + 1) * Self.block, dimension)]
            for index in next { rest -= energies[index] }
            headBlocks += 1
        }
        headLength = headBlocks * Self.block
        tailLength = (blockCount - headBlocks) * Self.block
        let middleBlocks = (blockCount - headBlocks + 2) / 3
        middleLength = middleBlocks * Self.block
        var places = [Int](repeating: 0, count: dimension)
        let parts = [
            (first: 0, blocks: headBlocks), (first: headBlocks, blocks: middleBlocks),
            (first: headBlocks + middleBlocks, blocks: blockCount - headBlocks - middleBlocks),
        ]
        for (rank, index) in order.enumerated() {
            let part = parts.last { $0.first * Self.block <= rank && $0.blocks > 0 }!
            let start = part.first * Self.block
            places[index] = start + Self.place(ofRank: rank - start, blocks: part.blocks)
        }
        self.places = places
    }

    /// Deals the ranks out to the groups of eight that have a limit in common, as cards are dealt, so that no group
    /// gets only large ones.
    private static func place(ofRank rank: Int, blocks: Int) -> Int {
        let lanes = 16
        let (group, member) = (rank % (lanes * blocks), rank / (lanes * blocks))
        return group / lanes * block + member / 2 * 32 + group % lanes * 2 + member % 2
    }

    /// - Parameters:
    ///   - vector: at least `dimension` values.
    ///   - room: head and tail one after the other; places that no element has are left as they are.
    func arrange(_ vector: UnsafePointer<Float>, into room: inout [Float]) {
        room.withUnsafeMutableBufferPointer { room in
            for index in 0..<dimension { room[places[index]] = vector[index] }
        }
    }

    var parts: imgrec_parts {
        imgrec_parts(head: headLength, middle: middleLength, end: tailLength - middleLength)
    }

    var room: [Float] { [Float](repeating: 0, count: headLength + tailLength) }
}
