import Foundation
import Products
import Settings
import Synchronization
import TestSupport
import Testing
import Watching

@testable import Reconciling

@Suite("Rounds of the reconciler")
struct ReconcilerTests {
    private let folder: TemporaryFolder
    private let reconciler: Reconciler
    private let manager = FileManager.default
    private let count = 12

    init() throws {
        folder = try TemporaryFolder()
        try manager.createDirectory(atPath: "\(folder.path)/photos/old", withIntermediateDirectories: true)
        for number in 1...count {
            try manager.copyItem(
                atPath: "\(Repository.catalogue)/bird/bird-\(String(format: "%03d", number)).jpg",
                toPath: "\(folder.path)/photos/old/\(number).jpg")
        }
        let settings = try Settings(
            """
            [images]
            folder = "photos"
            [output]
            folder = "out"
            [state]
            folder = "state"
            [model]
            folder = "\(Repository.models)"
            """, file: "\(folder.path)/shop.toml")
        reconciler = try Reconciler(settings: settings, executable: Repository.agent)
    }

    private func published() -> [String] {
        (manager.enumerator(atPath: "\(folder.path)/out/products")?.allObjects as? [String] ?? [])
            .filter { $0.hasSuffix(".json") }.sorted()
    }

    /// Options for a round that begins only so many photos.
    private func beginning(_ limit: Int) -> Round.Options {
        let begun = Atomic(0)
        var options = Round.Options()
        options.isOver = { begun.add(1, ordering: .relaxed).newValue > limit }
        return options
    }

    @Test("a move that takes many rounds leaves no gap, trips no brake, and embeds nothing again")
    func move() throws {
        _ = try reconciler.round(.everything, Round.Options())
        #expect(published().count == count)
        #expect(rename("\(folder.path)/photos/old", "\(folder.path)/photos/new") == 0)

        var round = try reconciler.round(.everything, beginning(3))
        var rounds = 1
        while true {
            #expect(round.report.heldBack == 0 && round.report.embedded == 0 && round.isPublished)
            #expect(published().count == count)
            guard !round.left.isEmpty else { break }
            round = try reconciler.round(.places(round.left), beginning(3))
            rounds += 1
        }
        #expect(rounds > 2)
        #expect(published() == (1...count).map { "new/\($0).json" }.sorted())
    }

    @Test("what a deferred photo may be the new name of is kept until the photo is read")
    func deferred() throws {
        _ = try reconciler.round(.everything, Round.Options())
        #expect(rename("\(folder.path)/photos/old/1.jpg", "\(folder.path)/photos/new.jpg") == 0)
        var options = Round.Options()
        options.deferral.unfinished = [ImagePath("new.jpg")!]
        let round = try reconciler.round(.everything, options)
        #expect(round.deferred.map(\.path.text) == ["new.jpg", "old/1.jpg"])
        #expect(published().contains("old/1.json") && !published().contains("new.json"))
        _ = try reconciler.round(.places(round.deferred.map(\.path)), Round.Options())
        #expect(!published().contains("old/1.json") && published().contains("new.json"))
    }

    @Test(
        "what vanishes bit by bit is held back as what vanishes at once, and a confirmation is for all of it")
    func bitByBit() throws {
        _ = try reconciler.round(.everything, Round.Options())
        func remove(_ number: Int) throws -> Round {
            try manager.removeItem(atPath: "\(folder.path)/photos/old/\(number).jpg")
            return try reconciler.round(.places([ImagePath("old/\(number).jpg")!]), Round.Options())
        }
        for number in 1...6 { #expect(try remove(number).report.heldBack == 0) }
        let held = try remove(7)
        #expect(held.report.heldBack == 1 && held.report.removed == 0 && held.changes.isEmpty)
        #expect(published().count == 6)
        let confirmed = try reconciler.round(.everything, Round.Options(allowsMassRemoval: true))
        #expect(confirmed.report.heldBack == 0 && published().count == 5)
        #expect(try remove(8).report.heldBack == 0)
        #expect(published().count == 4)
    }

    @Test("what went and came back does not count against what goes next")
    func comesBack() throws {
        _ = try reconciler.round(.everything, Round.Options())
        let place = [ImagePath("old")!]
        for _ in 0..<3 {
            // Five of twelve go and come back, again and again.
            for number in 1...5 {
                #expect(
                    rename(
                        "\(folder.path)/photos/old/\(number).jpg", "\(folder.path)/\(number).jpg") == 0)
            }
            #expect(try reconciler.round(.places(place), Round.Options()).report.heldBack == 0)
            #expect(published().count == 7)
            for number in 1...5 {
                #expect(
                    rename(
                        "\(folder.path)/\(number).jpg", "\(folder.path)/photos/old/\(number).jpg") == 0)
            }
            #expect(try reconciler.round(.places(place), Round.Options()).report.heldBack == 0)
            #expect(published().count == 12)
        }
    }
}

@Suite("Which files are written")
struct DueTests {
    private let folder: TemporaryFolder
    private let manager = FileManager.default
    private static let count = 24

    init() throws {
        folder = try TemporaryFolder()
        try manager.createDirectory(atPath: "\(folder.path)/photos", withIntermediateDirectories: true)
        for number in 0..<Self.count { try add(number) }
    }

    private func add(_ number: Int) throws {
        let category = ["bird", "flower"][number % 2]
        try manager.copyItem(
            atPath:
                "\(Repository.catalogue)/\(category)/\(category)-\(String(format: "%03d", number / 2 + 1)).jpg",
            toPath: "\(folder.path)/photos/\(number).jpg")
    }

    private func writeTable(_ prices: [Int: Int]) throws {
        let lines = prices.sorted { $0.key < $1.key }.map { "\($0.key),\($0.value)" }
        try folder.write("table.csv", Array((["product,price"] + lines).joined(separator: "\n").utf8))
    }

    private func files() throws -> [String: Data] {
        let names = try manager.contentsOfDirectory(atPath: "\(folder.path)/out/products")
        return Dictionary(
            uniqueKeysWithValues: names.map {
                ($0, manager.contents(atPath: "\(folder.path)/out/products/\($0)")!)
            })
    }

    private func reconciler(_ output: String = "") throws -> Reconciler {
        let settings = try Settings(
            """
            [images]
            folder = "photos"
            mass_removal_limit = 1
            [output]
            folder = "out"
            attributes = "table.csv"
            fields = ["digests"]
            \(output)
            [state]
            folder = "state"
            [recommendations]
            min_score = 0.3
            [model]
            folder = "\(Repository.models)"
            """, file: "\(folder.path)/shop.toml")
        return try Reconciler(settings: settings, executable: Repository.agent)
    }

    @Test(
        "whatever changes, of photos and of the table, exactly the files are staged whose bytes differ",
        arguments: [1, 2, 3, 4])
    func exact(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var prices = [0: 1, 1: 1, 5: 2]
        var present = Set(0..<Self.count)
        try writeTable(prices)
        var reconciler = try reconciler()
        _ = try reconciler.round(.everything, Round.Options())
        for step in 0..<25 {
            let before = try files()
            var places: [ImagePath] = []
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                let number = Int.random(in: 0..<Self.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: prices[number] = Int.random(in: 1...3, using: &random)
                case 1: prices[number] = nil
                default:
                    places.append(try #require(ImagePath("\(number).jpg")))
                    if present.remove(number) != nil {
                        try manager.removeItem(atPath: "\(folder.path)/photos/\(number).jpg")
                    } else {
                        try add(number)
                        present.insert(number)
                    }
                }
            }
            try writeTable(prices)
            // Another process goes on where one was.
            if Int.random(in: 0..<5, using: &random) == 0 { reconciler = try self.reconciler() }
            let published = try reconciler.round(.places(places), Round.Options()).report.published
            let after = try files()
            let differing = after.count { before[$0.key] != $0.value }
            #expect(published.written == differing && published.unchanged == 0, "seed \(seed), step \(step)")
            #expect(
                published.removed == before.keys.count { after[$0] == nil }, "seed \(seed), step \(step)")
        }
        // And they are those that a look at everything makes.
        let incremental = try files()
        #expect(try reconciler.round(.everything, Round.Options()).report.published.written == 0)
        #expect(try files() == incremental)
        try manager.removeItem(atPath: "\(folder.path)/state")
        try manager.removeItem(atPath: "\(folder.path)/out")
        _ = try self.reconciler().run()
        #expect(try files() == incremental, "seed \(seed)")
    }

    @Test("photos that came and went before they were ranked hide no change of another product")
    func ghosts() throws {
        try writeTable([:])
        let reconciler = try reconciler()
        _ = try reconciler.run()
        // A name with another ending is the same product, and is in the files of its neighbours.
        for number in 0..<Self.count - 1 {
            let name = "\(folder.path)/photos/\(number)"
            #expect(rename("\(name).jpg", "\(name).jpeg") == 0)
        }
        try add(Self.count)
        var later = Round.Options()
        later.mayPublishLater = true
        let ghost = try #require(ImagePath("\(Self.count).jpg"))
        _ = try reconciler.round(.places([ghost]), later)
        try manager.removeItem(atPath: "\(folder.path)/photos/\(ghost.text)")
        let renamed = try manager.contentsOfDirectory(atPath: "\(folder.path)/photos").flatMap {
            [ImagePath($0), ImagePath($0.replacing(".jpeg", with: ".jpg"))].compactMap(\.self)
        }
        _ = try reconciler.round(.places(renamed + [ghost]), Round.Options())
        #expect(try reconciler.round(.everything, Round.Options()).report.published.written == 0)
    }

    @Test("a price that changes changes the files that show it, and no other is staged")
    func price() throws {
        try writeTable([3: 1])
        let reconciler = try reconciler()
        let first = try reconciler.run()
        #expect(first.attributes == .init(lines: 1, products: 1))
        let before = try files()
        let showing = before.values.count { String(decoding: $0, as: UTF8.self).contains(#""price": "1""#) }
        #expect(showing > 1)
        try writeTable([3: 2])
        let published = try reconciler.round(.places([]), Round.Options()).report.published
        #expect(published.written == showing && published.unchanged == 0)
        // One that no file shows changes none.
        try writeTable([3: 2, 999: 5])
        let again = try reconciler.round(.places([]), Round.Options()).report.published
        #expect(again == ReconcileReport.Published())
    }

    @Test("one file of all products is written only where a line of it differs")
    func single() throws {
        try writeTable([3: 1])
        let reconciler = try reconciler(#"layout = "single""#)
        _ = try reconciler.run()
        try writeTable([3: 1, 999: 5])
        #expect(
            try reconciler.round(.places([]), Round.Options()).report.published
                == ReconcileReport.Published())
        try writeTable([3: 2])
        #expect(try reconciler.round(.places([]), Round.Options()).report.published.written == 1)
    }
}
