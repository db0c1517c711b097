import Foundation
import Products
import Synchronization

/// A hint that something may be different. Only the folder knows.
package enum FolderChange: Hashable, Sendable {
    case photo(ImagePath, PhotoChange)
    /// A folder came, went, or was not watched for a while: look at it and all below.
    case folder(ImagePath)
    case everything(EverythingReason)

    package enum PhotoChange: Hashable, Sendable {
        /// The name is new; whoever made it may still be writing.
        case begun
        /// Closed after writing, or moved here: the photo is whole.
        case finished
        /// Permissions or times changed.
        case touched
        /// Removed, or moved away.
        case gone
    }

    package enum EverythingReason: String, Hashable, Sendable {
        /// The kernel reported faster than we read, and threw reports away.
        case overflow = "reports of changes were lost"
        case folderReplaced = "the image folder is another one now"
        case folderBack = "the image folder is back"
        case folderGone = "the image folder is gone"
        case poll = "the file system does not report changes"
    }
}

/// Watches a folder and all folders below it, on a thread of its own.
///
/// A folder is watched first and listed afterwards, so that what comes between the two is reported. Where the
/// kernel's reports got lost, everything is watched anew and to be looked at; when that happens again and again, at
/// growing intervals. What cannot be watched is to be looked at every `pollInterval`.
package final class FolderWatcher: Sendable {
    package struct State: Hashable, Sendable {
        /// How many folders are watched.
        package var watched = 0
        /// Folders that the kernel does not let us watch; with them all below.
        package var unwatched: [String] = []
        /// Why nothing can be watched, or why watching is not enough.
        package var pollReason: String?
        package var overflows = 0
        package var isFolderThere = true
        /// When the thread was last seen at work.
        package var heartbeat = ContinuousClock.now
    }

    private let folder: String
    private let filter: PhotoFilter
    private let pollInterval: Duration
    private let onChange: @Sendable (FolderChange) -> Void
    private let shared = Mutex(State())
    private let isStopping = Atomic(false)
    private let hasEnded = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - folder: absolute path; may itself be a link.
    ///   - onChange: called on the watcher's thread; must not wait.
    package init(
        folder: String, filter: PhotoFilter, pollInterval: Duration,
        onChange: @escaping @Sendable (FolderChange) -> Void
    ) {
        self.folder = folder
        self.filter = filter
        self.pollInterval = pollInterval
        self.onChange = onChange
    }

    package var state: State { shared.withLock { $0 } }

    /// Begins to watch. Returns when all watches are set. Of all watchers of the process one at a time may run.
    package func start() {
        let isSet = DispatchSemaphore(value: 0)
        let thread = Thread { [self] in
            var watch = Watch(folder, filter, pollInterval, onChange) { [self] change in
                shared.withLock { change(&$0) }
            }
            watch.begin()
            isSet.signal()
            while !isStopping.load(ordering: .relaxed) { watch.step() }
            _ = consume watch
            hasEnded.signal()
        }
        thread.name = "watcher"
        thread.start()
        isSet.wait()
    }

    /// Ends the thread; waits for it, which takes up to a second.
    package func stop() {
        isStopping.store(true, ordering: .relaxed)
        hasEnded.wait()
    }
}

/// What the watcher's thread knows.
private struct Watch: ~Copyable {
    private let folder: String
    private let filter: PhotoFilter
    private let pollInterval: Duration
    private let onChange: @Sendable (FolderChange) -> Void
    private let update: ((inout FolderWatcher.State) -> Void) -> Void

    private var queue: Inotify?
    /// How many watches were set since the queue was opened.
    private var watchesSet = 0
    private var tree = WatchedTree()
    private var unwatched: Set<[UInt8]> = []
    /// The watch on the image folder itself.
    private var root: Int32?
    /// The first half of a rename of a folder.
    private var departing: (cookie: UInt32, path: [UInt8])?
    private var nextCheck = ContinuousClock.now
    private var nextPoll = ContinuousClock.now
    private var pollsEverything = false
    private var backOff = Duration.zero
    private var lastOverflow: ContinuousClock.Instant?

    /// The library leaks a little with each folder that is removed; beyond this it is opened anew.
    private static let watchesBetweenOpenings = 200_000
    private static let checkInterval = Duration.seconds(1)
    private static let longestBackOff = Duration.seconds(30)
    /// After so long without an overflow the next one is dealt with at once again.
    private static let calm = Duration.seconds(60)

    init(
        _ folder: String, _ filter: PhotoFilter, _ pollInterval: Duration,
        _ onChange: @escaping @Sendable (FolderChange) -> Void,
        update: @escaping ((inout FolderWatcher.State) -> Void) -> Void
    ) {
        self.folder = folder
        self.filter = filter
        self.pollInterval = pollInterval
        self.onChange = onChange
        self.update = update
    }

    /// Sets all watches.
    mutating func begin() {
        queue = nil  // closed before another is opened
        watchesSet = 0
        tree = WatchedTree()
        unwatched = []
        root = nil
        departing = nil
        var reason: String?
        do throws(Inotify.Failure) {
            queue = try Inotify()
        } catch {
            reason =
                "inotify cannot be used (\(String(cString: strerror(error.errno)))); raise fs.inotify.max_user_instances"
        }
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor >= 0 {
            if let kind = FileSystem.remoteKind(of: descriptor) {
                reason = "\(kind) does not report what other hosts change"
            }
            watch([], descriptor)
        }
        pollsEverything = reason != nil
        nextPoll = .now + pollInterval
        nextCheck = .now + Self.checkInterval
        let isThere = descriptor >= 0
        update {
            $0.pollReason = reason
            $0.isFolderThere = isThere
        }
        show()
    }

    private func show() {
        let (count, left) = (tree.count, unwatched.map { FileName(bytes: $0).text }.sorted())
        update {
            $0.watched = count
            $0.unwatched = left
            $0.heartbeat = .now
        }
    }

    /// Waits up to a second for an event and deals with it.
    mutating func step() {
        let event: Inotify.Event?
        if queue != nil {
            event = queue!.next(seconds: 1)
        } else {
            sleep(1)
            event = nil
        }
        if let event {
            let before = (tree.count, unwatched.count)
            handle(event)
            if (tree.count, unwatched.count) != before { show() }
        }
        let now = ContinuousClock.now
        if event == nil || now >= nextCheck {
            nextCheck = now + Self.checkInterval
            check(now)
        }
    }

    private mutating func check(_ now: ContinuousClock.Instant) {
        checkRoot()
        if now >= nextPoll {
            nextPoll = now + pollInterval
            if pollsEverything {
                onChange(.everything(.poll))
            } else {
                for path in unwatched {
                    unwatched.remove(path)
                    watchFolder(at: path)
                    if let path = ImagePath(FileName(bytes: path)) { onChange(.folder(path)) }
                }
            }
        }
        if watchesSet - tree.count > Self.watchesBetweenOpenings {
            begin()
            onChange(.everything(.overflow))
        }
        show()
    }

    /// Notices that the image folder has gone, come back, or been replaced: mounts and links are not reported.
    private mutating func checkRoot() {
        var status = stat()
        let isThere = stat(folder, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        let entry = root.flatMap { tree[$0] }
        if isThere, let entry, entry.inode == UInt(status.st_ino), entry.device == UInt(status.st_dev) {
            return
        }
        // Where nothing can be watched there is no root to compare with; the polls see what there is.
        if isThere && entry == nil && (queue == nil || unwatched.contains([])) {
            update { $0.isFolderThere = true }
            return
        }
        if isThere {
            let reason: FolderChange.EverythingReason = entry == nil ? .folderBack : .folderReplaced
            begin()
            onChange(.everything(reason))
        } else if entry != nil || root != nil {
            for watch in tree.entries.keys { tree.remove(watch) }
            root = nil
            update { $0.isFolderThere = false }
            onChange(.everything(.folderGone))
        }
    }

    // MARK: Watching folders

    /// Watches the folder at a path and all below, walking to it without following links.
    private mutating func watchFolder(at path: [UInt8]) {
        guard filter.admitsWay(to: path) else { return }
        var current = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        for part in path.split(separator: UInt8(ascii: "/")) where current >= 0 {
            let next = (Array(part) + [0]).withUnsafeBytes {
                openat(
                    current, $0.baseAddress!.assumingMemoryBound(to: CChar.self),
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            }
            close(current)
            current = next
        }
        if current >= 0 { watch(path, current) }
    }

    /// - Parameter descriptor: of the folder; closed afterwards.
    private mutating func watch(_ path: [UInt8], _ descriptor: Int32) {
        guard queue != nil, let directory = fdopendir(descriptor) else {
            close(descriptor)
            return
        }
        defer { closedir(directory) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return }
        do throws(Inotify.Failure) {
            let watch = try queue!.watch(folder: descriptor)
            watchesSet += 1
            tree.set(
                watch,
                WatchedTree.Entry(path: path, inode: UInt(status.st_ino), device: UInt(status.st_dev)))
            if path.isEmpty { root = watch }
        } catch {
            // Without a watch here, what comes below would not be noticed either.
            unwatched.insert(path)
            return
        }
        var names: [[UInt8]] = []
        while let entry = readdir(directory) {
            guard entry.pointee.d_type == UInt8(DT_DIR) || entry.pointee.d_type == UInt8(DT_UNKNOWN) else {
                continue
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: UInt8.self, capacity: 256) {
                    Array(UnsafeBufferPointer(start: $0, count: strlen($0)))
                }
            }
            names.append(name)
        }
        for name in names {
            let child = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
            guard filter.admits(child), child.count < Int(PATH_MAX) else { continue }
            let opened = (name + [0]).withUnsafeBytes {
                openat(
                    descriptor, $0.baseAddress!.assumingMemoryBound(to: CChar.self),
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            }
            if opened >= 0 { watch(child, opened) }
        }
    }

    /// Stops watching a folder that is not where it was, and all below.
    private mutating func unwatch(_ path: [UInt8]) {
        for watch in tree.watches(atOrBelow: path) {
            tree.remove(watch)
            queue!.remove(watch)
        }
    }

    // MARK: Events

    private mutating func handle(_ event: Inotify.Event) {
        if event.mask.contains(.queueOverflow) { return overflow() }
        guard let folder = tree[event.watch] else { return }
        if event.mask.contains(.ignored) {
            tree.remove(event.watch)
            if event.watch == root { checkRoot() }
        } else if event.name.isEmpty {
            handleSelf(event, folder)
        } else {
            let path = folder.path.isEmpty ? event.name : folder.path + [UInt8(ascii: "/")] + event.name
            if event.mask.contains(.isFolder) {
                handleFolder(event, path)
            } else {
                handleFile(event, path, in: folder)
            }
        }
    }

    /// Something happened to a watched folder itself.
    private mutating func handleSelf(_ event: Inotify.Event, _ entry: WatchedTree.Entry) {
        guard !event.mask.isDisjoint(with: [.moveSelf, .deleteSelf, .unmount]) else { return }
        if event.watch == root { return checkRoot() }
        // The folder above has told of a rename within, and the path is right again. If it has not, the folder
        // was moved away.
        if event.mask.contains(.moveSelf), isStillAt(entry) { return }
        if event.mask.contains(.moveSelf) { unwatch(entry.path) }
        if let path = ImagePath(FileName(bytes: entry.path)) { onChange(.folder(path)) }
    }

    private func isStillAt(_ entry: WatchedTree.Entry) -> Bool {
        var status = stat()
        let path = Array(folder.utf8) + [UInt8(ascii: "/")] + entry.path + [0]
        let isThere = path.withUnsafeBytes {
            lstat($0.baseAddress!.assumingMemoryBound(to: CChar.self), &status) == 0
        }
        return isThere && UInt(status.st_ino) == entry.inode && UInt(status.st_dev) == entry.device
    }

    /// Something happened to a folder in a watched folder.
    private mutating func handleFolder(_ event: Inotify.Event, _ path: [UInt8]) {
        if event.mask.contains(.movedFrom) { departing = (event.cookie, path) }
        if event.mask.contains(.movedTo), let departing, departing.cookie == event.cookie {
            self.departing = nil
            tree.rename(departing.path, to: path)
            if !filter.admits(path) { unwatch(path) }
        }
        guard filter.admits(path), let imagePath = ImagePath(FileName(bytes: path)) else { return }
        if !event.mask.isDisjoint(with: [.create, .movedTo, .attributes]) {
            // Whatever happened since it was reported: the folder that is there now is the one to watch.
            watchFolder(at: path)
        } else {
            unwatched = unwatched.filter { !isPath($0, atOrBelow: path) }
        }
        onChange(.folder(imagePath))
    }

    private func handleFile(_ event: Inotify.Event, _ path: [UInt8], in entry: WatchedTree.Entry) {
        guard filter.admits(path), let imagePath = ImagePath(FileName(bytes: path)) else { return }
        if !filter.isPhotoName(event.name) {
            // It may be a link in a folder's place.
            if !event.mask.isDisjoint(with: [.create, .movedTo, .movedFrom, .delete]), isLink(path) {
                onChange(.folder(imagePath))
            }
            return
        }
        if !event.mask.isDisjoint(with: [.closeWrite, .movedTo]) {
            onChange(.photo(imagePath, .finished))
        } else if !event.mask.isDisjoint(with: [.delete, .movedFrom]) {
            onChange(.photo(imagePath, .gone))
        } else if event.mask.contains(.create) {
            onChange(.photo(imagePath, .begun))
        } else if event.mask.contains(.attributes) {
            onChange(.photo(imagePath, .touched))
        }
    }

    private func isLink(_ path: [UInt8]) -> Bool {
        var status = stat()
        let full = Array(folder.utf8) + [UInt8(ascii: "/")] + path + [0]
        return full.withUnsafeBytes {
            lstat($0.baseAddress!.assumingMemoryBound(to: CChar.self), &status) == 0
        } && status.st_mode & S_IFMT == S_IFLNK
    }

    /// Reports were lost: everything is watched anew, after a pause that doubles while it happens again and again.
    private mutating func overflow() {
        let now = ContinuousClock.now
        if let lastOverflow, now - lastOverflow < Self.calm {
            backOff = min(max(backOff * 2, .milliseconds(250)), Self.longestBackOff)
        } else {
            backOff = .zero
        }
        lastOverflow = now
        update { $0.overflows += 1 }
        let end = now + backOff
        while ContinuousClock.now < end {
            usleep(100_000)
            update { $0.heartbeat = .now }
        }
        begin()
        onChange(.everything(.overflow))
    }
}
