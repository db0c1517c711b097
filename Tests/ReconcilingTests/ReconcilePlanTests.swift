import Catalogue
import Foundation
import Products
import Settings
import TestSupport
import Testing
import Watching

@testable import Reconciling

@Suite("The plan")
struct ReconcilePlanTests {
    private let folder: TemporaryFolder
    private let content = ContentDigest(of: [1])

    init() throws { folder = try TemporaryFolder() }

    private func scan() throws -> FolderScan {
        try FolderScan(of: folder.path, filter: PhotoFilter(extensions: ["jpg"]))
    }

    private func record(_ path: String, _ state: ImageRecord.State, stamp: FileStamp? = nil) throws
        -> ImageRecord
    {
        let imagePath = try #require(ImagePath(path))
        let found = try scan().photos.first { $0.path == imagePath }?.stamp
        return ImageRecord(
            path: imagePath, product: ProductID(of: imagePath),
            stamp: stamp ?? found ?? FileStamp(bytes: 0, mtimeNanoseconds: 0), state: state)
    }

    private func plan(_ images: [ImageRecord], embedded: Set<ContentDigest>? = nil, pattern: String = "")
        throws -> ReconcilePlan
    {
        ReconcilePlan(
            scan: try scan(), images: images, embedded: embedded ?? [content], rules: "rules",
            grouping: try ProductGrouping(ProductPattern(tomlText: pattern)))
    }

    @Test("a photo that is as it was is not read")
    func unchanged() throws {
        try folder.write("a.jpg", [1])
        try folder.write("b.jpg", [1])
        let plan = try plan([
            try record("a.jpg", .ready(content)),
            try record("b.jpg", .failed(reason: "r", attempts: 1, under: "rules")),
        ])
        #expect(plan.readings.isEmpty && plan.removed.isEmpty && plan.unchanged == 2)
    }

    @Test("a photo is read when it is new, changed, failed under other rules, or of another model")
    func readings() throws {
        for name in ["new", "changed", "retried", "transient", "model"] {
            try folder.write("\(name).jpg", [1])
        }
        let plan = try plan([
            try record("changed.jpg", .ready(content), stamp: FileStamp(bytes: 1, mtimeNanoseconds: 5)),
            try record("retried.jpg", .failed(reason: "r", attempts: 1, under: "other rules")),
            try record("transient.jpg", .failed(reason: "r", attempts: 1, under: nil)),
            try record("model.jpg", .ready(ContentDigest(of: [2]))),
        ])
        let reasons = Dictionary(uniqueKeysWithValues: plan.readings.map { ($0.photo.path.text, $0.reason) })
        #expect(
            reasons == [
                "new.jpg": .added, "changed.jpg": .changed, "retried.jpg": .retried,
                "transient.jpg": .retried, "model.jpg": .modelChanged,
            ])
    }

    @Test("what has gone is removed, what cannot be seen is not")
    func removed() throws {
        try folder.write("seen/a.jpg", [1])
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/linked", withDestinationPath: "seen")
        let plan = try plan([
            try record("seen/a.jpg", .ready(content)), try record("gone/b.jpg", .ready(content)),
            try record("linked/c.jpg", .ready(content)), try record("linked2/d.jpg", .ready(content)),
        ])
        #expect(plan.removed.map(\.path.text) == ["gone/b.jpg", "linked2/d.jpg"])
        #expect(plan.obstructed.map(\.record.path.text) == ["linked"])
    }

    @Test("another pattern regroups photos without reading them")
    func regrouped() throws {
        try folder.write("sku-1.jpg", [1])
        try folder.write("sku-2.jpg", [1])
        try folder.write("other.jpg", [1])
        let images = try ["sku-1.jpg", "sku-2.jpg", "other.jpg"].map { try record($0, .ready(content)) }
        let plan = try plan(images, pattern: "^(.*?)(-[0-9]+)?[.][a-z]+$")
        #expect(plan.readings.isEmpty)
        #expect(plan.regrouped.map(\.product.text) == ["sku", "sku"])
    }
}

@Suite("A rename that is seen in parts")
struct WithheldRemovalTests {
    private let content = ContentDigest(of: [1])

    @Test("a photo that has gone is withheld while an unread one may be the same, one for one")
    func withheld() throws {
        let folder = try TemporaryFolder()
        for name in ["new1", "new2", "other"] {
            try folder.write("\(name).jpg", [UInt8](repeating: 1, count: name == "other" ? 2 : 1))
            let times = [timespec(tv_sec: 5, tv_nsec: 0), timespec(tv_sec: 5, tv_nsec: 0)]
            #expect(utimensat(AT_FDCWD, "\(folder.path)/\(name).jpg", times, 0) == 0)
        }
        let scan = try FolderScan(of: folder.path, filter: PhotoFilter(extensions: ["jpg"]))
        let stamp = FileStamp(bytes: 1, mtimeNanoseconds: 5_000_000_000)
        let gone = ["old1.jpg", "old2.jpg", "old3.jpg"].map {
            ImageRecord(
                path: ImagePath($0)!, product: ProductID(of: ImagePath($0)!), stamp: stamp,
                state: .ready(content))
        }
        var plan = ReconcilePlan(
            scan: scan, images: gone, embedded: [content], rules: "rules",
            grouping: ProductGrouping(.none))
        let counterparts = plan.withholdRemovals(for: scan.photos)
        #expect(Set(counterparts.keys.map(\.text)) == ["new1.jpg", "new2.jpg"])
        #expect(Set(counterparts.values).isSubset(of: gone.map(\.path)))
        #expect(plan.removed.count == 1 && !counterparts.values.contains(plan.removed[0].path))
        #expect(plan.withholdRemovals(for: []).isEmpty)
    }

    @Test("a photo that was written again is read, even if size and time are as they were")
    func finished() throws {
        let folder = try TemporaryFolder()
        try folder.write("a.jpg", [1])
        let scan = try FolderScan(of: folder.path, filter: PhotoFilter(extensions: ["jpg"]))
        let path = ImagePath("a.jpg")!
        let known = ImageRecord(
            path: path, product: ProductID(of: path), stamp: scan.photos[0].stamp, state: .ready(content))
        let plan = ReconcilePlan(
            scan: scan, images: [known], embedded: [content], rules: "rules",
            grouping: ProductGrouping(.none), finished: [path])
        #expect(plan.readings.map(\.reason) == [.changed])
    }
}
