import Catalogue
import Embedder
import Foundation
import Products
import Settings
import TestSupport
import Testing
import Watching

@testable import Reconciling

@Suite("What becomes of photos")
struct PhotoIntakeTests {
    private let folder: TemporaryFolder
    private let vector: Embedding

    init() throws {
        folder = try TemporaryFolder()
        vector = try Embedding(normalizing: [1, 2, 3])
    }

    private func digest(_ name: String) -> ContentDigest { ContentDigest(of: Array(name.utf8)) }

    /// A plan that reads photos of these names.
    ///
    /// - Parameter known: what the catalogue has of them, each changed since.
    private func plan(_ names: [String], known: [String: ImageRecord.State] = [:]) throws -> ReconcilePlan {
        for name in names { try folder.write(name, [1]) }
        let images = try known.map { name, state in
            let path = try #require(ImagePath(name))
            return ImageRecord(
                path: path, product: ProductID(of: path), stamp: FileStamp(bytes: 9, mtimeNanoseconds: 9),
                state: state)
        }
        return ReconcilePlan(
            scan: try FolderScan(of: folder.path, filter: PhotoFilter(extensions: ["jpg"])), images: images,
            embedded: [], rules: "rules", grouping: try ProductGrouping(ProductPattern(tomlText: "")))
    }

    private func intake(_ plan: ReconcilePlan, stored: Set<ContentDigest> = []) -> PhotoIntake {
        PhotoIntake(plan: plan, rules: "rules") { stored.contains($0) }
    }

    private func old(_ seconds: Double = 3600) -> FileStamp {
        FileStamp(bytes: 1, mtimeNanoseconds: Int((Date().timeIntervalSince1970 - seconds) * 1e9))
    }

    /// Each record's path and state, in words.
    private func states(_ images: [ImageRecord]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: images.map { ($0.path.text, "\($0.state)") })
    }

    @Test("an embedded photo is ready, with its vector and what was noticed of it")
    func embedded() throws {
        let plan = try plan(["a.jpg"])
        var intake = intake(plan)
        intake.take(
            .embedded(old(), digest("a"), vector, notes: ["its profile is broken"]), of: plan.readings[0]
        )
        #expect(intake.takeImages().map(\.state) == [.ready(digest("a"))])
        #expect(intake.takeEmbeddings().map(\.digest) == [digest("a")])
        #expect(intake.takeImages().isEmpty && intake.takeEmbeddings().isEmpty)
        #expect(intake.notes == [.init(path: "a.jpg", reason: "its profile is broken")])
        #expect(intake.readCount == 1 && intake.embeddedCount == 1 && intake.failures.isEmpty)
    }

    @Test(
        "photos of one content share its fate, in whatever order they come",
        arguments: [[0, 1, 2], [1, 2, 0], [2, 0, 1], [1, 0, 2]])
    func duplicates(order: [Int]) throws {
        let plan = try plan(["a.jpg", "b.jpg", "c.jpg"])
        for fate in ["embedded", "refused", "stored"] {
            var intake = intake(plan, stored: fate == "stored" ? [digest("x")] : [])
            for index in order {
                let reading = plan.readings[index]
                switch (index, fate) {
                case (0, "embedded"):
                    intake.take(.embedded(old(), digest("x"), vector, notes: []), of: reading)
                case (0, "refused"):
                    intake.take(.refused(old(), digest("x"), reason: "no photo"), of: reading)
                default: intake.take(.known(old(), digest("x")), of: reading)
                }
            }
            #expect(intake.resolveDuplicates().isEmpty)
            let images = intake.takeImages()
            #expect(images.count == 3)
            let isReady = images.allSatisfy { $0.state == .ready(digest("x")) }
            #expect(isReady == (fate != "refused"), "\(fate)")
            #expect(intake.failures.count == (fate == "refused" ? 3 : 0))
        }
    }

    @Test("a photo whose content nobody could be asked about is left as it was")
    func unresolved() throws {
        let plan = try plan(["a.jpg"])
        var intake = intake(plan)
        intake.take(.known(old(), digest("x")), of: plan.readings[0])
        #expect(intake.resolveDuplicates().map(\.path.text) == ["a.jpg"])
        #expect(intake.takeImages().isEmpty && intake.resolveDuplicates().isEmpty)
    }

    @Test("a photo that was ready and fails departs with the ranking; one that was not is stored as failed")
    func refused() throws {
        let plan = try plan(["a.jpg", "b.jpg"], known: ["a.jpg": .ready(digest("old"))])
        var intake = intake(plan)
        for reading in plan.readings { intake.take(.refused(old(), nil, reason: "too large"), of: reading) }
        #expect(intake.departures.failed.map(\.path.text) == ["a.jpg"])
        let stored = intake.takeImages()
        #expect(stored.map(\.path.text) == ["b.jpg"])
        #expect(stored.map(\.state) == [.failed(reason: "too large", attempts: 1, under: "rules")])
        #expect(intake.failures.map(\.path) == ["a.jpg", "b.jpg"] && intake.retries.isEmpty)
    }

    @Test(
        "a photo that cannot be read stays as it was where it was ready, and is tried again where that may help",
        arguments: [false, true])
    func unreadable(mayPass: Bool) throws {
        let plan = try plan(["a.jpg", "b.jpg"], known: ["a.jpg": .ready(digest("old"))])
        var intake = intake(plan)
        for reading in plan.readings {
            intake.take(.unreadable(reason: "no permission", mayPass: mayPass), of: reading)
        }
        #expect(intake.keptFailures == [.init(path: "a.jpg", reason: "no permission")])
        #expect(intake.departures.failed.isEmpty && intake.departures.removed.isEmpty)
        #expect(
            intake.takeImages().map(\.state) == [.failed(reason: "no permission", attempts: 1, under: nil)])
        #expect(intake.failures.count == 2)
        // One that is used meanwhile is tried again less often.
        #expect(intake.retries.map(\.attempts) == (mayPass ? [RetrySchedule.mostCounted, 1] : []))
    }

    @Test(
        "a photo that vanishes while it is read departs where it was known, and is nothing where it was not")
    func vanished() throws {
        let plan = try plan(["a.jpg", "b.jpg"], known: ["a.jpg": .ready(digest("old"))])
        var intake = intake(plan)
        for reading in plan.readings { intake.take(.vanished, of: reading) }
        #expect(intake.departures.removed.map(\.text) == ["a.jpg"])
        #expect(intake.takeImages().isEmpty && intake.failures.isEmpty)
    }

    @Test(
        "a young file that is refused is tried again soon; one that costs a process is given up at the third")
    func retries() throws {
        let young = old(1)
        let plan = try plan(["a.jpg", "b.jpg"])
        var intake = intake(plan)
        intake.take(.refused(young, digest("half"), reason: "cut off"), of: plan.readings[0])
        intake.take(.lost(old(), digest("bomb"), reason: "crashed"), of: plan.readings[1])
        #expect(intake.retries.map(\.path.text) == ["a.jpg"])
        let states = states(intake.takeImages())
        #expect(states["a.jpg"] == "\(ImageRecord.State.failed(reason: "cut off", attempts: 1, under: nil))")
        #expect(states["b.jpg"] == "\(ImageRecord.State.failed(reason: "crashed", attempts: 1, under: nil))")

        // The same file the third time.
        let stamp = try FolderScan(of: folder.path, filter: PhotoFilter(extensions: ["jpg"])).photos[1].stamp
        let path = try #require(ImagePath("b.jpg"))
        let before = ImageRecord(
            path: path, product: ProductID(of: path), stamp: stamp,
            state: .failed(reason: "crashed", attempts: 2, under: nil))
        let again = ReconcilePlan(
            scan: try FolderScan(of: folder.path, filter: PhotoFilter(extensions: ["jpg"])), images: [before],
            embedded: [], rules: "rules", grouping: try ProductGrouping(ProductPattern(tomlText: "")))
        let reading = try #require(again.readings.first { $0.photo.path == path })
        var third = self.intake(again)
        third.take(.lost(stamp, digest("bomb"), reason: "crashed"), of: reading)
        #expect(
            third.takeImages().map(\.state) == [.failed(reason: "crashed", attempts: 3, under: "rules")])
        #expect(third.retries.isEmpty && third.failures.isEmpty)
    }

    @Test("a photo behind a link that cannot be looked at now stays as it was")
    func unreadableLink() throws {
        try folder.write("real.jpg", [1])
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/link.jpg", withDestinationPath: "real.jpg")
        let path = try #require(ImagePath("link.jpg"))
        let record = ImageRecord(
            path: path, product: ProductID(of: path), stamp: FileStamp(bytes: 1, mtimeNanoseconds: 1),
            state: .ready(digest("old")))
        // The descriptor for what the link leads to is the one too many.
        var call = 0
        var kept = 0
        while true {
            call += 1
            let files = FailingFiles(.errno(EMFILE), at: call, isLasting: false, of: [.look])
            let filter = PhotoFilter(extensions: ["jpg"], followsLinks: true)
            let scan = try? FolderScan(of: folder.path, filter: filter, files: files)
            if files.injected.isEmpty { break }
            guard let scan else { continue }
            let plan = ReconcilePlan(
                scan: scan, images: [record], embedded: [digest("old")], rules: "rules",
                grouping: try ProductGrouping(ProductPattern(tomlText: "")))
            #expect(plan.removed.isEmpty, "call \(call)")
            let intake = intake(plan)
            #expect(intake.departures.failed.isEmpty, "call \(call)")
            kept += intake.keptFailures.count
            #expect(intake.failures == intake.keptFailures)
        }
        #expect(kept == 3)
    }
}
