import Files
import Foundation
import Products
import Synchronization
import TestSupport
import Testing
import Threads

@testable import Watching

private let kinds: Set<FailingFiles.Kind> = [.open, .look, .list]

/// Each call to the file system fails once, or from then on, in each way that it can fail in.
@Suite("A scan of a folder that fails")
struct FolderScanFaultTests {
    private let folder: TemporaryFolder
    private let filter = PhotoFilter(extensions: ["jpg"], excludes: [], followsLinks: true)
    private static let photos = ["a.jpg", "sub/b.jpg", "sub/deep/c.jpg", "other/d.jpg"]

    init() throws {
        folder = try TemporaryFolder()
        for photo in Self.photos { try folder.write(photo, [1]) }
        for (link, target) in [("link.jpg", "a.jpg"), ("sub/link.jpg", "../other/d.jpg"), ("linked", "sub")] {
            try FileManager.default.createSymbolicLink(
                atPath: "\(folder.path)/\(link)", withDestinationPath: target)
        }
    }

    private func scan(_ places: [String]?, _ files: any FileCalls = SystemFiles()) throws -> FolderScan {
        guard let places else { return try FolderScan(of: folder.path, filter: filter, files: files) }
        return try FolderScan(
            of: folder.path, at: places.map { try #require(ImagePath($0)) }, filter: filter, files: files)
    }

    /// Whether what the scan says leaves it open that there is a photo.
    private func mayHave(_ path: ImagePath, _ scan: FolderScan) -> Bool {
        scan.obstacles.contains {
            $0.hidesItself && $0.path == path
                || $0.hidesPhotos && path.text.hasPrefix("\($0.path.text)/")
        }
    }

    @Test(
        "misses no photo without saying so, and finds none that is not there",
        arguments: [EIO, EMFILE, ENOMEM, EACCES, ESTALE],
        [nil, ["sub"], ["a.jpg", "link.jpg", "sub/link.jpg", "sub/deep/c.jpg", "other", "linked/b.jpg"]])
    func faults(number: Int32, places: [String]?) throws {
        let whole = try scan(places)
        #expect(whole.photos.count == (places == nil ? 6 : places!.count == 1 ? 3 : 5))
        var (injected, thrown) = (0, 0)
        for isLasting in [false, true] {
            var call = 1
            while true {
                let files = FailingFiles(.errno(number), at: call, isLasting: isLasting, of: kinds)
                do {
                    let found = try scan(places, files)
                    #expect(Set(found.photos).isSubset(of: whole.photos))
                    for photo in Set(whole.photos).subtracting(found.photos) {
                        #expect(
                            mayHave(photo.path, found),
                            "\(photo.path), call \(call): \(files.injected[0]) fails with \(errnoText(number))"
                        )
                    }
                    if files.injected.isEmpty { #expect(found.obstacles == whole.obstacles) }
                } catch let error as FolderScanError {
                    thrown += 1
                    #expect(error == .unreadable(folder: folder.path, errno: number))
                }
                if files.injected.isEmpty { break }
                (call, injected) = (call + 1, injected + 1)
            }
        }
        print("scan, \(errnoText(number)): \(injected) faults injected, \(thrown) said of the whole folder")
        #expect(injected > 0)
    }
}

extension FolderWatcherTests {
    private static let folders = ["", "sub", "sub/deep"]
    /// What fails, in turn: for want of descriptors, on a broken disk, and where a server has something else there by now.
    private static func fault(_ call: Int) -> FailingFiles.Fault { .errno([EMFILE, EIO, ESTALE][call % 3]) }

    /// A watcher that looks often at what it cannot watch.
    private func watcher(_ files: any FileCalls, _ reports: Reports) -> FolderWatcher {
        FolderWatcher(
            folder: photos, filter: PhotoFilter(extensions: ["jpg"], excludes: []),
            pollInterval: .milliseconds(1), reconcileInterval: .seconds(600), files: files
        ) { reports.note($0) }
    }

    /// Whether a hint has whoever hears it look at a photo.
    private func leads(_ hint: FolderHint, to path: ImagePath) -> Bool {
        switch hint {
        case .photo(let photo, _): photo == path
        case .folder(let folder): path == folder || path.text.hasPrefix("\(folder.text)/")
        case .everything(let reason): reason != .folderGone
        }
    }

    /// That a photo which is written now is reported.
    private func expectReport(of name: String, _ reports: Reports, _ comment: String) throws {
        let path = try #require(ImagePath(name))
        reports.forget()
        try folder.write("photos/\(name)", [1])
        #expect(reports.wait(for: "\(name), \(comment)") { leads($0, to: path) })
    }

    /// Ends a watcher, which sees that it is to with the next report, or after a second.
    private func end(_ watcher: FolderWatcher) {
        guard let ending = try? OwnThread("ending", { watcher.stop() }) else { return watcher.stop() }
        while !ending.join(atMost: .milliseconds(10)) { try? folder.write("photos/last of all.jpg", [1]) }
    }

    private func makeFolders(_ names: [String]) throws {
        try FileManager.default.removeItem(atPath: photos)
        for name in names { try folder.write("photos/\(name)/first.jpg", [1]) }
    }

    @Test("whatever fails while watching is set up, each photo that comes is reported")
    func faultsAtTheBeginning() throws {
        var call = 1
        while true {
            try makeFolders(Self.folders)
            let reports = Reports()
            let files = FailingFiles(Self.fault(call), at: call, isLasting: false, of: kinds)
            let watcher = watcher(files, reports)
            try watcher.start()
            defer { end(watcher) }
            let isHit = !files.injected.isEmpty
            for name in Self.folders {
                try expectReport(
                    of: "\(name.isEmpty ? "" : "\(name)/")photo-\(call).jpg", reports,
                    "call \(call): \(files.injected) failed")
            }
            guard isHit else { break }
            call += 1
        }
        print("watching: \(call - 1) faults injected at the beginning")
        #expect(call > 10)
    }

    @Test("whatever fails while folders come, go and are renamed, each photo that comes is reported")
    func faultsWhileWatching() throws {
        let manager = FileManager.default
        var call = 0
        var injected = 0
        while true {
            call += 1
            try makeFolders(Self.folders + ["other"])
            let reports = Reports()
            let files = FailingFiles(Self.fault(call), at: call, isLasting: false, of: kinds, isArmed: false)
            let watcher = watcher(files, reports)
            try watcher.start()
            defer { end(watcher) }
            files.arm()
            try manager.moveItem(atPath: "\(photos)/sub/deep", toPath: "\(photos)/other/deep")
            try manager.moveItem(atPath: "\(photos)/sub", toPath: "\(photos)/renamed")
            try manager.moveItem(atPath: "\(photos)/other", toPath: "\(folder.path)/away")
            try manager.moveItem(atPath: "\(folder.path)/away", toPath: "\(photos)/back")
            try manager.createDirectory(atPath: "\(photos)/new", withIntermediateDirectories: false)
            // The last of what happened has been dealt with.
            try expectReport(of: "last.jpg", reports, "call \(call)")
            files.disarm()
            for name in ["renamed", "back", "back/deep", "new"] {
                try expectReport(
                    of: "\(name)/photo.jpg", reports,
                    "call \(call): \(files.injected) failed")
            }
            guard !files.injected.isEmpty else { break }
            injected += 1
        }
        print("watching: \(injected) faults injected while folders changed")
        #expect(injected > 5)
    }

    @Test(
        "whoever starts a watcher while a look at its folder hangs hears of it, and watching goes on when it answers"
    )
    func hanging() throws {
        try folder.write("photos/sub/first.jpg", [1])
        let mayGoOn = DispatchSemaphore(value: 0)
        let reports = Reports()
        let files = FailingFiles(.hang(mayGoOn), at: 1, isLasting: false, of: [.look])
        let watcher = watcher(files, reports)
        var waited = 0
        try watcher.start {
            waited += 1
            if waited == 2 { mayGoOn.signal() }
        }
        defer { watcher.stop() }
        #expect(waited >= 2 && files.injected == ["fstat"])
        try expectReport(of: "sub/photo.jpg", reports, "after hanging")
    }
}
