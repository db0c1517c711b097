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
    private func beginning(_ limit: Int) -> Reconciler.Options {
        let begun = Atomic(0)
        var options = Reconciler.Options()
        options.isOver = { begun.add(1, ordering: .relaxed).newValue > limit }
        return options
    }

    @Test("a move that takes many rounds leaves no gap, trips no brake, and embeds nothing again")
    func move() throws {
        _ = try reconciler.round(.everything, Reconciler.Options())
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
        _ = try reconciler.round(.everything, Reconciler.Options())
        #expect(rename("\(folder.path)/photos/old/1.jpg", "\(folder.path)/photos/new.jpg") == 0)
        var options = Reconciler.Options()
        options.deferral.unfinished = [ImagePath("new.jpg")!]
        let round = try reconciler.round(.everything, options)
        #expect(round.deferred.map(\.path.text) == ["new.jpg", "old/1.jpg"])
        #expect(published().contains("old/1.json") && !published().contains("new.json"))
        _ = try reconciler.round(.places(round.deferred.map(\.path)), Reconciler.Options())
        #expect(!published().contains("old/1.json") && published().contains("new.json"))
    }

    @Test(
        "what vanishes bit by bit is held back as what vanishes at once, and a confirmation is for all of it")
    func bitByBit() throws {
        _ = try reconciler.round(.everything, Reconciler.Options())
        func remove(_ number: Int) throws -> Reconciler.Round {
            try manager.removeItem(atPath: "\(folder.path)/photos/old/\(number).jpg")
            return try reconciler.round(.places([ImagePath("old/\(number).jpg")!]), Reconciler.Options())
        }
        for number in 1...6 { #expect(try remove(number).report.heldBack == 0) }
        let held = try remove(7)
        #expect(held.report.heldBack == 1 && held.report.removed == 0 && held.changes.isEmpty)
        #expect(published().count == 6)
        let confirmed = try reconciler.round(.everything, Reconciler.Options(allowsMassRemoval: true))
        #expect(confirmed.report.heldBack == 0 && published().count == 5)
        #expect(try remove(8).report.heldBack == 0)
        #expect(published().count == 4)
    }

    @Test("what went and came back does not count against what goes next")
    func comesBack() throws {
        _ = try reconciler.round(.everything, Reconciler.Options())
        let place = [ImagePath("old")!]
        for _ in 0..<3 {
            // Five of twelve go and come back, again and again.
            for number in 1...5 {
                #expect(
                    rename(
                        "\(folder.path)/photos/old/\(number).jpg", "\(folder.path)/\(number).jpg") == 0)
            }
            #expect(try reconciler.round(.places(place), Reconciler.Options()).report.heldBack == 0)
            #expect(published().count == 7)
            for number in 1...5 {
                #expect(
                    rename(
                        "\(folder.path)/\(number).jpg", "\(folder.path)/photos/old/\(number).jpg") == 0)
            }
            #expect(try reconciler.round(.places(place), Reconciler.Options()).report.heldBack == 0)
            #expect(published().count == 12)
        }
    }
}
