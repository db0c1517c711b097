import Files
import Glibc
import Products

/// What a walk through a folder found. No photo is opened.
package struct FolderScan: Sendable {
    package struct Photo: Hashable, Sendable {
        package let path: ImagePath
        package let stamp: FileStamp
        /// Whether the file has other names (hard links).
        package let hasOtherNames: Bool
    }

    /// Something that looks like a photo or a folder of photos but cannot be looked at.
    package struct Obstacle: Hashable, Sendable {
        package let path: ImagePath
        package let reason: Reason

        package enum Reason: Hashable, Sendable {
            /// A photo's name on something that is no file.
            case linkInsteadOfPhoto, notAFile
            /// Links to photos are followed, but this one leads to none, or out of the folder.
            case linkToNoPhoto, linkLeadsOut
            /// A folder's content is unknown: what was known of it stays.
            case linkInsteadOfFolder
            case unreadableFolder(errno: Int32)
            /// What the link leads to is unknown, a photo or a folder: what was known of it stays.
            case unreadableLink(errno: Int32)
        }

        /// Whether photos below this path may exist without having been seen.
        package var hidesPhotos: Bool {
            switch reason {
            case .linkInsteadOfPhoto, .notAFile, .linkToNoPhoto, .linkLeadsOut: false
            case .linkInsteadOfFolder, .unreadableFolder, .unreadableLink: true
            }
        }

        /// Whether a photo at this path may be as it was.
        package var hidesItself: Bool { if case .unreadableLink = reason { true } else { false } }
    }

    /// In the order of their paths.
    package private(set) var photos: [Photo] = []
    package private(set) var obstacles: [Obstacle] = []
    /// How many folders there are, the image folder included.
    package private(set) var folderCount = 0

    /// Walks through a folder and all below it.
    ///
    /// - Parameters:
    ///   - folder: absolute path; may itself be a link.
    ///   - filter: what is passed over.
    ///   - files: the calls to the file system.
    ///   - progress: called now and then, on the calling thread: a large folder on a slow disk takes minutes.
    package init(
        of folder: String, filter: PhotoFilter, files: any FileCalls = SystemFiles(),
        progress: @escaping @Sendable () -> Void = {}
    ) throws(FolderScanError) {
        self.filter = filter
        self.files = files
        self.progress = progress
        root = folder
        let descriptor = try open(folder)
        defer { close(descriptor) }
        rootDescriptor = descriptor
        try list([], descriptor)
        sort()
    }

    /// Looks at some places of a folder: photos, or folders with all below them.
    package init(
        of folder: String, at paths: [ImagePath], filter: PhotoFilter, files: any FileCalls = SystemFiles(),
        progress: @escaping @Sendable () -> Void = {}
    ) throws(FolderScanError) {
        self.filter = filter
        self.files = files
        self.progress = progress
        root = folder
        let descriptor = try open(folder)
        defer { close(descriptor) }
        rootDescriptor = descriptor
        let wanted = Set(paths.map(\.name.bytes))
        for path in wanted where !Self.ancestors(of: path).contains(where: wanted.contains) {
            try look(at: path, below: descriptor)
        }
        sort()
    }

    private let filter: PhotoFilter
    private let files: any FileCalls
    private let root: String
    /// Of the image folder, while it is being walked through.
    private var rootDescriptor: Int32 = -1
    private let progress: @Sendable () -> Void
    private var noted = 0

    private func open(_ folder: String) throws(FolderScanError) -> Int32 {
        let descriptor = files.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw FolderScanError(folder: folder, errno: errno) }
        return descriptor
    }

    private mutating func sort() {
        photos.sort { $0.path < $1.path }
        obstacles.sort { $0.path < $1.path }
    }

    /// The folders on the way to a path, the nearest to the root first.
    private static func ancestors(of path: [UInt8]) -> [[UInt8]] {
        path.indices.filter { path[$0] == UInt8(ascii: "/") }.map { Array(path[..<$0]) }
    }

    /// Walks to a path part by part, without following links, and looks at what is there.
    private mutating func look(at path: [UInt8], below folder: Int32) throws(FolderScanError) {
        var current = openFolder([UInt8(ascii: ".")], in: folder)
        guard current >= 0 else { return try obstruct([], errno) }
        defer { close(current) }
        for way in Self.ancestors(of: path) {
            guard filter.admits(way) else { return }
            let next = openFolder(Self.name(of: way), in: current)
            guard next >= 0 else {
                switch errno {
                case ENOENT: return
                case ENOTDIR, ELOOP:
                    switch target(of: Self.name(of: way), in: current) {
                    case .folder: append(.linkInsteadOfFolder, way)
                    case .other: break
                    case .unknown(let number): append(.unreadableLink(errno: number), way)
                    }
                    return
                default: return try obstruct(way, errno)
                }
            }
            close(current)
            current = next
        }
        var folders: [[UInt8]] = []
        guard try note(path, in: current, &folders) else { return }
        for folder in folders { try enter(folder, in: current) }
    }

    /// Lists one folder and then, one after another, those in it: as many descriptors are open as the tree is
    /// deep, however many folders it has.
    private mutating func list(_ path: [UInt8], _ descriptor: Int32) throws(FolderScanError) {
        folderCount += 1
        let (names, failure) = files.names(in: descriptor)
        if let failure { try obstruct(path, failure) }
        var folders: [[UInt8]] = []
        for name in names {
            let full = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
            guard try note(full, in: descriptor, &folders) else { return }
        }
        for folder in folders { try enter(folder, in: descriptor) }
    }

    /// Notes one entry of a folder.
    ///
    /// - Returns: false where nothing in the folder can be looked at.
    private mutating func note(
        _ path: [UInt8], in folder: Int32, _ folders: inout [[UInt8]]
    ) throws(FolderScanError) -> Bool {
        guard filter.admits(path), let imagePath = ImagePath(FileName(bytes: path)) else { return true }
        let name = Self.name(of: path)
        noted += 1
        if noted % 256 == 0 { progress() }
        var status = stat()
        guard name.withName({ files.fstatat(folder, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            if errno == ENOENT { return true }  // gone since it was listed
            // A folder that may be listed but not looked into: what is in it is not known.
            try obstruct(Self.ancestors(of: path).last ?? [], errno)
            return false
        }
        let hasPhotoName = filter.isPhotoName(name)
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            folders.append(path)
        case S_IFREG where hasPhotoName:
            photos.append(
                Photo(path: imagePath, stamp: FileStamp(status), hasOtherNames: status.st_nlink > 1))
        case S_IFLNK:
            switch target(of: name, in: folder) {
            case .folder: append(.linkInsteadOfFolder, path)
            case .other where hasPhotoName && filter.followsLinks: follow(path, imagePath)
            case .other where hasPhotoName: append(.linkInsteadOfPhoto, path)
            case .other: break
            case .unknown(let number): append(.unreadableLink(errno: number), path)
            }
        case S_IFREG:
            break
        default:
            if hasPhotoName { append(.notAFile, path) }
        }
        return true
    }

    /// A link with a photo's name, followed inside the image folder.
    private mutating func follow(_ path: [UInt8], _ imagePath: ImagePath) {
        let target = path.withName { files.findBeneath(rootDescriptor, $0, followsLinks: true) }
        guard target >= 0 else {
            switch errno {
            case EXDEV: return append(.linkLeadsOut, path)
            case ENOENT, ENOTDIR, ELOOP: return append(.linkToNoPhoto, path)
            case let number: return append(.unreadableLink(errno: number), path)
            }
        }
        defer { close(target) }
        var status = stat()
        guard files.fstat(target, &status) == 0 else {
            return append(.unreadableLink(errno: errno), path)
        }
        guard status.st_mode & S_IFMT == S_IFREG else { return append(.linkToNoPhoto, path) }
        photos.append(Photo(path: imagePath, stamp: FileStamp(status), hasOtherNames: true))
    }

    private mutating func enter(_ path: [UInt8], in folder: Int32) throws(FolderScanError) {
        // Nothing below could be opened by its path, and the walk would go as deep as somebody has nested.
        guard path.count < Int(PATH_MAX) else { return try obstruct(path, ENAMETOOLONG) }
        let child = openFolder(Self.name(of: path), in: folder)
        if child >= 0 {
            defer { close(child) }
            try list(path, child)
        } else if errno != ENOENT {
            try obstruct(path, errno)
        }
    }

    private mutating func append(_ reason: Obstacle.Reason, _ path: [UInt8]) {
        guard let path = ImagePath(FileName(bytes: path)) else { return }
        obstacles.append(Obstacle(path: path, reason: reason))
    }

    private mutating func obstruct(_ path: [UInt8], _ number: Int32) throws(FolderScanError) {
        // The image folder itself has no path in it.
        guard !path.isEmpty else { throw FolderScanError(folder: root, errno: number) }
        append(.unreadableFolder(errno: number), path)
    }

    // MARK: Names

    private static func name(of path: [UInt8]) -> [UInt8] {
        Array(path[(path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0)...])
    }

    private func openFolder(_ name: [UInt8], in folder: Int32) -> Int32 {
        name.withName { files.openat(folder, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0) }
    }

    /// What a link leads to.
    private enum Target {
        case folder
        /// Something else, or nothing.
        case other
        case unknown(errno: Int32)
    }

    private func target(of name: [UInt8], in folder: Int32) -> Target {
        var status = stat()
        guard name.withName({ files.fstatat(folder, $0, &status, 0) }) == 0 else {
            return isFinding(errno: errno) ? .other : .unknown(errno: errno)
        }
        return status.st_mode & S_IFMT == S_IFDIR ? .folder : .other
    }
}

extension FolderScan.Obstacle.Reason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .linkInsteadOfPhoto:
            "this is a symbolic link, which is not followed; put the photo itself here, or set images.follow_links"
        case .linkToNoPhoto: "this is a symbolic link to something that is no file, or not there"
        case .linkLeadsOut:
            "this is a symbolic link that leads out of the image folder; put the photo itself here"
        case .notAFile: "this is a pipe or a device with the name of a photo"
        case .linkInsteadOfFolder:
            "this is a symbolic link to a folder, which is not followed; put the folder itself here"
        case .unreadableFolder(let number):
            "the folder cannot be listed (\(errnoText(number))); what was known of it stays"
        case .unreadableLink(let number):
            "this is a symbolic link, and what it leads to cannot be looked at (\(errnoText(number))); what was known of it stays"
        }
    }
}

/// Why a folder cannot be walked through at all.
package enum FolderScanError: ExplainedError, Hashable {
    case missing(folder: String)
    case unreadable(folder: String, errno: Int32)

    init(folder: String, errno number: Int32) {
        self =
            number == ENOENT || number == ENOTDIR
            ? .missing(folder: folder) : .unreadable(folder: folder, errno: number)
    }

    package var explanation: Explanation {
        switch self {
        case .missing(let folder):
            .init(
                "the image folder \(folder) does not exist or is not a folder; nothing was changed",
                remedy: "Mount or create it, or correct images.folder.", .noInput)
        case .unreadable(let folder, let number):
            .init(
                "the image folder \(folder) cannot be listed, so nothing was changed: \(errnoText(number))",
                remedy: "Check its permissions and its disk.", .inputOutput)
        }
    }
}
