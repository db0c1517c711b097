import Foundation
import Products
import TestSupport
import Testing

@testable import Watching

@Suite("Scanning a folder")
struct FolderScanTests {
    private let extensions = ["jpg", "png"]

    @Test("finds photos in all folders, by their endings, in order")
    func photos() throws {
        let folder = try TemporaryFolder()
        for name in [
            "b.jpg", "a/x.PNG", "a/deep/er/y.jpg", "a.txt", ".hidden.jpg", ".git/z.jpg", "noending", "jpg",
        ] {
            try folder.write(name, [1, 2, 3])
        }
        let scan = try FolderScan(of: folder.path, filter: PhotoFilter(extensions: extensions))
        #expect(scan.photos.map(\.path.text) == ["a/deep/er/y.jpg", "a/x.PNG", "b.jpg"])
        #expect(
            scan.photos.allSatisfy {
                $0.stamp.bytes == 3 && $0.stamp.mtimeNanoseconds > 1_600_000_000_000_000_000
            })
        #expect(scan.obstacles.isEmpty)
        #expect(scan.folderCount == 4)
    }

    @Test("finds names that are no UTF-8")
    func rawNames() throws {
        let folder = try TemporaryFolder()
        let bytes: [UInt8] = [0xE9, 0x74, 0xE9] + Array(".jpg".utf8)
        let path = Array((folder.path + "/").utf8) + bytes + [0]
        let descriptor = path.withUnsafeBytes {
            open($0.baseAddress!.assumingMemoryBound(to: CChar.self), O_CREAT | O_WRONLY, 0o644)
        }
        #expect(descriptor >= 0)
        close(descriptor)
        let scan = try FolderScan(of: folder.path, filter: PhotoFilter(extensions: extensions))
        #expect(scan.photos.first?.path.name.bytes == bytes)
    }

    @Test("links, pipes and folders with a photo's name are obstacles, and none of them is opened")
    func obstacles() throws {
        let folder = try TemporaryFolder()
        try folder.write("real/a.jpg", [1])
        let manager = FileManager.default
        try manager.createSymbolicLink(atPath: "\(folder.path)/link.jpg", withDestinationPath: "/etc/passwd")
        try manager.createSymbolicLink(atPath: "\(folder.path)/linked", withDestinationPath: "real")
        try manager.createSymbolicLink(atPath: "\(folder.path)/note", withDestinationPath: "/etc/passwd")
        #expect(mkfifo("\(folder.path)/pipe.jpg", 0o644) == 0)
        let scan = try FolderScan(of: folder.path, filter: PhotoFilter(extensions: extensions))
        #expect(scan.photos.map(\.path.text) == ["real/a.jpg"])
        #expect(scan.obstacles.map(\.path.text) == ["link.jpg", "linked", "pipe.jpg"])
        #expect(scan.obstacles.map(\.reason) == [.linkInsteadOfPhoto, .linkInsteadOfFolder, .notAFile])
        #expect(scan.obstacles.map(\.hidesPhotos) == [false, true, false])
    }

    @Test("at places it finds what a scan of everything finds there, whatever the places are")
    func places() throws {
        let folder = try TemporaryFolder()
        let names = [
            "a.jpg", "b/a.jpg", "b/c/a.jpg", "b/c/b.png", "bc/a.jpg", "b/x.txt", "drafts/a.jpg", "d/.h/a.jpg",
        ]
        for name in names { try folder.write(name, [1]) }
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/b/link.jpg", withDestinationPath: "/etc/passwd")
        let filter = PhotoFilter(extensions: extensions, excludes: ["drafts"])
        let whole = try FolderScan(of: folder.path, filter: filter)
        let candidates =
            names + [
                "b", "b/c", "bc", "drafts", "d", "d/.h", "b/link.jpg", "missing", "missing/a.jpg",
                "a.jpg/x.jpg",
            ]
        for mask in 1..<(1 << candidates.count) where mask.nonzeroBitCount <= 2 {
            let places = candidates.indices.filter { mask >> $0 & 1 == 1 }.map { candidates[$0] }
            let scan = try FolderScan(of: folder.path, at: places.map { ImagePath($0)! }, filter: filter)
            func isWanted(_ path: ImagePath) -> Bool {
                places.contains { path.text == $0 || path.text.hasPrefix($0 + "/") }
            }
            #expect(scan.photos == whole.photos.filter { isWanted($0.path) }, "\(places)")
            #expect(scan.obstacles == whole.obstacles.filter { isWanted($0.path) }, "\(places)")
        }
    }

    @Test("hundreds of folders need few descriptors")
    func manyFolders() throws {
        let folder = try TemporaryFolder()
        for index in 0..<1500 { try folder.write("f\(index)/a.jpg", [1]) }
        #expect(
            try FolderScan(of: folder.path, filter: PhotoFilter(extensions: extensions)).photos.count == 1500)
    }

    @Test("a tree that is nested without end has an end")
    func deepFolders() throws {
        let folder = try TemporaryFolder()
        var descriptor = open(folder.path, O_RDONLY | O_DIRECTORY)
        let name = String(repeating: "d", count: 200)
        for _ in 0..<40 {
            #expect(mkdirat(descriptor, name, 0o755) == 0)
            let next = openat(descriptor, name, O_RDONLY | O_DIRECTORY)
            close(descriptor)
            descriptor = next
        }
        close(descriptor)
        try folder.write("a.jpg", [1])
        let scan = try FolderScan(of: folder.path, filter: PhotoFilter(extensions: extensions))
        #expect(scan.photos.map(\.path.text) == ["a.jpg"])
        #expect(scan.obstacles.map(\.reason) == [.unreadableFolder(errno: ENAMETOOLONG)])
    }

    @Test("a missing folder is an error, not an empty one")
    func missing() throws {
        #expect(throws: FolderScanError.missing(folder: "/nowhere/at/all")) {
            try FolderScan(of: "/nowhere/at/all", filter: PhotoFilter(extensions: extensions))
        }
    }

    @Test("the kernel's limit of watches is known")
    func watches() throws {
        let text = try String(contentsOfFile: "/proc/sys/fs/inotify/max_user_watches", encoding: .utf8)
        #expect(WatchBudget.allowed == Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }
}
