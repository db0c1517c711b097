import Glibc
import Products

/// What a walk through a folder found. No photo is opened.
package struct FolderScan: Sendable {
    package struct Photo: Hashable, Sendable {
        package let path: ImagePath
        package let stamp: FileStamp
    }

    /// Something that looks like a photo or a folder of photos but cannot be looked at.
    package struct Obstacle: Hashable, Sendable {
        package let path: ImagePath
        package let reason: Reason

        package enum Reason: Hashable, Sendable {
            /// A photo's name on something that is no file.
            case linkInsteadOfPhoto, notAFile
            /// A folder's content is unknown: what was known of it stays.
            case linkInsteadOfFolder
            case unreadableFolder(errno: Int32)
        }

        /// Whether photos below this path may exist without having been seen.
        package var hidesPhotos: Bool {
            switch reason {
            case .linkInsteadOfPhoto, .notAFile: false
            case .linkInsteadOfFolder, .unreadableFolder: true
            }
        }
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
    ///   - extensions: endings of photos, in lower case. Names that begin with a dot are passed over.
    package init(of folder: String, extensions: [String]) throws(FolderScanError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FolderScanError(folder: folder, errno: errno) }
        let extensions = Set(extensions.map { Array($0.utf8) })
        try list([], descriptor, root: folder, extensions: extensions)
        photos.sort { $0.path < $1.path }
        obstacles.sort { $0.path < $1.path }
    }

    /// Lists one folder and then, one after another, those in it: as many descriptors are open as the tree is
    /// deep, however many folders it has.
    private mutating func list(
        _ path: [UInt8], _ descriptor: Int32, root: String, extensions: Set<[UInt8]>
    ) throws(FolderScanError) {
        folderCount += 1
        guard let directory = fdopendir(descriptor) else {
            close(descriptor)
            throw FolderScanError(folder: root, errno: errno)
        }
        defer { closedir(directory) }
        var folders: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else {
                if errno != 0 { try obstruct(path, errno, root: root) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: UInt8.self, capacity: 256) {
                    Array(UnsafeBufferPointer(start: $0, count: strlen($0)))
                }
            }
            guard name.first != UInt8(ascii: ".") else { continue }
            let full = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
            guard let imagePath = ImagePath(FileName(bytes: full)) else { continue }

            var status = stat()
            let isKnown = (name + [0]).withUnsafeBytes {
                fstatat(
                    dirfd(directory), $0.baseAddress!.assumingMemoryBound(to: CChar.self), &status,
                    AT_SYMLINK_NOFOLLOW) == 0
            }
            guard isKnown else {
                if errno == ENOENT { continue }  // gone since it was listed
                // A folder that may be listed but not looked into: what is in it is not known.
                return try obstruct(path, errno, root: root)
            }
            let hasPhotoName = Self.ending(of: name).map { extensions.contains($0) } ?? false
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                folders.append(full)
            case S_IFREG where hasPhotoName:
                let stamp = FileStamp(
                    bytes: Int(status.st_size), seconds: status.st_mtim.tv_sec,
                    nanoseconds: status.st_mtim.tv_nsec)
                photos.append(Photo(path: imagePath, stamp: stamp))
            case S_IFLNK where Self.isFolder(name, in: directory):
                obstacles.append(Obstacle(path: imagePath, reason: .linkInsteadOfFolder))
            case S_IFLNK where hasPhotoName:
                obstacles.append(Obstacle(path: imagePath, reason: .linkInsteadOfPhoto))
            case S_IFREG, S_IFLNK:
                break
            default:
                if hasPhotoName { obstacles.append(Obstacle(path: imagePath, reason: .notAFile)) }
            }
        }
        for folder in folders {
            // Nothing below could be opened by its path, and the walk would go as deep as somebody has nested.
            if folder.count >= Int(PATH_MAX) {
                try obstruct(folder, ENAMETOOLONG, root: root)
                continue
            }
            let name = folder.suffix(from: path.isEmpty ? 0 : path.count + 1) + [0]
            let child = Array(name).withUnsafeBytes {
                openat(
                    dirfd(directory), $0.baseAddress!.assumingMemoryBound(to: CChar.self),
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            }
            if child >= 0 {
                try list(folder, child, root: root, extensions: extensions)
            } else if errno != ENOENT {
                try obstruct(folder, errno, root: root)
            }
        }
    }

    private mutating func obstruct(_ path: [UInt8], _ number: Int32, root: String) throws(FolderScanError) {
        guard let imagePath = ImagePath(FileName(bytes: path)) else {
            throw FolderScanError(folder: root, errno: number)
        }
        obstacles.append(Obstacle(path: imagePath, reason: .unreadableFolder(errno: number)))
    }

    private static func isFolder(_ name: [UInt8], in directory: OpaquePointer) -> Bool {
        var status = stat()
        return (name + [0]).withUnsafeBytes {
            fstatat(dirfd(directory), $0.baseAddress!.assumingMemoryBound(to: CChar.self), &status, 0) == 0
        } && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The ending of a name in lower case, without its dot.
    private static func ending(of name: [UInt8]) -> [UInt8]? {
        guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot > 0 else { return nil }
        return name[(dot + 1)...].map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    }
}

extension FolderScan.Obstacle.Reason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .linkInsteadOfPhoto: "this is a symbolic link, which is not followed; put the photo itself here"
        case .notAFile: "this is a pipe or a device with the name of a photo"
        case .linkInsteadOfFolder:
            "this is a symbolic link to a folder, which is not followed; put the folder itself here"
        case .unreadableFolder(let number):
            "the folder cannot be listed (\(String(cString: strerror(number)))); what was known of it stays"
        }
    }
}

/// Why a folder cannot be walked through at all.
package enum FolderScanError: Error, Hashable, CustomStringConvertible {
    case missing(folder: String)
    case unreadable(folder: String, errno: Int32)

    init(folder: String, errno number: Int32) {
        self =
            number == ENOENT || number == ENOTDIR
            ? .missing(folder: folder) : .unreadable(folder: folder, errno: number)
    }

    package var description: String {
        switch self {
        case .missing(let folder):
            "the image folder \(folder) does not exist or is not a folder. Nothing was changed. Mount or create it, or correct images.folder."
        case .unreadable(let folder, let number):
            "the image folder \(folder) cannot be listed: \(String(cString: strerror(number))). Nothing was changed."
        }
    }
}
