import CNeighbourKernels
import Foundation
import Products
import TestSupport
import Testing

@testable import Neighbours

@Suite("The kernels")
struct KernelTests {
    private static var kernels: [imgrec_kernel] {
        var first: UnsafePointer<imgrec_kernel>?
        let count = imgrec_kernels(&first)
        return Array(UnsafeBufferPointer(start: first, count: count))
    }

    /// The elements that a kernel may add up in 16 bits.
    private static func group(_ lane: Int) -> [Int] {
        (0..<4).flatMap { (step: Int) -> [Int] in [32 * step + 2 * lane, 32 * step + 2 * lane + 1] }
    }

    private static func name(_ kernel: imgrec_kernel) -> String { String(cString: kernel.name) }

    private static func sayNotTested(_ kernel: imgrec_kernel) {
        print("NOT TESTED HERE: the kernel \(name(kernel)), for this CPU does not run it")
    }

    @Test(
        "every kernel gives the integers that the definition gives, at the limits of the codes too",
        arguments: 0..<kernels.count)
    func integers(index: Int) throws {
        let kernel = Self.kernels[index]
        guard kernel.is_supported != 0 else {
            Self.sayNotTested(kernel)
            return
        }
        var random = SeededRandom(seed: 31)
        for length in [128, 256, 1280, 4096] {
            for rowCount in [1, 2, 3, 4, 5, 16] {
                for kind in 0..<4 {
                    let query = (0..<length).map { _ in
                        kind == 0 ? 127 : kind == 1 ? 1 : UInt8.random(in: 1...127, using: &random)
                    }
                    // The largest sums that a group of eight may have, all of one sign, at random places.
                    var rows = [Int8](repeating: 0, count: rowCount * length)
                    for row in 0..<rowCount {
                        for block in stride(from: 0, to: length, by: 128) {
                            for lane in 0..<16 {
                                var room = Int(IMGREC_GROUP_LIMIT)
                                let places = Self.group(lane)
                                for place in places.shuffled(using: &random) {
                                    let size = min(
                                        room, Int.random(in: 0...127, using: &random) | (kind < 2 ? 127 : 0))
                                    room -= size
                                    let sign = kind == 3 && Bool.random(using: &random) ? -1 : 1
                                    rows[row * length + block + place] = Int8(kind == 1 ? -size : sign * size)
                                }
                            }
                        }
                    }
                    var results = [Int32](repeating: 0, count: rowCount)
                    kernel.dots(query, rows, rowCount, length, length, &results)
                    let expected = (0..<rowCount).map { row -> Int32 in
                        var sum = 0
                        for place in 0..<length { sum += Int(query[place]) * Int(rows[row * length + place]) }
                        return Int32(sum)
                    }
                    #expect(results == expected, "\(Self.name(kernel)), \(rowCount) rows of \(length)")
                }
            }
        }
    }

    @Test("the kernel for aarch64 compiles")
    func neon() throws {
        let clang = Process()
        clang.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        clang.arguments = [
            "clang", "--target=aarch64-linux-gnu", "-std=c17", "-O2", "-ffreestanding", "-Wall", "-Wextra",
            "-Werror",
            "-fsyntax-only", "-I\(Repository.root)/Sources/CNeighbourKernels/include",
            "\(Repository.root)/Sources/CNeighbourKernels/kernels_neon.c",
        ]
        try clang.run()
        clang.waitUntilExit()
        #expect(clang.terminationStatus == 0)
    }

    @Test("the fastest kernel that the CPU has is taken")
    func best() {
        let best = Self.kernels.last { $0.is_supported != 0 }!
        #expect(Self.name(imgrec_best_kernel()) == Self.name(best))
        #expect(Self.kernels[0].is_supported != 0)
    }

    /// Vectors of many shapes: smooth, spiky, flat, sparse, with one large element, with tiny ones.
    private func vector(_ dimension: Int, _ random: inout SeededRandom) -> Embedding {
        let kind = Int.random(in: 0..<6, using: &random)
        let spot = Int.random(in: 0..<dimension, using: &random)
        let values: [Float] = (0..<dimension).map { index in
            let value = Float.random(in: -1...1, using: &random)
            switch kind {
            case 0: return value
            case 1: return value * value * value * value * value
            case 2: return 1 + value / 100
            case 3: return Int.random(in: 0..<20, using: &random) == 0 ? abs(value) : 0
            case 4: return index == spot ? 1 : value / 1000
            default:
                let exponent = Int.random(in: -100...0, using: &random)
                return value * Float(sign: .plus, exponent: exponent, significand: 1)
            }
        }
        return (try? Embedding(normalizing: values)) ?? random.embedding(dimension: dimension)
    }

    @Test(
        "codes keep to their ranges, and the group of eight to its limit",
        arguments: [3, 127, 128, 300, 1280])
    func ranges(dimension: Int) {
        var random = SeededRandom(seed: 5)
        for _ in 0..<400 {
            let vector = vector(dimension, &random)
            let layout = CodeLayout(
                dimension: dimension, sample: Bool.random(using: &random) ? [] : vector.values,
                rowLength: dimension)
            var room = layout.room
            layout.arrange(vector.values, into: &room)
            #expect(room.reduce(0) { $0 + abs($1) } - vector.values.reduce(0) { $0 + abs($1) } < 1e-4)
            #expect(Set(room.map(\.bitPattern)).isSuperset(of: vector.values.map(\.bitPattern)))
            var row = [Int8](repeating: 99, count: room.count)
            let code = Self.encodeRow(room, layout, &row)
            #expect(row.allSatisfy { $0 >= -127 })
            let sum = Int(code.head_sum) + Int(code.middle_sum) + Int(code.end_sum)
            #expect(sum == row.reduce(0) { $0 + Int($1) })
            for block in stride(from: 0, to: room.count, by: 128) {
                for lane in 0..<16 {
                    let sum = Self.group(lane).reduce(0) { $0 + abs(Int(row[block + $1])) }
                    #expect(sum <= Int(IMGREC_GROUP_LIMIT))
                }
            }
            var query = [UInt8](repeating: 0, count: room.count)
            let offset = Self.encodeQuery(room, layout, &query).offset
            #expect(query.allSatisfy { $0 <= 127 })
            // All of the range is used: what is not negative needs no offset.
            #expect(room.min()! < 0 ? query.min() == 0 : offset == 0)
            #expect(max(Int32(query.max()!), offset) >= 126)
        }
    }

    private static func encodeRow(_ vector: [Float], _ layout: CodeLayout, _ codes: inout [Int8])
        -> imgrec_code
    {
        codes.withUnsafeMutableBufferPointer {
            imgrec_encode_row(vector, layout.parts, $0.baseAddress!, $0.baseAddress! + layout.headLength)
        }
    }

    private static func encodeQuery(_ vector: [Float], _ layout: CodeLayout, _ codes: inout [UInt8])
        -> imgrec_code
    {
        codes.withUnsafeMutableBufferPointer {
            imgrec_encode_query(vector, layout.parts, $0.baseAddress!, $0.baseAddress! + layout.headLength)
        }
    }

    @Test(
        "a score from codes is never further from the exact score than the margins say, nor above the bounds of its parts",
        arguments: [3, 100, 300, 1280, 4096])
    func margins(dimension: Int) {
        var random = SeededRandom(seed: 77)
        let rowLength = ExactScores.rowLength(ofDimension: dimension)
        var used = 0.0
        let kernel = imgrec_best_kernel()
        for _ in 0..<(dimension > 1000 ? 300 : 2000) {
            let a = vector(dimension, &random)
            // Near each other too, as neighbours are.
            let mix = Float.random(in: 0...1, using: &random)
            let other = vector(dimension, &random)
            let b =
                (try? Embedding(normalizing: zip(a.values, other.values).map { $0 * mix + $1 * (1 - mix) }))
                ?? other
            let layout = CodeLayout(dimension: dimension, sample: a.values, rowLength: dimension)
            var (left, right) = (layout.room, layout.room)
            layout.arrange(a.values, into: &left)
            layout.arrange(b.values, into: &right)
            var (query, row) = (
                [UInt8](repeating: 0, count: left.count), [Int8](repeating: 0, count: left.count)
            )
            let queryCode = Self.encodeQuery(left, layout, &query)
            let rowCode = Self.encodeRow(right, layout, &row)
            let parts = layout.parts
            func product(_ length: Int) -> Int32 {
                var product: Int32 = 0
                kernel.dots(query, row, 1, length, length, &product)
                return product
            }
            let scale = queryCode.scale * rowCode.scale
            func value(_ length: Int, _ sum: Int32) -> Float {
                Float(product(length) - queryCode.offset * sum) * scale
            }
            let head = value(parts.head, rowCode.head_sum)
            let middle = value(parts.head + parts.middle, rowCode.head_sum + rowCode.middle_sum)
            let score = value(left.count, rowCode.head_sum + rowCode.middle_sum + rowCode.end_sum)
            var exact: Float = 0
            imgrec_dot_rows(
                ExactScores.rows([a], rowLength: rowLength), ExactScores.rows([b], rowLength: rowLength), 1,
                rowLength, &exact)
            let margin = queryCode.margin + rowCode.margin
            #expect(abs(score - exact) <= margin)
            #expect(exact <= head + queryCode.tail_length * rowCode.tail_length + margin)
            #expect(exact <= middle + queryCode.end_length * rowCode.end_length + margin)
            used = max(used, Double(abs(score - exact) / margin))
        }
        // Margins of which not a twentieth is ever used would be too wide to be of use.
        #expect(used > 0.05)
    }

    @Test(
        "a scan reports the pairs that reach a threshold, for the query or for the row, and no others",
        arguments: 0..<kernels.count)
    func hits(index: Int) throws {
        let kernel = Self.kernels[index]
        guard kernel.is_supported != 0 else {
            Self.sayNotTested(kernel)
            return
        }
        var random = SeededRandom(seed: 12)
        // Head, middle and end; then head and middle; then a head alone.
        for dimension in [640, 256, 100] {
            for (queryCount, rowCount) in [(1, 1), (3, 16), (7, 45), (128, 31), (128, 64)] {
                let near = random.embedding(dimension: dimension)
                let vectors = (0..<queryCount + rowCount).map { _ -> [Float] in
                    // Some near each other, so that some pairs stay open for long.
                    guard Bool.random(using: &random) else { return vector(dimension, &random).values }
                    let other = random.embedding(dimension: dimension).values
                    let mixed = zip(near.values, other).map { $0 + 0.4 * $1 }
                    return try! Embedding(normalizing: mixed).values
                }
                let layout = CodeLayout(
                    dimension: dimension, sample: vectors.flatMap { $0 }, rowLength: dimension)
                let rowLength = ExactScores.rowLength(ofDimension: dimension)
                let queries = QueryBatch(
                    rows: vectors[..<queryCount].flatMap {
                        $0 + [Float](repeating: 0, count: rowLength - dimension)
                    },
                    slots: [], rowLength: rowLength, layout: layout, threads: 1)
                let memory = SlotMemory(layout: layout, depth: 1)
                var room = layout.room
                for vector in vectors[queryCount...] { memory.encode(vector, to: memory.addSlot(), &room) }
                for isOffering in [false, true] {
                    // All, none, and some.
                    for level: Float in [-3, 3, 0.1, 0.5] {
                        let thresholds = (0..<queryCount).map { _ in
                            level + Float.random(in: -0.2...0.2, using: &random)
                        }
                        var rows = memory.rows(from: 0, isOffering: isOffering)
                        for row in 0..<rowCount {
                            memory.segments[0].thresholds[row] =
                                level + Float.random(in: -0.2...0.2, using: &random)
                        }
                        let found = UnsafeMutablePointer<imgrec_hit>.allocate(
                            capacity: queryCount * rowCount)
                        defer { found.deallocate() }
                        let count = queries.scan(
                            0..<queryCount, thresholds, &rows, rowCount, kernel, found)
                        var hits: [[Int]: Int] = [:]
                        for hit in UnsafeBufferPointer(start: found, count: count) {
                            hits[[Int(hit.query), Int(hit.row)]] = Int(hit.whom)
                        }
                        #expect(hits.count == count)
                        var expected: [[Int]: Int] = [:]
                        for query in 0..<queryCount {
                            let scores = queries.scores(
                                of: query, with: (0..<rowCount).map(Int32.init), memory, kernel)
                            for (row, score) in scores.enumerated() {
                                var whom = 0
                                if score + memory.margin(of: row) >= thresholds[query] {
                                    whom |= IMGREC_FOR_QUERY
                                }
                                let threshold = memory.segments[0].thresholds[row]
                                if isOffering, score + queries.margins[query] >= threshold {
                                    whom |= IMGREC_FOR_ROW
                                }
                                if whom != 0 { expected[[query, row]] = whom }
                            }
                        }
                        #expect(
                            hits == expected,
                            "\(Self.name(kernel)) \(dimension) \(queryCount) x \(rowCount) at \(level)")
                    }
                }
            }
        }
    }

    @Test("every kernel finds the same pairs as the portable one", arguments: 1..<max(2, kernels.count))
    func scans(index: Int) throws {
        guard index < Self.kernels.count, Self.kernels[index].is_supported != 0 else {
            if index < Self.kernels.count { Self.sayNotTested(Self.kernels[index]) }
            return
        }
        for (dimension, count) in [(20, 90), (700, 300), (1280, 130)] {
            var tables: [[ProductID: [Neighbour]]] = []
            for kernel in [Self.kernels[0], Self.kernels[index]] {
                var random = SeededRandom(seed: 41)
                let vectors = random.vectors(count: count, dimension: dimension)
                var limits = NeighbourTable.Limits()
                (limits.kernel, limits.batch) = (kernel, 50)
                let table = NeighbourTable(
                    dimension: dimension, count: 3, store: VectorsInMemory(dimension: dimension),
                    limits: limits)
                try table.update(vectors.map { ($0.key, $0.value) }, threads: 2)
                tables.append(rows(table))
            }
            #expect(tables[0] == tables[1])
        }
    }

    @Test("scores of pairs have the bits of scores of rows")
    func pairs() {
        var random = SeededRandom(seed: 3)
        let rows = (0..<7).map { _ in random.embedding(dimension: 1280).values }
        let matrix = rows.flatMap { $0 }
        for row in rows {
            var byRows = [Float](repeating: 0, count: 7)
            var byPairs = byRows
            imgrec_dot_rows(row, matrix, 7, 1280, &byRows)
            matrix.withUnsafeBufferPointer { matrix in
                row.withUnsafeBufferPointer { row in
                    let left: [UnsafePointer<Float>?] = (0..<7).map { _ in row.baseAddress! }
                    let right: [UnsafePointer<Float>?] = (0..<7).map { matrix.baseAddress! + $0 * 1280 }
                    imgrec_dot_pairs(left, right, 7, 1280, &byPairs)
                }
            }
            #expect(byRows.map(\.bitPattern) == byPairs.map(\.bitPattern))
        }
    }

    @Test("the n-th largest of values is where sorting puts it")
    func selection() {
        var random = SeededRandom(seed: 13)
        for count in 1..<80 {
            let values = (0..<count).map { _ in Float(Int.random(in: 0..<max(1, count / 2), using: &random)) }
            let sorted = values.sorted(by: >)
            for n in 1...count {
                var copy = values
                #expect(nthLargest(n, of: &copy) == sorted[n - 1])
            }
        }
    }
}
