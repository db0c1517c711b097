import Catalogue
import Foundation
import Neighbours
import Products
import Reconciling

// Measures the neighbour table as the agent has it: with a catalogue and a vectors file. Scripts/bench_neighbours.py
// calls it beside FAISS, and prints and draws what it says. Each command prints one JSON object.
//
//   usage: NeighbourBenchmark compute STATE VECTORS COUNT K [ROWS]  from scratch, without a catalogue; writes the
//                                                                   neighbours' numbers to ROWS
//          NeighbourBenchmark build STATE VECTORS COUNT K           the same with a catalogue
//          NeighbourBenchmark seed STATE VECTORS COUNT K CLUSTERS   a state whose products have their neighbours in
//                                                                   their own of CLUSTERS parts of the vectors
//          NeighbourBenchmark start STATE K                         open a state as a start does
//          NeighbourBenchmark change STATE VECTORS K TIMES CHANGES  products that come and go, one at a time, a random
//                                                                   day of changes, and a thousand that come at once
//
// VECTORS: float32, 1280 to a row. More rows than COUNT are those that come.

let dimension = 1280
let threads = ProcessInfo.processInfo.activeProcessorCount
let arguments = Array(CommandLine.arguments.dropFirst())

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("NeighbourBenchmark: \(message)\n".utf8))
    exit(64)
}

func report(_ values: KeyValuePairs<String, Double>) {
    print(
        "{" + values.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}")
}

func seconds(_ body: () throws -> Void) rethrows -> Double {
    try ContinuousClock().measure(body).seconds
}

/// Memory that the process has of its own, and with what it shares with files, in bytes.
func memory() -> (own: Double, resident: Double) {
    let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    func value(_ name: String) -> Double {
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") } ?? ""
        return Double(line.split(whereSeparator: { !$0.isNumber }).first ?? "") ?? .nan
    }
    return (value("RssAnon") * 1024, value("VmRSS") * 1024)
}

/// The benchmark's vectors, read as they are asked for.
struct Vectors {
    let file: FileHandle

    init(_ path: String) {
        guard let file = FileHandle(forReadingAtPath: path) else { fail("\(path) cannot be read") }
        self.file = file
    }

    subscript(range: Range<Int>) -> [Embedding] {
        let bytesPerRow = dimension * 4
        guard (try? file.seek(toOffset: UInt64(range.lowerBound * bytesPerRow))) != nil,
            let data = try? file.read(upToCount: range.count * bytesPerRow),
            data.count == range.count * bytesPerRow
        else { fail("there are fewer than \(range.upperBound) vectors") }
        return (0..<range.count).map { index in
            guard
                let vector = Embedding(
                    littleEndianBytes: data[index * bytesPerRow..<(index + 1) * bytesPerRow])
            else { fail("vector \(range.lowerBound + index) is not of unit length") }
            return vector
        }
    }
}

func product(_ number: Int) -> ProductID { ProductID("category-\(number % 10)/product-\(number)") }
func number(_ product: ProductID) -> Int { Int(product.text.split(separator: "-").last!)! }

func image(_ number: Int, digest: ContentDigest) -> ImageRecord {
    ImageRecord(
        path: ImagePath("category-\(number % 10)/product-\(number).jpg")!, product: product(number),
        stamp: FileStamp(bytes: 1, mtimeNanoseconds: 1), state: .ready(digest))
}

func digest(_ number: Int, version: Int = 0) -> ContentDigest {
    ContentDigest(of: Array("\(number)/\(version)".utf8))
}

struct State {
    let catalogue: Catalogue
    let model: ModelNumber

    init(_ folder: String) throws {
        catalogue = try Catalogue(stateFolder: folder)
        model = try catalogue.number(
            of: ModelRecord(
                identity: ContentDigest(of: [1]), name: "benchmark", precision: "f32", dimension: dimension,
                recipe: nil))
    }

    func table(count: Int) throws -> RankingTable {
        try RankingTable(
            catalogue: catalogue, model: model, dimension: dimension, depth: count, threads: threads)
    }

    func store(_ numbers: Range<Int>, _ vectors: Vectors) throws {
        for first in stride(from: numbers.lowerBound, to: numbers.upperBound, by: 4096) {
            let part = first..<min(first + 4096, numbers.upperBound)
            try catalogue.store(
                images: part.map { image($0, digest: digest($0)) },
                embeddings: zip(part, vectors[part]).map { (digest($0), $1) }, model: model)
        }
    }

    /// What the agent does with changes: the table, then the rows, in one transaction.
    func update(
        _ table: RankingTable, _ affected: Set<ProductID>, _ departures: Departures = Departures(),
        isWhole: Bool = false
    ) throws -> (table: Double, rows: Double, searched: Int) {
        var change: RankingTable.Update?
        let computing = try seconds {
            change = try table.update(
                affected, isWhole: isWhole, without: departures, progress: { _, _ in },
                isStopping: { false })
        }
        let writing = try seconds {
            try table.commit(change!, departures)
        }
        return (computing, writing, change!.searchedAgain)
    }
}

func build(_ folder: String, _ vectors: Vectors, _ count: Int, _ k: Int) throws {
    let state = try State(folder)
    try state.store(0..<count, vectors)
    let table = try state.table(count: k)
    let (computing, writing, _) = try state.update(
        table, Set((0..<count).map(product)), isWhole: true)
    let memory = memory()
    report(["computing": computing, "writing": writing, "own": memory.own, "resident": memory.resident])
}

/// From scratch without a catalogue: vectors in, table out.
func compute(_ folder: String, _ vectors: Vectors, _ count: Int, _ k: Int, rows: String?) throws {
    let state = try State(folder)
    let store = try VectorFile(stateFolder: folder, model: state.model, dimension: dimension)
    let table = NeighbourTable(dimension: dimension, count: k, store: store)
    var computing = 0.0
    for first in stride(from: 0, to: count, by: 8192) {
        let part = first..<min(first + 8192, count)
        let coming = zip(part, vectors[part]).map { (product: product($0), embedding: Optional($1)) }
        computing += try seconds { try table.update(coming, threads: threads) }
    }
    let memory = memory()
    if let rows {
        var numbers = Data()
        for index in 0..<count {
            for neighbour in table.neighbours(of: product(index))! {
                withUnsafeBytes(of: Int32(number(neighbour.product))) { numbers.append(contentsOf: $0) }
            }
        }
        try numbers.write(to: URL(fileURLWithPath: rows))
    }
    report(["computing": computing, "own": memory.own, "resident": memory.resident])
}

func start(_ folder: String, _ k: Int) throws {
    let before = memory().own
    let state = try State(folder)
    var table: RankingTable?
    let opening = try seconds { table = try state.table(count: k) }
    report([
        "seconds": opening, "products": Double(table!.productCount), "own": memory().own - before,
        "table": Double(table!.bytes),
    ])
}

/// Products that come one at a time, products that leave one at a time, and a random day of changes.
func change(_ folder: String, _ vectors: Vectors, _ k: Int, _ times: Int, _ changes: Int) throws {
    let state = try State(folder)
    let table = try state.table(count: k)
    let count = table.productCount
    var version = 0
    func coming(_ number: Int, _ vector: Embedding) throws {
        version += 1
        let digest = digest(number, version: version)
        try state.catalogue.store(
            images: [image(number, digest: digest)], embeddings: [(digest, vector)], model: state.model)
    }
    var (tables, rows, removals, removalRows) = ([Double](), [Double](), [Double](), [Double]())
    for number in count..<count + times {
        try coming(number, vectors[number..<number + 1][0])
        let spent = try state.update(table, [product(number)])
        tables.append(spent.table)
        rows.append(spent.rows)
    }
    for number in count..<count + times {
        let spent = try state.update(
            table, [product(number)], Departures(removed: [image(number, digest: digest(number)).path]))
        guard spent.searched == 0 else { continue }
        removals.append(spent.table)
        removalRows.append(spent.rows)
    }
    // A day: a third comes, a third changes, a third leaves.
    var random = SystemRandomNumberGenerator()
    var present = Array(0..<count)
    var next = count + times
    var (searchedChanges, leaving, searchedRows, day) = (0, 0, 0, 0.0)
    for change in 0..<changes {
        let place = present.indices.randomElement(using: &random)!
        var number = present[place]
        var departures = Departures()
        if change % 3 == 2 {
            present.swapAt(place, present.count - 1)
            present.removeLast()
            departures.removed = [image(number, digest: digest(number)).path]
        } else {
            if change % 3 == 0 {
                number = next
                present.append(number)
            }
            try coming(number, vectors[next..<next + 1][0])
            next += 1
        }
        let spent = try state.update(table, [product(number)], departures)
        day += spent.table + spent.rows
        guard change % 3 != 0 else { continue }
        leaving += 1
        searchedChanges += spent.searched > 0 ? 1 : 0
        searchedRows += spent.searched
    }
    // Many at once: what a computation from scratch does, at its end.
    let batch = next..<next + batchLength
    for (number, vector) in zip(batch, vectors[batch]) { try coming(number, vector) }
    let spent = try state.update(table, Set(batch.map(product)))
    report([
        "products": Double(count), "insert": median(tables), "insert_rows": median(rows),
        "removal": median(removals), "removal_rows": median(removalRows), "day": day,
        "changes": Double(changes), "leaving": Double(leaving), "searched_changes": Double(searchedChanges),
        "searched_rows": Double(searchedRows), "batch": spent.table, "batch_length": Double(batchLength),
    ])
}

let batchLength = 1000

/// Some slots in a row of a table's vectors file, as the store of a table of its own.
struct Part: VectorStore {
    let whole: VectorFile
    let first: Int

    func read(_ slots: Range<Int>, into rows: inout [Float], at place: Int) throws {
        try whole.read(first + slots.lowerBound..<first + slots.upperBound, into: &rows, at: place)
    }

    func write(_ vector: Embedding, to slot: Int) throws { try whole.write(vector, to: first + slot) }

    var rowLength: Int { whole.rowLength }
}

/// A state with the pools of products whose neighbours are known to be of their cluster, so that a large one need not
/// be computed. It has no neighbour rows.
func seed(_ folder: String, _ vectors: Vectors, _ count: Int, _ k: Int, _ clusters: Int) throws {
    let state = try State(folder)
    let store = try VectorFile(stateFolder: folder, model: state.model, dimension: dimension)
    let length = count / clusters
    let spent = try seconds {
        for first in stride(from: 0, to: count, by: length) {
            let numbers = first..<min(first + length, count)
            let table = NeighbourTable(
                dimension: dimension, count: k, store: Part(whole: store, first: first))
            try table.update(
                zip(numbers, vectors[numbers]).map { (product: product($0), embedding: Optional($1)) },
                threads: threads)
            try state.catalogue.keep(freed: [], of: state.model) { keep in
                for number in numbers {
                    let pool = table.pool(ofSlot: number - first)!
                    try keep(
                        KeptPool(
                            pool: NeighbourPool(
                                slot: number, product: product(number),
                                entries: pool.entries.map {
                                    PoolEntry(slot: $0.slot + Int32(first), score: $0.score)
                                }), digest: store.takeDigest(ofSlot: number)))
                }
            }
        }
    }
    try state.catalogue.rank(Departures(), model: state.model, depth: k, changing: 0) { _ in }
    report(["seconds": spent])
}

func median(_ values: [Double]) -> Double { values.isEmpty ? .nan : values.sorted()[values.count / 2] }

switch (arguments.first, arguments.count) {
case ("change", 6):
    try change(
        arguments[1], Vectors(arguments[2]), Int(arguments[3])!, Int(arguments[4])!, Int(arguments[5])!)
case ("build", 5):
    try build(arguments[1], Vectors(arguments[2]), Int(arguments[3])!, Int(arguments[4])!)
case ("seed", 6):
    try seed(
        arguments[1], Vectors(arguments[2]), Int(arguments[3])!, Int(arguments[4])!, Int(arguments[5])!)
case ("compute", 5), ("compute", 6):
    try compute(
        arguments[1], Vectors(arguments[2]), Int(arguments[3])!, Int(arguments[4])!,
        rows: arguments.count > 5 ? arguments[5] : nil)
case ("start", 3):
    try start(arguments[1], Int(arguments[2])!)
default: fail("see the head of Tests/NeighbourBenchmark/main.swift")
}
