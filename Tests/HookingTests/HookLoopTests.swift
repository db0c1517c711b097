import Catalogue
import Foundation
import Logging
import Products
import Settings
import Synchronization
import TestSupport
import Testing

@testable import Hooking

/// The hook beside an agent: a real program, a real catalogue, and a clock that is advanced by hand.
@Suite("The hook's loop", .inLanes)
struct HookLoopTests {
    private let folder: TemporaryFolder
    private let catalogue: Catalogue
    private let clock = ManualClock()

    init() throws {
        folder = try TemporaryFolder()
        catalogue = try Catalogue(stateFolder: "\(folder.path)/state")
    }

    /// - Parameter script: of a shell; what it is to be told is on its standard input.
    private func loop(_ script: String, onChange: @escaping @Sendable (HookStatus) -> Void = { _ in })
        throws -> HookLoop
    {
        try folder.write("hook.sh", Array("#!/bin/sh\necho run >>'\(folder.path)/runs'\n\(script)\n".utf8))
        #expect(chmod("\(folder.path)/hook.sh", 0o755) == 0)
        let settings = try Settings(
            """
            images.folder = "photos"
            output.folder = "out"
            state.folder = "state"
            publish.hook = ["\(folder.path)/hook.sh"]
            publish.settle_ms = 1000
            publish.retry_seconds = 10
            """, file: "\(folder.path)/shop.toml")
        try FileManager.default.createDirectory(
            atPath: settings.output.folder, withIntermediateDirectories: true)
        let hook = try #require(PublishHook(settings: settings, catalogue: catalogue))
        return try HookLoop(
            hook, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, now: clock.now,
            onChange: onChange)
    }

    /// Files of these products have changed.
    private func publish(_ products: [String]) throws {
        let model = try catalogue.number(
            of: ModelRecord(
                identity: ContentDigest(of: [1]), name: "m", precision: "f32", dimension: 3, recipe: nil))
        var note = PublicationNote(model: model, parts: ["products"], form: ContentDigest(of: [2]))
        note.published = products.map { (ProductID($0), ContentDigest(of: Array($0.utf8))) }
        note.forHook = products.map { ProductID($0) }
        try catalogue.notePublished(note)
    }

    private func lines(_ name: String) -> [String] {
        ((try? String(contentsOfFile: "\(folder.path)/\(name)", encoding: .utf8)) ?? "")
            .split(separator: "\n").map(String.init)
    }

    private func told() -> [String] { lines("told") }
    /// How often the program was run.
    private var runs: Int { lines("runs").count }

    private func waiting() throws -> Int { try catalogue.hookChangeCount() }

    @Test("nothing is run before the files have been left alone, then one program hears of all")
    func settles() throws {
        let loop = try loop("cat >>'\(folder.path)/told'")
        defer { loop.stop() }
        try publish(["a"])
        loop.noteRound(hasChangedFiles: true)
        clock.advance(by: .milliseconds(900))
        try publish(["b"])
        loop.noteRound(hasChangedFiles: true)
        clock.advance(by: .milliseconds(900))
        loop.noteRound(hasChangedFiles: false)
        clock.advance(by: .milliseconds(100))
        loop.noteRound(hasChangedFiles: false)
        #expect(try eventually { try waiting() == 0 })
        #expect(runs == 1)
        #expect(
            told()
                == ["a", "b"].map {
                    #"{"product":"\#($0)","change":"written","file":"products/\#($0).json"}"#
                }
        )
    }

    @Test("what a program that failed was to be told, the next one is, with what has changed since")
    func fails() throws {
        let states = Mutex<[HookStatus]>([])
        let loop = try loop(
            "[ -e '\(folder.path)/mended' ] || { echo broken; exit 3; }; cat >>'\(folder.path)/told'"
        ) { status in states.withLock { $0.append(status) } }
        defer { loop.stop() }
        func last() -> HookStatus? { states.withLock { $0.last } }
        try publish(["a"])
        clock.advance(by: .seconds(1))
        loop.noteRound(hasChangedFiles: false)
        #expect(eventually { last()?.failures == 1 })
        #expect(try last()?.trouble?.contains("3") == true && waiting() == 1)
        try folder.write("mended", [])
        try publish(["b"])
        // A change does not shorten the wait after a failure.
        clock.advance(by: .seconds(9))
        loop.noteRound(hasChangedFiles: true)
        clock.advance(by: .seconds(2))
        loop.noteRound(hasChangedFiles: false)
        #expect(try eventually { try waiting() == 0 })
        #expect(told().count == 2 && runs == 2)
        #expect(eventually { last()?.failures == 0 && last()?.trouble == nil && last()?.isRunning == false })
        #expect(last()?.runs == 2 && last()?.failedRuns == 1)
    }

    @Test(
        "a loop that is stopped ends the program that runs, and the next one is told what that was not done with"
    )
    func stops() throws {
        let isRunning = Atomic(false)
        let first = try loop("echo begun >'\(folder.path)/begun'; exec sleep 1000") {
            isRunning.store($0.isRunning, ordering: .sequentiallyConsistent)
        }
        try publish(["a"])
        clock.advance(by: .seconds(1))
        first.noteRound(hasChangedFiles: false)
        #expect(eventually { FileManager.default.fileExists(atPath: "\(folder.path)/begun") })
        first.stop()
        let wasLeft = isRunning.load(ordering: .sequentiallyConsistent)
        #expect(try !wasLeft && waiting() == 1)
        let second = try loop("cat >>'\(folder.path)/told'")
        clock.advance(by: .seconds(1))
        second.noteRound(hasChangedFiles: false)
        #expect(try eventually { try waiting() == 0 })
        second.stop()
        #expect(told().count == 1)
        #expect(runs == 2)
    }

    @Test("where a program of before still runs, the next waits for its end")
    func busy() throws {
        let states = Mutex<[HookStatus]>([])
        let other = open("\(folder.path)/state/\(PublishHook.fileName)", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        #expect(flock(other, LOCK_EX) == 0)
        let loop = try loop("cat >>'\(folder.path)/told'") { status in states.withLock { $0.append(status) } }
        defer { loop.stop() }
        try publish(["a"])
        clock.advance(by: .seconds(1))
        loop.noteRound(hasChangedFiles: false)
        #expect(eventually { states.withLock { $0.last?.trouble == "one that was begun before still runs" } })
        #expect(try waiting() == 1)
        close(other)
        clock.advance(by: PublishHook.busyInterval)
        loop.noteRound(hasChangedFiles: false)
        #expect(try eventually { try waiting() == 0 })
        #expect(told().count == 1)
    }
}
