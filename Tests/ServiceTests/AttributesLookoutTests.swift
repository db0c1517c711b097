import Foundation
import Products
import Settings
import Synchronization
import Tables
import TestSupport
import Testing
import Threads

@testable import Service

@Suite("Looking at the table of attributes", .inLanes)
struct AttributesLookoutTests {
    private let folder: TemporaryFolder
    private var file: String { "\(folder.path)/products.csv" }

    init() throws { folder = try TemporaryFolder() }

    private func lookout(hasTable: Bool = true) throws -> AttributesLookout {
        let text = """
            [images]
            folder = "photos"
            [output]
            folder = "out"
            \(hasTable ? "attributes = \"products.csv\"" : "")
            """
        let settings = try Settings(text, file: "\(folder.path)/shop.toml")
        return AttributesLookout(settings, DirectTableFiles(limit: 1 << 20))
    }

    private func write(_ text: String, secondsAgo: Double) throws {
        try folder.write("products.csv", Array(text.utf8))
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -secondsAgo)], ofItemAtPath: file)
    }

    @Test("a table is due when it is another one than the last that was published, and has been left alone")
    func states() throws {
        let lookout = try lookout()
        #expect(lookout.look() == .known)
        try write("product,title\n", secondsAgo: 600)
        guard case .due(let stamp?) = lookout.look() else {
            Issue.record("an old table that was not published is not due")
            return
        }
        lookout.note(seen: stamp)
        #expect(lookout.look() == .known)
        // A copy to it that goes on changes it again and again.
        try write("product,title\na,", secondsAgo: 0)
        #expect(lookout.look() == .young)
        try FileManager.default.removeItem(atPath: file)
        #expect(lookout.look() == .due(nil))
        #expect(try self.lookout(hasTable: false).look() == .known)
    }

    @Test("whoever asks has the loop look, and is answered by that look")
    func asked() throws {
        let lookout = try lookout()
        try write("product,title\n", secondsAgo: 600)
        if case .due(let stamp) = lookout.look() { lookout.note(seen: stamp) }
        let isOver = Atomic(false)
        let thread = try OwnThread("loop") {
            while !isOver.load(ordering: .relaxed) {
                if lookout.isAwaited { _ = lookout.look() } else { usleep(1000) }
            }
        }
        // Where the loop is busy for too long the table counts as new: nobody knows better.
        #expect(eventually { !lookout.isNew {} })
        isOver.store(true, ordering: .relaxed)
        thread.join()
        #expect(lookout.isNew {})
    }

    @Test("without a table nobody is woken, and after the end nobody waits")
    func unasked() throws {
        let isWoken = Atomic(false)
        #expect(!(try lookout(hasTable: false).isNew { isWoken.store(true, ordering: .relaxed) }))
        let wasWoken = isWoken.load(ordering: .relaxed)
        #expect(!wasWoken)
        let lookout = try lookout()
        lookout.close()
        for _ in 0..<100 { _ = lookout.isNew {} }
        #expect(!lookout.isAwaited)
    }
}
