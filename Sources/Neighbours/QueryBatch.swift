import CNeighbourKernels
import Products

/// How dot products of codes are computed on this CPU.
typealias Kernel = imgrec_kernel

extension Kernel {
    /// The fastest that it has.
    static var best: Kernel { imgrec_best_kernel() }
}

/// Vectors that are looked up together: in full precision, and as a query's codes.
struct QueryBatch: Sendable {
    /// How many queries go over the rows together.
    static let blockLength = Int(IMGREC_MOST_QUERIES)

    let count: Int
    let rowLength: Int
    /// The slots that the vectors are of, each of which is not its own neighbour; empty where they are of none.
    let slots: [Int]
    /// Row by row, `rowLength` each.
    let rows: [Float]
    private let layout: CodeLayout
    private let heads: [UInt8]
    private let tails: [UInt8]
    private let scales: [Float]
    private let tailLengths: [Float]
    private let endLengths: [Float]
    private let offsets: [Int32]
    /// Half of what a score of each may be off by.
    let margins: [Float]

    init(rows: [Float], slots: [Int], rowLength: Int, layout: CodeLayout, threads: Int) {
        let count = rows.count / rowLength
        self.count = count
        (self.rows, self.slots, self.rowLength, self.layout) = (rows, slots, rowLength, layout)
        let (head, tail) = (layout.headLength, layout.tailLength)
        var codes: [imgrec_code] = []
        var tails: [UInt8] = []
        heads = [UInt8](unsafeUninitializedCapacity: count * head) { heads, headCount in
            tails = [UInt8](unsafeUninitializedCapacity: count * tail) { tails, tailCount in
                codes = [imgrec_code](unsafeUninitializedCapacity: count) { codes, codeCount in
                    // Nothing in it throws.
                    try? inParallel(count, threads: threads, state: layout.room) { room, index in
                        rows.withUnsafeBufferPointer {
                            layout.arrange($0.baseAddress! + index * rowLength, into: &room)
                        }
                        codes.initializeElement(
                            at: index,
                            to: imgrec_encode_query(
                                room, layout.parts, heads.baseAddress! + index * head,
                                tails.baseAddress.map { $0 + index * tail }))
                    }
                    codeCount = count
                }
                tailCount = count * tail
            }
            headCount = count * head
        }
        self.tails = tails
        scales = codes.map(\.scale)
        tailLengths = codes.map(\.tail_length)
        endLengths = codes.map(\.end_length)
        margins = codes.map(\.margin)
        offsets = codes.map(\.offset)
    }

    /// A scan of some rows by a block of the queries.
    ///
    /// - Parameters:
    ///   - thresholds: of the block's queries.
    ///   - hits: has room for a hit of each query with each row.
    /// - Returns: how many hits there are.
    func scan(
        _ block: Range<Int>, _ thresholds: [Float], _ rows: inout imgrec_rows, _ rowCount: Int,
        _ kernel: Kernel,
        _ hits: UnsafeMutablePointer<imgrec_hit>
    ) -> Int {
        thresholds.withUnsafeBufferPointer { thresholds in
            withCodes { queries in
                var block = queries.dropping(block.lowerBound, layout)
                block.thresholds = thresholds.baseAddress!
                block.count = thresholds.count
                return kernel.scan(&block, &rows, rowCount, layout.parts, hits)
            }
        }
    }

    /// The scores of a query with some slots, from their codes.
    func scores(of query: Int, with slots: [Int32], _ memory: SlotMemory, _ kernel: Kernel) -> [Float] {
        var kernel = kernel
        return withCodes { queries in
            slots.map { slot in
                var row = memory.rows(from: Int(slot), isOffering: false)
                return imgrec_score(&kernel, &queries, query, &row, layout.parts)
            }
        }
    }

    private func withCodes<Value>(_ body: (inout imgrec_queries) -> Value) -> Value {
        heads.withUnsafeBufferPointer { heads in
            tails.withUnsafeBufferPointer { tails in
                scales.withUnsafeBufferPointer { scales in
                    margins.withUnsafeBufferPointer { margins in
                        tailLengths.withUnsafeBufferPointer { tailLengths in
                            endLengths.withUnsafeBufferPointer { endLengths in
                                offsets.withUnsafeBufferPointer { offsets in
                                    var queries = imgrec_queries(
                                        heads: heads.baseAddress!, tails: tails.baseAddress!,
                                        scales: scales.baseAddress!, margins: margins.baseAddress!,
                                        tail_lengths: tailLengths.baseAddress!,
                                        end_lengths: endLengths.baseAddress!,
                                        offsets: offsets.baseAddress!, thresholds: nil, count: count)
                                    return body(&queries)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    var blockCount: Int { (count + Self.blockLength - 1) / Self.blockLength }

    func block(_ index: Int) -> Range<Int> {
        let first = index * Self.blockLength
        return first..<min(first + Self.blockLength, count)
    }
}

extension imgrec_queries {
    /// Without the first few.
    fileprivate func dropping(_ first: Int, _ layout: CodeLayout) -> imgrec_queries {
        imgrec_queries(
            heads: heads + first * layout.headLength, tails: tails + first * layout.tailLength,
            scales: scales + first, margins: margins + first, tail_lengths: tail_lengths + first,
            end_lengths: end_lengths + first, offsets: offsets + first, thresholds: thresholds,
            count: count - first)
    }
}
