import CLinux
import Glibc

// The corresponding C functions are open, openat, mkdirat, renameat, unlinkat and syncfs. Every path is
// walked part by part from the folder's own descriptor, without following links, so that nothing outside is
// reached and no path is too long.

/// The output folder: reads, writes, renames and removes below it.
struct OutputFolder: ~Copyable {
    let path: String
    let root: Folder
    /// The folder that was used last: neighbouring files lie in one.
    private var latest: (components: [String], folder: Folder)?
    private var stagingFolder: Folder?

    /// Files lie here until they are whole. It begins with a dot: site generators pass over it.
    static let staging = ".imgrec-agent-staging"
    private static let flushedOneByOne = 64

    init(path: String) throws(PublishingError) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            guard mkdir(made, 0o755) == 0 || errno == EEXIST || errno == EROFS || errno == EACCES else {
                throw .cannotWrite(path: made, errno: errno)
            }
        }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .cannotWrite(path: path, errno: errno) }
        let root = Folder(owning: descriptor)
        // Two agents with state folders of their own may have been given one output folder.
        guard imgrec_lock(descriptor) == 0 else {
            throw errno == EWOULDBLOCK ? .busy(folder: path) : .noLock(folder: path, errno: errno)
        }
        self.path = path
        self.root = root
    }

    /// Folders are walked to anew: somebody else may have removed them meanwhile.
    mutating func forgetLatest() { latest = nil }

    /// Whether the path still leads to the folder that was opened.
    var isInPlace: Bool {
        var (opened, found) = (stat(), stat())
        return fstat(root.descriptor, &opened) == 0 && stat(path, &found) == 0
            && opened.st_dev == found.st_dev && opened.st_ino == found.st_ino
    }

    /// Whether there is anything in a folder.
    mutating func hasFiles(in component: String) throws(PublishingError) -> Bool {
        !(try folder([component], create: false)?.names.isEmpty ?? true)
    }

    // MARK: Reading

    /// The bytes of a file, or nil where there is no such file.
    ///
    /// - Parameter limit: where it is longer, only so many are read.
    mutating func read(_ components: [String], atMost limit: Int = .max) throws(PublishingError) -> [UInt8]? {
        guard let parent = try folder(components.dropLast(), create: false) else { return nil }
        let file = openat(parent.descriptor, components.last!, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw .cannotWrite(path: "\(path)/\(components.joined(separator: "/"))", errno: errno)
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .cannotWrite(path: "\(path)/\(components.joined(separator: "/"))", errno: EISDIR)
        }
        let size = min(limit, Int(status.st_size))
        var got = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while got < size {
                let step = Glibc.read(file, buffer.baseAddress! + got, size - got)
                if step < 0 && errno == EINTR { continue }
                if step <= 0 { break }
                got += step
            }
            count = got
        }
        return bytes
    }

    // MARK: Staging

    /// Removes what an interrupted run left aside.
    mutating func emptyStaging() throws(PublishingError) {
        guard let staging = try folder([Self.staging], create: false) else { return }
        for name in staging.names { _ = unlinkat(staging.descriptor, name, 0) }
    }

    mutating func removeStaging() throws(PublishingError) {
        stagingFolder = nil
        guard
            unlinkat(root.descriptor, Self.staging, AT_REMOVEDIR) == 0 || errno == ENOENT
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
        let file = openat(
            parent.descriptor, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw .cannotWrite(path: "\(path)/\(Self.staging)", errno: errno) }
        defer { close(file) }
        var written = 0
        while written < bytes.count {
            let step = bytes.withUnsafeBytes {
                Glibc.write(file, $0.baseAddress! + written, bytes.count - written)
            }
            if step < 0 && errno == EINTR { continue }
            guard step > 0 else { throw .cannotWrite(path: "\(path)/\(Self.staging)", errno: errno) }
            written += step
        }
    }

    /// Waits until the staged files are on the disk. A few are flushed one by one; for many it is quicker to have
    /// the whole file system flushed, whatever else waits to be written there.
    func synchronize(_ names: [String]) throws(PublishingError) {
        guard let staging = stagingFolder, names.count <= Self.flushedOneByOne else {
            guard syncfs(root.descriptor) == 0 else { throw .cannotWrite(path: path, errno: errno) }
            return
        }
        for name in names {
            let file = openat(staging.descriptor, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
            guard file >= 0 else { throw .cannotWrite(path: "\(path)/\(Self.staging)", errno: errno) }
            defer { close(file) }
            guard fdatasync(file) == 0 else {
                throw .cannotWrite(path: "\(path)/\(Self.staging)", errno: errno)
            }
        }
    }

    mutating func publishStaged(_ name: String, at components: [String]) throws(PublishingError) {
        guard let staging = stagingFolder else {
            throw .cannotWrite(path: "\(path)/\(Self.staging)", errno: ENOENT)
        }
        let parent = try folder(components.dropLast(), create: true)!
        guard renameat(staging.descriptor, name, parent.descriptor, components.last!) == 0 else {
            throw .cannotWrite(path: "\(path)/\(components.joined(separator: "/"))", errno: errno)
        }
    }

    // MARK: Removing

    /// Removes a file, and the folders that are empty without it. Returns whether there was one.
    mutating func remove(_ components: [String]) throws(PublishingError) -> Bool {
        defer { latest = nil }
        var isRemoved = false
        if let parent = try folder(components.dropLast(), create: false) {
            isRemoved = unlinkat(parent.descriptor, components.last!, 0) == 0
            guard isRemoved || errno == ENOENT else {
                throw .cannotWrite(path: "\(path)/\(components.joined(separator: "/"))", errno: errno)
            }
        }
        // Also where there was no file: a run that was stopped may have left its folder.
        var rest = components.dropLast()
        while let name = rest.popLast(), !rest.isEmpty {
            latest = nil
            guard let above = try folder(rest, create: false) else { continue }
            guard unlinkat(above.descriptor, name, AT_REMOVEDIR) == 0 || errno == ENOENT else { break }
        }
        return isRemoved
    }

    func removeIfEmpty(_ name: String) { unlinkat(root.descriptor, name, AT_REMOVEDIR) }

    // MARK: Walking

    /// Owns an open folder.
    final class Folder {
        let descriptor: Int32
        init(owning descriptor: Int32) { self.descriptor = descriptor }
        deinit { close(descriptor) }

        /// What is in it, as the file system has the names.
        var names: [[CChar]] {
            guard let directory = fdopendir(dup(descriptor)) else { return [] }
            defer { closedir(directory) }
            rewinddir(directory)  // the copy of a descriptor shares its position
            var names: [[CChar]] = []
            while let entry = readdir(directory) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                        Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
                    }
                }
                let text = name.dropLast()
                if text != [46] && text != [46, 46] { names.append(name) }  // not . and ..
            }
            return names
        }
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
            guard !create || mkdirat(current.descriptor, component, 0o755) == 0 || errno == EEXIST else {
                throw .cannotWrite(path: "\(path)/\(components.joined(separator: "/"))", errno: errno)
            }
            let next = openat(
                current.descriptor, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
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
