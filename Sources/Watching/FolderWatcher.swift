import Files
import Foundation
import Products
import Synchronization
import Threads

/// A hint that something may be different. Only the folder knows.
package enum FolderHint: Hashable, Sendable {
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
        /// Folders that cannot be watched have to be looked at now and then.
        case poll = "changes are not reported everywhere"
        case mounts = "something was mounted or unmounted"
        /// In case a change was not reported.
        case periodic = "it is time to"
    }
}

/// Watches a folder and all folders below it, on a thread of its own.
///
/// A folder is watched first and listed afterwards, so that what comes between the two is reported. Where the
/// kernel's reports got lost, everything is watched anew and to be looked at; when that happens again and again, at
/// growing intervals. What cannot be watched is to be looked at every `pollInterval`, everything every `reconcileInterval`.
package final class FolderWatcher: Sendable {
    package struct State: Hashable, Sendable {
        /// How many folders are watched.
        package var watched = 0
        /// Folders that the kernel does not let us watch; with them all below.
        package var unwatched: [String] = []
        /// Why the last of them is not, where that is not the kernel's limit of watches.
        package var unwatchedReason: String?
        /// Why nothing can be watched, or why watching is not enough.
        package var pollReason: String?
        package var overflows = 0
        package var isFolderThere = true
        /// Reports were lost, and what is to be looked at has not been told yet.
        package var isBehind = false
        /// When the thread was last seen at work.
        package var heartbeat: ContinuousClock.Instant
    }

    private let folder: String
    private let filter: PhotoFilter
    private let pollInterval: Duration
    private let reconcileInterval: Duration
    private let files: any FileCalls
    private let now: Now
    private let onChange: @Sendable (FolderHint) -> Void
    private let shared: Mutex<State>
    private let isStopping = Atomic(false)
    private let thread = Mutex<OwnThread?>(nil)

    /// - Parameters:
    ///   - folder: absolute path; may itself be a link.
    ///   - files: the calls to the file system.
    ///   - onChange: called on the watcher's thread; must not wait.
    package init(
        folder: String, filter: PhotoFilter, pollInterval: Duration, reconcileInterval: Duration,
        files: any FileCalls = SystemFiles(), now: @escaping Now = { .now },
        onChange: @escaping @Sendable (FolderHint) -> Void
    ) {
        self.folder = folder
        (self.files, self.now) = (files, now)
        shared = Mutex(State(heartbeat: now()))
        self.filter = filter
        self.pollInterval = pollInterval
        self.reconcileInterval = reconcileInterval
        self.onChange = onChange
    }

    package var state: State { shared.withLock { $0 } }

    /// Begins to watch. Returns when all watches are set. Of all watchers of the process one at a time may run.
    ///
    /// - Parameter whileWaiting: called each second until then: a first walk over a slow disk may take minutes.
    /// - Throws: where there is no thread to be had.
    package func start(whileWaiting: () -> Void = {}) throws(ThreadError) {
        let isSet = DispatchSemaphore(value: 0)
        let started = try OwnThread("watcher") { [self] in
            var watch = Watch(
                folder, filter, pollInterval: pollInterval, reconcileInterval: reconcileInterval,
                files: files, now: now, onChange,
                isStopping: { [self] in isStopping.load(ordering: .relaxed) },
                update: { [self] change in shared.withLock { change(&$0) } })
            watch.begin()
            isSet.signal()
            while !isStopping.load(ordering: .relaxed) { watch.step() }
            _ = consume watch
        }
        thread.withLock { $0 = started }
        while isSet.wait(timeout: .now() + 1) == .timedOut { whileWaiting() }
    }

    /// Ends the thread; waits for it, which takes up to a second.
    package func stop() {
        isStopping.store(true, ordering: .relaxed)
        thread.withLock { $0 }?.join()
    }
}

/// What the watcher's thread knows.
///
/// More than 300 lines: what the kernel reports, which folders are watched and when they are looked at change one another
/// at every step.
private struct Watch: ~Copyable {
    private let folder: String
    private let filter: PhotoFilter
    private let pollInterval: Duration
    private let reconcileInterval: Duration
    private let files: any FileCalls
    private let now: Now
    private let onChange: @Sendable (FolderHint) -> Void
    private let isStopping: () -> Bool
    private let update: ((inout FolderWatcher.State) -> Void) -> Void

    private var queue: Inotify?
    /// How many watches were set since the queue was opened.
    private var watchesSet = 0
    private var tree = WatchedTree()
    /// Folders that the kernel does not let us watch, and folders on file systems that do not report all changes.
    private var unwatched: Set<[UInt8]> = []
    private var remote: [[UInt8]: String] = [:]
    /// The watch on the image folder itself.
    private var root: Int32?
    private var mounts = MountTable()
    /// The first half of a rename of a folder.
    private var departing: (cookie: UInt32, path: [UInt8])?
    private var nextCheck: ContinuousClock.Instant
    private var nextPoll: ContinuousClock.Instant
    private var nextLook: ContinuousClock.Instant
    private var backOff = Duration.zero
    private var lastOverflow: ContinuousClock.Instant?

    /// The library leaks a little with each folder that is removed, and a folder that was moved away stays watched;
    /// beyond this the queue is opened anew.
    private static let watchesBetweenOpenings = 200_000
    private static let checkInterval = Duration.seconds(1)
    private static let longestBackOff = Duration.seconds(30)
    /// After so long without an overflow the next one is dealt with at once again.
    private static let calm = Duration.seconds(60)

    init(
        _ folder: String, _ filter: PhotoFilter, pollInterval: Duration, reconcileInterval: Duration,
        files: any FileCalls, now: @escaping Now, _ onChange: @escaping @Sendable (FolderHint) -> Void,
        isStopping: @escaping () -> Bool,
        update: @escaping ((inout FolderWatcher.State) -> Void) -> Void
    ) {
        self.folder = folder
        self.filter = filter
        self.pollInterval = pollInterval
        self.reconcileInterval = reconcileInterval
        self.files = files
        self.onChange = onChange
        self.isStopping = isStopping
        self.update = update
        self.now = now
        (nextCheck, nextPoll, nextLook) = (now(), now(), now())
    }

    /// Sets all watches.
    mutating func begin() {
        queue = nil  // closed before another is opened
        watchesSet = 0
        tree = WatchedTree()
        unwatched = []
        remote = [:]
        root = nil
        departing = nil
        var reason: String?
        do throws(Inotify.Failure) {
            queue = try Inotify()
        } catch {
            reason =
                "inotify cannot be used (\(errnoText(error.errno))); raise fs.inotify.max_user_instances"
        }
        // What is mounted from here on is noticed.
        mounts.update()
        let descriptor = openRoot()
        if descriptor >= 0 { watch([], descriptor, on: nil) }
        let now = now()
        (nextPoll, nextLook) = (now + pollInterval, now + reconcileInterval)
        nextCheck = now + Self.checkInterval
        let isThere = descriptor >= 0
        update {
            $0.pollReason = reason
            $0.isFolderThere = isThere
            $0.isBehind = false
        }
        show()
    }

    private func show() {
        let (count, left) = (tree.count, unwatched.map { FileName(bytes: $0).text }.sorted())
        var reasons: [String] = []
        for (path, kind) in remote.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let place = path.isEmpty ? "the image folder" : FileName(bytes: path).text
            reasons.append("\(place) is on \(kind), which does not report what other hosts change")
        }
        let (isClosed, now) = (queue == nil, now())
        update {
            $0.watched = count
            $0.unwatched = left
            if !isClosed { $0.pollReason = reasons.isEmpty ? nil : reasons.joined(separator: "; ") }
            $0.heartbeat = now
        }
    }

    /// Waits up to a second for an event and deals with it.
    mutating func step() {
        var event: Inotify.Event?
        if queue != nil {
            do throws(Inotify.Failure) {
                event = try queue!.next(seconds: 1)
            } catch {
                // Whatever was reported, we cannot read it.
                overflow()
            }
        } else {
            sleep(1)
        }
        if let event {
            let before = (tree.count, unwatched.count, remote.count)
            handle(event)
            if (tree.count, unwatched.count, remote.count) != before { show() }
        }
        let now = now()
        if event == nil || now >= nextCheck {
            nextCheck = now + Self.checkInterval
            check(now)
        }
    }

    private mutating func check(_ now: ContinuousClock.Instant) {
        checkRoot()
        if now >= nextLook || watchesSet - tree.count > Self.watchesBetweenOpenings {
            beginAgain(because: .periodic)
        } else if mounts.hasChanged(atOrBelow: folder) {
            beginAgain(because: .mounts)
        } else if now >= nextPoll {
            poll(now)
        }
        show()
    }

    private mutating func beginAgain(because reason: FolderHint.EverythingReason) {
        update { $0.isBehind = true }
        begin()
        onChange(.everything(reason))
    }

    /// Has looked at what is not watched, and tries to watch it.
    private mutating func poll(_ now: ContinuousClock.Instant) {
        nextPoll = now + pollInterval
        if queue == nil || unwatched.contains([]) || remote[[]] != nil {
            // The image folder itself: nothing is known of anything.
            if remote[[]] == nil { begin() }
            onChange(.everything(.poll))
            return
        }
        for path in unwatched {
            unwatched.remove(path)
            watchFolder(at: path)
            if let path = ImagePath(FileName(bytes: path)) { onChange(.folder(path)) }
        }
        for path in remote.keys {
            if let path = ImagePath(FileName(bytes: path)) { onChange(.folder(path)) }
        }
    }

    /// Notices that the image folder has gone, come back, or been replaced: mounts and links are not reported.
    private mutating func checkRoot() {
        var status = stat()
        // Opened, for a folder that may not be read is as good as none.
        let descriptor = openRoot()
        let isThere = descriptor >= 0 && files.fstat(descriptor, &status) == 0
        if descriptor >= 0 { close(descriptor) }
        let entry = root.flatMap { tree[$0] }
        if isThere, let entry, entry.inode == UInt(status.st_ino), entry.device == UInt(status.st_dev) {
            return
        }
        // Where it cannot be watched there is nothing to compare with; the polls see what there is.
        if isThere && entry == nil && (queue == nil || unwatched.contains([])) {
            update { $0.isFolderThere = true }
            return
        }
        if isThere {
            beginAgain(because: entry == nil ? .folderBack : .folderReplaced)
        } else if entry != nil || root != nil {
            tree = WatchedTree()
            root = nil
            update { $0.isFolderThere = false }
            onChange(.everything(.folderGone))
        }
    }

    // MARK: Watching folders

    /// Watches the folder at a path and all below, walking to it without following links.
    private mutating func watchFolder(at path: [UInt8]) {
        guard filter.admitsWay(to: path) else { return }
        var current = openRoot()
        guard current >= 0 else { return noteUnwatched(path, errno) }
        for part in path.split(separator: UInt8(ascii: "/")) {
            let next = openFolder(Array(part), in: current)
            let number = errno
            close(current)
            guard next >= 0 else { return noteUnwatched(path, number) }
            current = next
        }
        watch(path, current, on: nil)
    }

    /// A folder that was not opened because of what it is, or is not, is watched when it has changed; another is tried again and
    /// again.
    private mutating func noteUnwatched(_ path: [UInt8], _ number: Int32) {
        guard !isFinding(errno: number) else { return }
        leaveUnwatched(path, number)
    }

    private mutating func leaveUnwatched(_ path: [UInt8], _ number: Int32) {
        unwatched.insert(path)
        // inotify_add_watch(2) says so where the limit is reached.
        let reason = number == ENOSPC ? nil : errnoText(number)
        update { $0.unwatchedReason = reason }
    }

    /// - Parameters:
    ///   - descriptor: of the folder; closed afterwards.
    ///   - device: that of the folder above; nil where it is not known.
    private mutating func watch(_ path: [UInt8], _ descriptor: Int32, on device: UInt?) {
        defer { close(descriptor) }
        guard queue != nil else { return }
        var status = stat()
        guard files.fstat(descriptor, &status) == 0 else { return noteUnwatched(path, errno) }
        let own = UInt(status.st_dev)
        if own != device, let kind = FileSystem.remoteKind(of: descriptor), !isBelowRemote(path) {
            remote[path] = kind
        }
        do throws(Inotify.Failure) {
            let watch = try queue!.watch(folder: descriptor)
            watchesSet += 1
            tree.set(
                watch,
                WatchedTree.Entry(path: path, inode: UInt(status.st_ino), device: own))
            if path.isEmpty { root = watch }
            if watchesSet % 256 == 0 { beat() }
        } catch {
            // Without a watch here, what comes below would not be noticed either.
            leaveUnwatched(path, error.errno)
            return
        }
        let (names, failure) = files.names(in: descriptor) { $0 == UInt8(DT_DIR) || $0 == UInt8(DT_UNKNOWN) }
        if let failure { noteUnwatched(path, failure) }
        for name in names {
            let child = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
            guard filter.admits(child), child.count < Int(PATH_MAX) else { continue }
            let opened = openFolder(name, in: descriptor)
            if opened >= 0 { watch(child, opened, on: own) } else { noteUnwatched(child, errno) }
        }
    }

    private func beat() {
        let now = now()
        update { $0.heartbeat = now }
    }

    private func isBelowRemote(_ path: [UInt8]) -> Bool {
        remote.keys.contains { $0 != path && isPath(path, atOrBelow: $0) }
    }

    /// Forgets a folder that is not where it was, and all below.
    private mutating func forget(_ path: [UInt8]) {
        tree.remove(atOrBelow: path)
        unwatched = unwatched.filter { !isPath($0, atOrBelow: path) }
        remote = remote.filter { !isPath($0.key, atOrBelow: path) }
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
        forget(entry.path)
        // What was mounted there is gone; the folder below it may be there. One that could not be looked at may be where it was.
        if !event.mask.contains(.deleteSelf) { watchFolder(at: entry.path) }
        if let path = ImagePath(FileName(bytes: entry.path)) { onChange(.folder(path)) }
    }

    private func isStillAt(_ entry: WatchedTree.Entry) -> Bool {
        var status = stat()
        return look(at: entry.path, &status) && UInt(status.st_ino) == entry.inode
            && UInt(status.st_dev) == entry.device
    }

    /// Something happened to a folder in a watched folder.
    private mutating func handleFolder(_ event: Inotify.Event, _ path: [UInt8]) {
        if event.mask.contains(.movedFrom) { departing = (event.cookie, path) }
        if event.mask.contains(.movedTo), let departing, departing.cookie == event.cookie {
            self.departing = nil
            let isExchange = tree.watch(at: path) != nil
            forget(path)
            tree.rename(departing.path, to: path)
            if !filter.admits(path) { forget(path) }
            if isExchange {
                watchFolder(at: departing.path)
                if let path = ImagePath(FileName(bytes: departing.path)) { onChange(.folder(path)) }
            }
        }
        guard filter.admits(path), let imagePath = ImagePath(FileName(bytes: path)) else { return }
        if !event.mask.isDisjoint(with: [.create, .movedTo]) {
            // Whatever happened since it was reported: the folder that is there now is the one to watch.
            watchFolder(at: path)
        } else if event.mask.contains(.attributes) {
            // One that could not be read before may be readable now.
            let isKnown = tree.watch(at: path).flatMap { tree[$0] }.map { isStillAt($0) } ?? false
            if !isKnown { watchFolder(at: path) }
        } else if event.mask.contains(.delete) {
            forget(path)
        }
        onChange(.folder(imagePath))
    }

    private func handleFile(_ event: Inotify.Event, _ path: [UInt8], in entry: WatchedTree.Entry) {
        guard filter.admits(path), let imagePath = ImagePath(FileName(bytes: path)) else { return }
        if !filter.isPhotoName(event.name) {
            // It may be a link in a folder's place, or have been.
            if !event.mask.isDisjoint(with: [.movedFrom, .delete])
                || !event.mask.isDisjoint(with: [.create, .movedTo]) && mayBeLink(path)
            {
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

    private func mayBeLink(_ path: [UInt8]) -> Bool {
        var status = stat()
        return look(at: path, &status) ? status.st_mode & S_IFMT == S_IFLNK : errno != ENOENT
    }

    /// Whether there is something at a path; a link is something itself.
    private func look(at path: [UInt8], _ status: inout stat) -> Bool {
        (Array(folder.utf8) + [UInt8(ascii: "/")] + path).withName {
            files.fstatat(AT_FDCWD, $0, &status, AT_SYMLINK_NOFOLLOW) == 0
        }
    }

    private func openRoot() -> Int32 { files.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }

    private func openFolder(_ name: [UInt8], in folder: Int32) -> Int32 {
        name.withName { files.openat(folder, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0) }
    }

    /// Reports were lost: everything is watched anew, after a pause that doubles while it happens again and again.
    private mutating func overflow() {
        let now = now()
        if let lastOverflow, now - lastOverflow < Self.calm {
            backOff = min(max(backOff * 2, .milliseconds(250)), Self.longestBackOff)
        } else {
            backOff = .zero
        }
        lastOverflow = now
        update {
            $0.overflows += 1
            $0.isBehind = true
        }
        let end = now + backOff
        while self.now() < end, !isStopping() {
            usleep(100_000)
            beat()
        }
        begin()
        onChange(.everything(.overflow))
    }
}
