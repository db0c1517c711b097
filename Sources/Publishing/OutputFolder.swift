import Files
import Glibc

// Every path is walked part by part from the folder's own descriptor, without following links, so that nothing
// outside is reached and no path is too long.

/// The output folder: reads, writes, renames and removes below it.
struct OutputFolder: ~Copyable {
    let path: String
    let root: Folder
    let files: any FileCalls
    /// The folder that was used last: neighbouring files lie in one.
    private var latest: (components: [String], folder: Folder)?
    private var stagingFolder: Folder?

    /// Files lie here until they are whole. It begins with a dot: site generators pass over it.
    static let staging = ".imgrec-agent-staging"
    private static let flushedOneByOne = 64

    init(path: String, files: any FileCalls) throws(PublishingError) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            guard files.mkdir(made, 0o755) == 0 || errno == EEXIST || errno == EROFS || errno == EACCES else {
                throw .cannotWrite(path: made, errno: errno)
            }
        }
        let descriptor = files.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw .cannotWrite(path: path, errno: errno) }
        let root = Folder(owning: descriptor)
        // Two agents with state folders of their own may have been given one output folder.
        guard files.lock(descriptor) == 0 else {
            throw errno == EWOULDBLOCK ? .busy(folder: path) : .noLock(folder: path, errno: errno)
        }
        (self.path, self.root, self.files) = (path, root, files)
    }

    /// Folders are walked to anew: somebody else may have removed them meanwhile.
    mutating func forgetLatest() { latest = nil }

    /// Whether the path still leads to the folder that was opened.
    var isInPlace: Bool {
        var (opened, found) = (stat(), stat())
        return files.fstat(root.descriptor, &opened) == 0 && files.fstatat(AT_FDCWD, path, &found, 0) == 0
            && opened.st_dev == found.st_dev && opened.st_ino == found.st_ino
    }

    /// Whether there is anything in a folder.
    mutating func hasFiles(in component: String) throws(PublishingError) -> Bool {
        guard let folder = try folder([component], create: false) else { return false }
        return !(try names(in: folder).isEmpty)
    }

    // MARK: Reading

    /// The bytes of a file, or nil where there is no such file.
    ///
    /// - Parameter limit: where it is longer, only so many are read.
    mutating func read(_ components: [String], atMost limit: Int = .max) throws(PublishingError) -> [UInt8]? {
        guard let parent = try folder(components.dropLast(), create: false) else { return nil }
        let file = files.openat(
            parent.descriptor, components.last!, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw .cannotWrite(path: "\(path)/\(components.joined(separator: "/"))", errno: errno)
        }
        defer { close(file) }
        func failure(_ number: Int32) -> PublishingError {
            .cannotWrite(path: "\(path)/\(components.joined(separator: "/"))", errno: number)
        }
        var status = stat()
        guard files.fstat(file, &status) == 0 else { throw failure(errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw failure(EISDIR) }
        var number: Int32?
        let bytes = [UInt8](unsafeUninitializedCapacity: min(limit, Int(status.st_size))) { buffer, count in
            (count, number) = files.readAll(file, UnsafeMutableRawBufferPointer(buffer))
        }
        if let number { throw failure(number) }
        return bytes
    }

    // MARK: Staging

    /// Removes what an interrupted run left aside.
    mutating func emptyStaging() throws(PublishingError) {
        guard let staging = try folder([Self.staging], create: false) else { return }
        for name in try names(in: staging) {
            _ = name.withName { files.unlinkat(staging.descriptor, $0, 0) }
        }
    }

    mutating func removeStaging() throws(PublishingError) {
        stagingFolder = nil
        guard
            files.unlinkat(root.descriptor, Self.staging, AT_REMOVEDIR) == 0 || errno == ENOENT
                || errno == ENOTEMPTY
        else {
            throw .cannotWrite(path: "\(path)/\(Self.staging)", errno: errno)
        }
    }

    mutating func makeStaging() throws(PublishingError) {
        if stagingFolder == nil { stagingFolder = try folder([Self.staging], create: true) }
    }

    mutating func writeStaged(_ name: String, _ bytes: [UInt8]) throws(PublishingError) {
        try makeStaging()
        guard let staging = stagingFolder else {
            throw .cannotWrite(path: "\(path)/\(Self.staging)", errno: ENOENT)
        }
        try write(bytes, name, in: staging)
    }

    /// Writes a file into an open folder of this one.
    func write(_ bytes: [UInt8], _ name: String, in parent: Folder) throws(PublishingError) {
        let file = files.openat(
            parent.descriptor, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw .cannotWrite(path: "\(path)/\(Self.staging)", errno: errno) }
        defer { close(file) }
        if let number = bytes.withUnsafeBytes({ files.writeAll(file, $0) }) {
            throw .cannotWrite(path: "\(path)/\(Self.staging)", errno: number)
        }
    }

    /// Waits until the staged files are on the disk. A few are flushed one by one; for many it is quicker to have
    /// the whole file system flushed, whatever else waits to be written there.
    func synchronize(_ names: [String]) throws(PublishingError) {
        guard let staging = stagingFolder, names.count <= Self.flushedOneByOne else {
            guard files.syncfs(root.descriptor) == 0 else { throw .cannotWrite(path: path, errno: errno) }
            return
        }
        for name in names {
            let file = files.openat(staging.descriptor, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0)
            guard file >= 0 else { throw .cannotWrite(path: "\(path)/\(Self.staging)", errno: errno) }
            defer { close(file) }
            guard files.fdatasync(file) == 0 else {
                throw .cannotWrite(path: "\(path)/\(Self.staging)", errno: errno)
            }
        }
    }

    mutating func publishStaged(_ name: String, at components: [String]) throws(PublishingError) {
        guard let staging = stagingFolder else {
            throw .cannotWrite(path: "\(path)/\(Self.staging)", errno: ENOENT)
        }
        let parent = try folder(components.dropLast(), create: true)!
        guard files.renameat(staging.descriptor, name, parent.descriptor, components.last!) == 0 else {
            throw .cannotWrite(path: "\(path)/\(components.joined(separator: "/"))", errno: errno)
        }
    }

    // MARK: Removing

    /// Removes a file, and the folders that are empty without it. Returns whether there was one.
    mutating func remove(_ components: [String]) throws(PublishingError) -> Bool {
        defer { latest = nil }
        var isRemoved = false
        if let parent = try folder(components.dropLast(), create: false) {
            isRemoved = files.unlinkat(parent.descriptor, components.last!, 0) == 0
            guard isRemoved || errno == ENOENT else {
                throw .cannotWrite(path: "\(path)/\(components.joined(separator: "/"))", errno: errno)
            }
        }
        // Also where there was no file: a run that was stopped may have left its folder.
        var rest = components.dropLast()
        while let name = rest.popLast(), !rest.isEmpty {
            latest = nil
            guard let above = try folder(rest, create: false) else { continue }
            guard files.unlinkat(above.descriptor, name, AT_REMOVEDIR) == 0 || errno == ENOENT else { break }
        }
        return isRemoved
    }

    func removeIfEmpty(_ name: String) { _ = files.unlinkat(root.descriptor, name, AT_REMOVEDIR) }

    // MARK: Walking

    /// Owns an open folder.
    final class Folder {
        let descriptor: Int32
        init(owning descriptor: Int32) { self.descriptor = descriptor }
        deinit { close(descriptor) }
    }

    /// What is in a folder, as the file system has the names.
    func names(in folder: Folder) throws(PublishingError) -> [[UInt8]] {
        let (names, number) = files.names(in: folder.descriptor)
        if let number { throw .cannotWrite(path: path, errno: number) }
        return names
    }

    /// The folder at a path, or nil where there is none and none is to be made.
    mutating func folder(
        _ components: some Collection<String>, create: Bool
    ) throws(PublishingError) -> Folder? {
        // Compared as bytes: two folders may differ in Unicode spelling alone.
        if let latest, latest.components.elementsEqual(components, by: { $0.utf8.elementsEqual($1.utf8) }) {
            return latest.folder
        }
        var current = root
        for component in components {
            guard !create || files.mkdirat(current.descriptor, component, 0o755) == 0 || errno == EEXIST
            else {
                throw .cannotWrite(path: "\(path)/\(components.joined(separator: "/"))", errno: errno)
            }
            let next = files.openat(
                current.descriptor, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
            guard next >= 0 else {
                if !create && errno == ENOENT { return nil }
                throw .cannotWrite(path: "\(path)/\(components.joined(separator: "/"))", errno: errno)
            }
            current = Folder(owning: next)
        }
        latest = (Array(components), current)
        return current
    }
}
