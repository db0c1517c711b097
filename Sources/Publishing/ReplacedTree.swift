import Files
import Glibc
import Products

// All documents at once: they are written into a tree of their own beside the published one, and the two are exchanged
// by one call (renameat2 with RENAME_EXCHANGE). A reader has the documents of the one or of the other.

extension OutputFolder {
    private static let tree = [staging, OutputPath.folder]

    /// Writes a document into the tree that is to take the published one's place.
    mutating func writeAside(_ bytes: [UInt8], at path: OutputPath) throws(PublishingError) {
        guard let parent = try folder([Self.staging] + path.components.dropLast(), create: true) else {
            throw .cannotWrite(path: "\(self.path)/\(Self.staging)", errno: ENOENT)
        }
        try write(bytes, path.components.last!, in: parent)
    }

    /// Flushes the tree to the disk and exchanges it with the published one.
    ///
    /// - Returns: false where the file system cannot do that.
    mutating func exchangeTrees() throws(PublishingError) -> Bool {
        _ = try folder(Self.tree, create: true)
        _ = try folder([OutputPath.folder], create: true)
        guard let staging = try folder([Self.staging], create: false) else { return false }
        guard files.syncfs(root.descriptor) == 0 else { throw .cannotWrite(path: path, errno: errno) }
        forgetLatest()
        guard
            files.exchange(root.descriptor, OutputPath.folder, staging.descriptor, OutputPath.folder) == 0
        else {
            switch errno {
            case EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EXDEV: return false
            default: throw .cannotWrite(path: "\(path)/\(OutputPath.folder)", errno: errno)
            }
        }
        return true
    }

    /// Moves a document of the tree into its place: where trees cannot be exchanged.
    mutating func publishAside(_ document: OutputPath) throws(PublishingError) {
        guard let from = try folder([Self.staging] + document.components.dropLast(), create: false),
            let to = try folder(document.components.dropLast(), create: true)
        else { return }
        let name = document.components.last!
        guard files.renameat(from.descriptor, name, to.descriptor, name) == 0 else {
            throw .cannotWrite(path: "\(path)/\(document.relative)", errno: errno)
        }
    }

    /// Removes the tree beside the published one. What is not ours in it goes to its place in the published one: it lay
    /// there until the trees were exchanged.
    mutating func removeTree(isOurs: (FileName) -> Bool) throws(PublishingError) {
        defer { forgetLatest() }
        guard let tree = try folder(Self.tree, create: false),
            let staging = try folder([Self.staging], create: false)
        else { return }
        try retire(tree, below: [OutputPath.folder], isOurs)
        _ = files.unlinkat(staging.descriptor, OutputPath.folder, AT_REMOVEDIR)
    }

    private mutating func retire(
        _ tree: Folder, below components: [String], _ isOurs: (FileName) -> Bool
    ) throws(PublishingError) {
        for name in try names(in: tree) {
            let text = String(decoding: name, as: UTF8.self)
            let inner = name.withName {
                files.openat(tree.descriptor, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
            }
            if inner >= 0 {
                try retire(Folder(owning: inner), below: components + [text], isOurs)
                _ = name.withName { files.unlinkat(tree.descriptor, $0, AT_REMOVEDIR) }
                continue
            }
            if isOurs(FileName(text: (components + [text]).joined(separator: "/"))) {
                _ = name.withName { files.unlinkat(tree.descriptor, $0, 0) }
            } else if let place = try folder(components, create: true) {
                _ = name.withName { files.renameIfFree(tree.descriptor, $0, place.descriptor, $0) }
            }
        }
    }
}
