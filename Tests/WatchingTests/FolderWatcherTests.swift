import Foundation
import Products
import Synchronization
import TestSupport
import Testing
import Threads

@testable import Watching

// libinotifytools has one queue in a process.
@Suite("Watching a folder", .serialized, .underUsualKernelLimits)
struct FolderWatcherTests {
    let folder: TemporaryFolder
    private let manager = FileManager.default
    var photos: String { "\(folder.path)/photos" }

    init() throws {
        folder = try TemporaryFolder()
        try manager.createDirectory(atPath: "\(folder.path)/photos", withIntermediateDirectories: true)
    }

    /// What was reported, in words.
    final class Reports: Sendable {
        private let seen = Mutex<[FolderHint]>([])
        func note(_ change: FolderHint) { seen.withLock { $0.append(change) } }
        func forget() { seen.withLock { $0 = [] } }

        /// What came before the first that fits, which is forgotten with it; nil while nothing fits.
        func take(before fits: (FolderHint) -> Bool) -> [FolderHint]? {
            seen.withLock { seen in
                guard let index = seen.firstIndex(where: fits) else { return nil }
                defer { seen.removeFirst(index + 1) }
                return Array(seen[..<index])
            }
        }

        /// Waits until something that fits was reported, and forgets it and what came before.
        func wait(for description: String, _ fits: (FolderHint) -> Bool) -> Bool {
            let isFound = eventually { take(before: fits) != nil }
            if !isFound { print("not reported: \(description); reported: \(seen.withLock { $0 })") }
            return isFound
        }
    }

    /// What was reported of all that has happened until now: the kernel keeps the order, so the report of a photo that is
    /// written last is the last.
    private func reported(_ reports: Reports) throws -> [FolderHint] {
        let path = try #require(ImagePath("sentinel-\(UUID()).jpg"))
        try folder.write("photos/\(path.text)", [1])
        var before: [FolderHint]?
        #expect(
            eventually {
                before = reports.take { $0 == .photo(path, .finished) }
                return before != nil
            })
        return (before ?? []).filter { if case .photo(path, _) = $0 { false } else { true } }
    }

    /// Writes photos into a folder until one is reported as such: that the folder came is reported before it is watched.
    private func isWatched(_ path: String, _ reports: Reports) throws -> Bool {
        var written = 0
        return try eventually {
            written += 1
            try folder.write("photos/\(path)/watched-\(written).jpg", [1])
            return reports.take { change in
                (1...written).contains { photo("\(path)/watched-\($0).jpg", .finished)(change) }
            } != nil
        }
    }

    private func watching(
        excludes: [String] = [], poll: Duration = .seconds(600), look: Duration = .seconds(600),
        now: @escaping Now = { .now }, _ body: (Reports, FolderWatcher) throws -> Void
    ) throws {
        let reports = Reports()
        let watcher = FolderWatcher(
            folder: photos, filter: PhotoFilter(extensions: ["jpg"], excludes: excludes),
            pollInterval: poll, reconcileInterval: look, now: now
        ) { reports.note($0) }
        try watcher.start()
        defer { watcher.stop() }
        try body(reports, watcher)
    }

    private func photo(_ path: String, _ change: FolderHint.PhotoChange) -> (FolderHint) -> Bool {
        { $0 == .photo(ImagePath(path)!, change) }
    }

    private func run(_ arguments: String...) throws -> Int32 {
        let process = try Process.run(URL(fileURLWithPath: "/usr/bin/env"), arguments: arguments)
        process.waitUntilExit()
        return process.terminationStatus
    }

    private func isFolder(_ path: String) -> (FolderHint) -> Bool { { $0 == .folder(ImagePath(path)!) } }

    @Test("a photo that is written, renamed, touched and removed is reported each time")
    func photo() throws {
        try watching { reports, watcher in
            #expect(watcher.state.watched == 1)
            let file = "\(photos)/a.jpg"
            let descriptor = open(file, O_CREAT | O_WRONLY, 0o644)
            #expect(reports.wait(for: "begun", photo("a.jpg", .begun)))
            #expect(write(descriptor, "x", 1) == 1)
            let early = try reported(reports)
            #expect(early.isEmpty)
            close(descriptor)
            #expect(reports.wait(for: "finished", photo("a.jpg", .finished)))
            #expect(chmod(file, 0o600) == 0)
            #expect(reports.wait(for: "touched", photo("a.jpg", .touched)))
            #expect(rename(file, "\(photos)/b.jpg") == 0)
            #expect(reports.wait(for: "gone", photo("a.jpg", .gone)))
            #expect(reports.wait(for: "finished", photo("b.jpg", .finished)))
            #expect(unlink("\(photos)/b.jpg") == 0)
            #expect(reports.wait(for: "gone", photo("b.jpg", .gone)))
        }
    }

    @Test("what is no photo, hidden or excluded is not reported, and its folder not watched")
    func passedOver() throws {
        for name in [".git/a.jpg", "drafts/a.jpg", "x/archive/2020/a.jpg"] {
            try folder.write("photos/\(name)", [1])
        }
        try watching(excludes: ["drafts", "x/archive/20*"]) { reports, watcher in
            #expect(watcher.state.watched == 3)  // the folder itself, x and x/archive
            for name in [".git/b.jpg", "drafts/b.jpg", "x/archive/2020/b.jpg", "a.txt", ".a.jpg", "c.jpg~"] {
                try folder.write("photos/\(name)", [1])
            }
            #expect(try reported(reports).isEmpty)
            try folder.write("photos/x/archive/a.jpg", [1])
            #expect(reports.wait(for: "finished", photo("x/archive/a.jpg", .finished)))
        }
    }

    @Test("folders that come are watched, with what came in them before the watch")
    func newFolders() throws {
        try folder.write("elsewhere/deep/er/a.jpg", [1])
        try watching { reports, watcher in
            try folder.write("photos/new/er/a.jpg", [1])
            #expect(reports.wait(for: "new folder", isFolder("new")))
            #expect(rename("\(folder.path)/elsewhere", "\(photos)/moved") == 0)
            #expect(reports.wait(for: "moved folder", isFolder("moved")))
            for path in ["moved/deep/er", "new/er"] { #expect(try isWatched(path, reports), "\(path)") }
            #expect(watcher.state.watched == 6)
        }
    }

    @Test("a renamed folder is reported under both names, and what happens in it under the new one")
    func renamedFolder() throws {
        try folder.write("photos/old/deep/a.jpg", [1])
        try folder.write("photos/older/a.jpg", [1])
        try watching { reports, _ in
            #expect(rename("\(photos)/old", "\(photos)/new") == 0)
            #expect(reports.wait(for: "old", isFolder("old")))
            #expect(reports.wait(for: "new", isFolder("new")))
            try folder.write("photos/new/deep/b.jpg", [1])
            #expect(reports.wait(for: "finished", photo("new/deep/b.jpg", .finished)))
            try folder.write("photos/older/b.jpg", [1])
            #expect(reports.wait(for: "finished", photo("older/b.jpg", .finished)))
            // Another folder takes the old name.
            try folder.write("photos/old/deep/c.jpg", [1])
            #expect(reports.wait(for: "old again", isFolder("old")))
            #expect(try isWatched("old/deep", reports))
        }
    }

    @Test("a folder that is moved away is not watched any more")
    func movedAway() throws {
        try folder.write("photos/a/b/c.jpg", [1])
        try watching { reports, watcher in
            #expect(rename("\(photos)/a", "\(folder.path)/away") == 0)
            #expect(reports.wait(for: "gone", isFolder("a")))
            #expect(eventually { watcher.state.watched == 1 })
            _ = try reported(reports)
            try folder.write("away/b/d.jpg", [1])
            #expect(try reported(reports).isEmpty)
        }
    }

    @Test("a folder that is replaced at once, by a rename over and over, is still watched")
    func replacedFolder() throws {
        try watching { reports, _ in
            for round in 0..<20 {
                try folder.write("photos/x/\(round).jpg", [1])
                #expect(rename("\(photos)/x", "\(photos)/y") == 0)
                try folder.write("photos/x/again.jpg", [1])
                try manager.removeItem(atPath: "\(photos)/y")
                #expect(rename("\(photos)/x", "\(photos)/y") == 0)
                usleep(useconds_t(round * 1000))
                try manager.removeItem(atPath: "\(photos)/y")
            }
            try folder.write("photos/x/last.jpg", [1])
            #expect(rename("\(photos)/x", "\(photos)/z") == 0)
            #expect(try isWatched("z", reports))
        }
    }

    @Test("the image folder is missed when it goes, and found when it comes back or is another")
    func root() throws {
        try folder.write("photos/a/a.jpg", [1])
        try watching { reports, watcher in
            #expect(rename(photos, "\(folder.path)/away") == 0)
            #expect(reports.wait(for: "gone") { $0 == .everything(.folderGone) })
            #expect(!watcher.state.isFolderThere)
            #expect(rename("\(folder.path)/away", photos) == 0)
            #expect(reports.wait(for: "back") { $0 == .everything(.folderBack) })
            #expect(watcher.state.isFolderThere)
            try folder.write("photos/a/b.jpg", [1])
            #expect(reports.wait(for: "finished", photo("a/b.jpg", .finished)))

            #expect(rename(photos, "\(folder.path)/away") == 0)
            try folder.write("photos/c/c.jpg", [1])
            #expect(
                reports.wait(for: "replaced") {
                    $0 == .everything(.folderReplaced) || $0 == .everything(.folderBack)
                })
            try folder.write("photos/c/d.jpg", [1])
            #expect(reports.wait(for: "finished", photo("c/d.jpg", .finished)))
        }
    }

    @Test("a link that leads to another folder now is noticed")
    func swappedLink() throws {
        try folder.write("one/a.jpg", [1])
        try folder.write("two/b.jpg", [1])
        try manager.removeItem(atPath: photos)
        try manager.createSymbolicLink(atPath: photos, withDestinationPath: "one")
        try watching { reports, _ in
            try manager.createSymbolicLink(atPath: "\(folder.path)/next", withDestinationPath: "two")
            #expect(rename("\(folder.path)/next", photos) == 0)
            #expect(reports.wait(for: "replaced") { $0 == .everything(.folderReplaced) })
            try folder.write("two/c.jpg", [1])
            #expect(reports.wait(for: "finished", photo("c.jpg", .finished)))
        }
    }

    @Test("two folders that change places are followed")
    func exchange() throws {
        try folder.write("photos/a/deep/1.jpg", [1])
        try folder.write("photos/b/deep/2.jpg", [1])
        try watching { reports, watcher in
            // RENAME_EXCHANGE, which Swift's Glibc does not have.
            let exchange =
                "import ctypes, os, sys; sys.exit(ctypes.CDLL(None).renameat2(-100, os.fsencode(sys.argv[1]), -100, os.fsencode(sys.argv[2]), 2))"
            try #require(try run("/usr/bin/python3", "-c", exchange, "\(photos)/a", "\(photos)/b") == 0)
            _ = try reported(reports)
            #expect(watcher.state.watched == 5)
            for name in ["a", "a/deep", "b", "b/deep"] {
                try folder.write("photos/\(name)/new.jpg", [1])
                #expect(reports.wait(for: name, photo("\(name)/new.jpg", .finished)))
            }
        }
    }

    @Test(
        "what is mounted below is watched, and what was below is again when it is unmounted",
        .enabled(if: geteuid() == 0, "SKIPPED, NOT TESTED: only root can mount. Run the tests as root."))
    func mounts() throws {
        try folder.write("photos/a place/a.jpg", [1])
        let place = "\(photos)/a place"
        try watching { reports, _ in
            try #require(try run("mount", "-t", "tmpfs", "none", place) == 0)
            defer { _ = try? run("umount", "--lazy", place) }
            #expect(reports.wait(for: "mount") { $0 == .everything(.mounts) })
            try folder.write("photos/a place/b.jpg", [1])
            #expect(reports.wait(for: "b", photo("a place/b.jpg", .finished)))
            try #require(try run("umount", place) == 0)
            #expect(
                reports.wait(for: "unmount") {
                    $0 == .everything(.mounts) || $0 == .folder(ImagePath("a place")!)
                })
            #expect(try isWatched("a place", reports))
        }
    }

    @Test("everything is to be looked at when it is time and not before, and watching goes on")
    func periodic() throws {
        let clock = ManualClock()
        try watching(look: .seconds(3600), now: clock.now) { reports, _ in
            for round in 0..<2 {
                clock.advance(by: .seconds(3599))
                #expect(try reported(reports).isEmpty)
                clock.advance(by: .seconds(1))
                #expect(reports.wait(for: "periodic") { $0 == .everything(.periodic) })
                try folder.write("photos/\(round).jpg", [1])
                #expect(reports.wait(for: "photo", photo("\(round).jpg", .finished)))
            }
        }
    }

    @Test("a folder that is not there when watching begins is found when it comes")
    func missing() throws {
        try manager.removeItem(atPath: photos)
        try watching { reports, watcher in
            #expect(!watcher.state.isFolderThere && watcher.state.watched == 0)
            try folder.write("photos/a.jpg", [1])
            #expect(reports.wait(for: "back") { $0 == .everything(.folderBack) })
            try folder.write("photos/b.jpg", [1])
            #expect(reports.wait(for: "finished", photo("b.jpg", .finished)))
        }
    }

    @Test("a link in a folder's place is reported")
    func link() throws {
        try watching { reports, _ in
            try manager.createSymbolicLink(atPath: "\(photos)/dress", withDestinationPath: "/tmp")
            #expect(reports.wait(for: "link", isFolder("dress")))
            try manager.removeItem(atPath: "\(photos)/dress")
            #expect(reports.wait(for: "no link", isFolder("dress")))
        }
    }

    @Test("watchers one after another do not see each other's events")
    func again() throws {
        for round in 0..<3 {
            try watching { reports, _ in
                for number in 0..<50 { try folder.write("photos/\(round)-\(number).jpg", [1]) }
                #expect(reports.wait(for: "finished", photo("\(round)-0.jpg", .finished)))
            }
        }
        try watching { reports, _ in
            let seen = try reported(reports)
            #expect(seen.isEmpty)
        }
    }
}

@Suite("The tree of watches")
struct WatchedTreeTests {
    private func entry(_ path: String) -> WatchedTree.Entry {
        WatchedTree.Entry(path: Array(path.utf8), inode: 1, device: 1)
    }

    @Test("a rename takes what lies below, and nothing that is called alike")
    func rename() {
        var tree = WatchedTree()
        for (index, path) in ["", "a", "a/b", "ab", "a-c/b"].enumerated() {
            tree.set(Int32(index), entry(path))
        }
        tree.rename(Array("a".utf8), to: Array("x/y".utf8))
        let paths = tree.watches(atOrBelow: []).map { String(decoding: tree[$0]!.path, as: UTF8.self) }
        #expect(paths.sorted() == ["", "a-c/b", "ab", "x/y", "x/y/b"])
        #expect(tree.watch(at: Array("x/y/b".utf8)) == 2 && tree.watch(at: Array("a".utf8)) == nil)
        #expect(tree.watches(atOrBelow: Array("x".utf8)).sorted() == [1, 2])
        #expect(tree.watches(atOrBelow: []).count == 5)
    }
}

@Suite("The filter")
struct PhotoFilterTests {
    private func admits(_ excludes: [String], _ path: String) -> Bool {
        PhotoFilter(extensions: ["jpg"], excludes: excludes).admits(Array(path.utf8))
    }

    @Test("a glob without a slash is for names, one with a slash for paths")
    func globs() {
        #expect(!admits(["*-thumb.*"], "a/b/c-thumb.jpg") && admits(["*-thumb.*"], "a-thumb.x/c.jpg"))
        #expect(!admits(["a/*"], "a/b") && admits(["a/*"], "a") && admits(["a/*"], "b/a/c"))
        #expect(!admits(["/drafts"], "drafts") && admits(["/drafts"], "x/drafts"))
        #expect(!admits(["drafts/"], "drafts"))
        #expect(!admits([], ".hidden") && !admits([], "a/.hidden"))
    }

    @Test("a path below something excluded is not on the way")
    func way() {
        let filter = PhotoFilter(extensions: ["jpg"], excludes: ["drafts"])
        #expect(!filter.admitsWay(to: Array("a/drafts/b.jpg".utf8)))
        #expect(!filter.admitsWay(to: Array(".git/b.jpg".utf8)))
        #expect(filter.admitsWay(to: Array("a/b.jpg".utf8)))
    }
}
