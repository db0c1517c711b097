import Catalogue
import Files
import Foundation
import Neighbours
import Products
import TestSupport
import Testing

@testable import Reconciling

@Suite("The neighbour table beside its catalogue")
struct RankingTableTests {
    private static let dimension = 12

    /// A shop without photos: products and their vectors, and what the agent makes of them.
    private final class Shop {
        let folder: TemporaryFolder
        let catalogue: Catalogue
        let model: ModelNumber
        var table: RankingTable?
        var count: Int
        var pace = RankingTable.Pace()
        var files: any FileCalls = SystemFiles()
        /// Each product's vector, and the digest that it is stored under.
        var vectors: [ProductID: (digest: ContentDigest, vector: Embedding)] = [:]
        var affected: Set<ProductID> = []
        private var number = 0

        init(count: Int) throws {
            self.count = count
            folder = try TemporaryFolder()
            catalogue = try Catalogue(stateFolder: folder.path)
            model = try catalogue.number(
                of: ModelRecord(
                    identity: ContentDigest(of: [1]), name: "m", precision: "f32", dimension: dimension,
                    recipe: nil))
        }

        static func path(_ product: ProductID) -> ImagePath { ImagePath("\(product.text).jpg")! }

        func put(_ product: ProductID, _ vector: Embedding) throws {
            number += 1
            let digest = ContentDigest(of: Array("\(number)".utf8))
            try catalogue.store(
                images: [
                    ImageRecord(
                        path: Self.path(product), product: product,
                        stamp: FileStamp(bytes: 1, mtimeNanoseconds: 1), state: .ready(digest))
                ], embeddings: [(digest, vector)], model: model)
            vectors[product] = (digest, vector)
            affected.insert(product)
        }

        /// - Parameter removed: products whose photos leave with this ranking.
        func rank(removing removed: [ProductID] = [], isStopping: () -> Bool = { false }) throws {
            let state = try catalogue.rankingState()
            let table = try self.table.take() ?? opened()
            let departures = Departures(removed: removed.map(Self.path))
            let affected = Set(state.unranked).union(removed)
            let update = try table.update(
                affected, isWhole: state.model != model || state.depth != count, without: departures,
                progress: { _, _ in }, isStopping: isStopping)
            try table.commit(update, departures)
            for product in removed { vectors[product] = nil }
            self.table = table
        }

        func opened() throws -> RankingTable {
            try RankingTable(
                catalogue: catalogue, model: model, dimension: dimension, depth: count, threads: 2,
                pace: pace,
                files: files)
        }

        /// That the catalogue's rows are what comparing every pair in full gives.
        func check(_ comment: Comment) throws {
            let all = vectors.map { (product: $0.key, embedding: $0.value.vector) }
            var search = FlatSearch(all.map { ($0.embedding, $0.product) }, count: count)
            search.offer(all, threads: 1)
            #expect(Set(try catalogue.rankedProducts()) == Set(vectors.keys), comment)
            for ((product, _), expected) in zip(all, search.results) {
                #expect(try catalogue.neighbours(of: product) == expected, comment)
            }
        }
    }

    @Test(
        "for any sequence of changes, restarts, interruptions and damage to the vectors file the rows are those from scratch",
        arguments: 0..<200)
    func sequences(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let shop = try Shop(count: Int.random(in: 1...4, using: &random))
        let names = (0..<40).map { ProductID("p\($0)") }
        let distinct = (0..<8).map { _ in random.embedding(dimension: Self.dimension) }
        for step in 0..<10 {
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let name = names.randomElement(using: &random)!
                try shop.put(
                    name,
                    Bool.random(using: &random)
                        ? distinct.randomElement(using: &random)!
                        : random.embedding(dimension: Self.dimension))
            }
            let leaving = shop.vectors.keys.sorted().filter { _ in Int.random(in: 0..<6, using: &random) == 0
            }
            // Stopped half-way, once what was computed is kept, and once it is lost.
            if Int.random(in: 0..<3, using: &random) == 0 {
                var asked = 0
                let end = Int.random(in: 1...3, using: &random)
                // It may be through before it is asked.
                try? shop.rank(isStopping: {
                    asked += 1
                    return asked == end
                })
                guard asked >= end else {
                    try shop.check("seed \(seed) step \(step)")
                    continue
                }
                #expect(shop.table == nil)
            }
            try shop.rank(removing: leaving)
            try shop.check("seed \(seed) step \(step)")
            switch Int.random(in: 0..<6, using: &random) {
            case 0: shop.table = nil
            case 1:
                shop.table = nil
                try damage(shop.folder.path, &random)
            case 2:
                shop.table = nil
                shop.count = Int.random(in: 1...6, using: &random)
            default: break
            }
            shop.pace.sliceLength = Int.random(in: 1...20, using: &random)
            shop.pace.worthKeeping = Bool.random(using: &random) ? .zero : .seconds(5)
            shop.pace.keepingInterval = Bool.random(using: &random) ? .zero : .seconds(60)
        }
    }

    /// Cuts the vectors file off, deletes it, or puts other bytes in it.
    private func damage(_ folder: String, _ random: inout SeededRandom) throws {
        let file = "\(folder)/vectors-1.f32"
        switch Int.random(in: 0..<3, using: &random) {
        case 0: try FileManager.default.removeItem(atPath: file)
        case 1: truncate(file, off_t(Int.random(in: 0..<4000, using: &random)))
        default:
            let handle = try #require(FileHandle(forUpdatingAtPath: file))
            try handle.seek(toOffset: UInt64.random(in: 0..<1000, using: &random))
            try handle.write(contentsOf: Data((0..<200).map { UInt8($0) }))
        }
    }

    @Test(
        "whichever call for the vectors file fails, it is said, and the next ranking makes the rows from scratch",
        arguments: [.errno(ENOSPC), .errno(EDQUOT), .errno(EIO), .errno(EMFILE), .errno(EROFS), .short]
            as [FailingFiles.Fault], [false, true])
    func faults(fault: FailingFiles.Fault, isLasting: Bool) throws {
        var (call, reported) = (0, 0)
        while true {
            call += 1
            var random = SeededRandom(seed: 5)
            let shop = try Shop(count: 3)
            let files = FailingFiles(
                fault, at: call, isLasting: isLasting, of: FailingFiles.kinds(of: fault))
            shop.files = files
            func step(_ body: () throws -> Void) throws {
                do {
                    try body()
                } catch let error as CatalogueError {
                    reported += 1
                    #expect(error.description.contains("vectors-1.f32"))
                    // The disk is mended, and whoever goes on opens what is there.
                    shop.files = SystemFiles()
                    try body()
                }
                try shop.check("call \(call): \(files.injected) failed with \(fault)")
            }
            for number in 0..<12 {
                try shop.put(ProductID("p\(number)"), random.embedding(dimension: Self.dimension))
            }
            try step { try shop.rank() }
            for number in 6..<15 {
                try shop.put(ProductID("p\(number)"), random.embedding(dimension: Self.dimension))
            }
            shop.table = nil  // read from the file again
            try step { try shop.rank(removing: [ProductID("p0"), ProductID("p3")]) }
            if files.injected.isEmpty { break }
        }
        print("vectors, \(fault), lasting \(isLasting): \(call - 1) faults injected, \(reported) reported")
        // What the kernel takes in parts is no trouble; all else is.
        if case .short = fault { #expect(reported == 0) } else { #expect(reported == call - 1) }
        #expect(call > 1)
    }

    @Test("after a restart nothing is computed again, and what was lost of the vectors file is written anew")
    func restart() throws {
        var random = SeededRandom(seed: 1)
        let shop = try Shop(count: 3)
        for number in 0..<200 {
            try shop.put(ProductID("p\(number)"), random.embedding(dimension: Self.dimension))
        }
        try shop.rank()
        shop.table = nil
        var change = try shop.opened().update(
            [], isWhole: false, without: Departures(), progress: { _, _ in }, isStopping: { false })
        #expect(change.changed.isEmpty && change.searchedAgain == 0)
        // As many places as products: pools were kept, rows are not behind.
        let file = "\(shop.folder.path)/vectors-1.f32"
        let before = try #require(FileManager.default.contents(atPath: file))
        truncate(file, off_t(before.count / 2))
        let table = try shop.opened()
        change = try table.update(
            [], isWhole: false, without: Departures(), progress: { _, _ in }, isStopping: { false })
        #expect(change.changed.count >= 100)
        try table.commit(change, Departures())
        try shop.check("after half of the file was lost")
        #expect(try #require(FileManager.default.contents(atPath: file)).count == before.count)
    }

    @Test("slots that most products have left are given up at the next start")
    func slots() throws {
        var random = SeededRandom(seed: 3)
        let shop = try Shop(count: 3)
        let products = (0..<60).map { ProductID("p\($0)") }
        for product in products { try shop.put(product, random.embedding(dimension: Self.dimension)) }
        try shop.rank()
        try shop.rank(removing: products.filter { Int($0.text.dropFirst())! % 6 > 0 })
        for (emptySlots, slots) in [(60, 57), (0, 10)] {
            shop.table = nil
            shop.pace.emptySlotsAtMost = emptySlots
            try shop.rank()
            try shop.check("with \(emptySlots)")
            #expect(try shop.catalogue.poolExtent(of: shop.model) == (10, slots))
        }
    }

    @Test("a long computation that was interrupted goes on where it was")
    func resumed() throws {
        var random = SeededRandom(seed: 2)
        let shop = try Shop(count: 3)
        for number in 0..<300 {
            try shop.put(ProductID("p\(number)"), random.embedding(dimension: Self.dimension))
        }
        let table = try RankingTable(
            catalogue: shop.catalogue, model: shop.model, dimension: Self.dimension, depth: 3, threads: 2,
            pace: RankingTable.Pace(sliceLength: 50, keepingInterval: .zero, worthKeeping: .zero))
        var asked = 0
        #expect(throws: ReconcileError.self) {
            try table.update(
                shop.affected, isWhole: true, without: Departures(), progress: { _, _ in },
                isStopping: {
                    asked += 1
                    return asked == 4
                })
        }
        #expect(try shop.catalogue.rankedProducts().isEmpty)
        let kept = try shop.opened()
        #expect(kept.productCount == 200)
        // A product of those has another vector by now, and one has left.
        try shop.put(ProductID("p0"), random.embedding(dimension: Self.dimension))
        try shop.put(ProductID("p1"), random.embedding(dimension: Self.dimension))
        var lookedUp = 0
        let departures = Departures(removed: [Shop.path(ProductID("p2"))])
        let change = try kept.update(
            shop.affected, isWhole: true, without: departures, progress: { lookedUp = max(lookedUp, $1) },
            isStopping: { false })
        #expect(lookedUp == 102)
        try kept.commit(change, departures)
        shop.vectors[ProductID("p2")] = nil
        try shop.check("after it went on")
        #expect(try shop.catalogue.rankingState().unranked.isEmpty)
    }

    @Test("a ranking that fails while it is written leaves rows as they were, and the next one is true")
    func failedWriting() throws {
        var random = SeededRandom(seed: 3)
        let shop = try Shop(count: 3)
        for number in 0..<30 {
            try shop.put(ProductID("p\(number)"), random.embedding(dimension: Self.dimension))
        }
        try shop.rank()
        let taken = shop.table.take()
        let table = try #require(taken)
        for number in 20..<40 {
            try shop.put(ProductID("p\(number)"), random.embedding(dimension: Self.dimension))
        }
        let before = try shop.catalogue.neighbours(of: ProductID("p0"))
        let change = try table.update(
            shop.affected, isWhole: false, without: Departures(), progress: { _, _ in }, isStopping: { false }
        )
        #expect(throws: ReconcileError.stopped) {
            try table.commit(change, Departures(), isStopping: { true })
        }
        #expect(try shop.catalogue.neighbours(of: ProductID("p0")) == before)
        #expect(try shop.catalogue.rankedProductCount() == 30)
        try shop.rank()
        try shop.check("after it failed")
    }

    @Test(
        "the vectors file of a model that is gone is removed with it, and one that is left over is not believed"
    )
    func otherModels() throws {
        var random = SeededRandom(seed: 4)
        let shop = try Shop(count: 3)
        for number in 0..<30 {
            try shop.put(ProductID("p\(number)"), random.embedding(dimension: Self.dimension))
        }
        let leftOver = "\(shop.folder.path)/vectors-1.f32"
        try Data(repeating: 7, count: 5000).write(to: URL(fileURLWithPath: leftOver))
        try shop.rank()
        try shop.check("beside a file of another time")
        let other = "\(shop.folder.path)/vectors-9.f32"
        try Data(repeating: 7, count: 5000).write(to: URL(fileURLWithPath: other))
        _ = try shop.catalogue.prune()
        #expect(!FileManager.default.fileExists(atPath: other))
        #expect(FileManager.default.fileExists(atPath: leftOver))
    }
}
