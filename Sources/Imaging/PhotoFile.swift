import CLinux
import Glibc
import Products

/// A photo's file: read whole, once, and only if it is a regular file that kept still meanwhile.
package enum PhotoFile {
    /// The bytes of a photo and the stamp that they belong to.
    ///
    /// - Parameters:
    ///   - folder: absolute path of the image folder.
    ///   - limit: the most bytes to read.
    ///   - followsLinks: whether links on the way are followed; never out of the folder.
    /// - Throws: `PhotoFileError`.
    package static func read(
        _ path: ImagePath, in folder: String, limit: Int, followsLinks: Bool = false
    ) throws(PhotoFileError) -> (bytes: [UInt8], stamp: FileStamp) {
        let root = open(folder, Int32(IMGREC_O_PATH) | O_DIRECTORY | O_CLOEXEC)
        guard root >= 0 else { throw PhotoFileError(openErrno: errno) }
        defer { close(root) }
        let found = (path.name.bytes + [0]).withUnsafeBytes {
            imgrec_find_beneath(
                root, $0.baseAddress!.assumingMemoryBound(to: CChar.self), followsLinks ? 1 : 0)
        }
        guard found >= 0 else { throw PhotoFileError(openErrno: errno) }
        defer { close(found) }
        // Before it is opened: a device may do something when it is.
        _ = try stamp(of: found)
        let descriptor = imgrec_open_found(found)
        guard descriptor >= 0 else { throw PhotoFileError(openErrno: errno) }
        defer { close(descriptor) }

        let before = try stamp(of: descriptor)
        guard before.bytes <= limit else { throw .tooLarge(bytes: before.bytes, limit: limit, stamp: before) }
        var size = 0
        var readErrno: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: before.bytes) { buffer, count in
            while size < before.bytes {
                let got = Glibc.read(descriptor, buffer.baseAddress! + size, before.bytes - size)
                if got < 0 && errno == EINTR { continue }
                if got < 0 { readErrno = errno }
                if got <= 0 { break }
                size += got
            }
            count = size
        }
        guard readErrno == 0 else { throw .unreadable(errno: readErrno) }
        guard size == before.bytes, try stamp(of: descriptor) == before else { throw .changing }
        return (bytes, before)
    }

    private static func stamp(of descriptor: Int32) throws(PhotoFileError) -> FileStamp {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .unreadable(errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile }
        return FileStamp(status)
    }
}

/// Why a photo's file gave no bytes.
package enum PhotoFileError: Error, Hashable, CustomStringConvertible {
    /// It has gone since the folder was listed.
    case vanished
    /// A link, a folder, a device: nothing that holds a photo.
    case notAFile
    /// Somebody is still writing it.
    case changing
    case tooLarge(bytes: Int, limit: Int, stamp: FileStamp)
    case unreadable(errno: Int32)

    init(openErrno: Int32) {
        switch openErrno {
        case ENOENT, ENOTDIR: self = .vanished
        case ELOOP, ENXIO, EXDEV: self = .notAFile
        default: self = .unreadable(errno: openErrno)
        }
    }

    package var description: String {
        switch self {
        case .vanished: "the file has gone"
        case .notAFile: "this is a link, a folder or a device; put the photo itself here"
        case .changing: "the file was still being written; run reconcile again when it is complete"
        case .tooLarge(let bytes, let limit, _):
            ImagingError.fileTooLarge(bytes: bytes, limit: limit).description
        case .unreadable(EACCES), .unreadable(EPERM):
            "the file may not be read; give the user that runs imgrec-agent permission to read it"
        case .unreadable(let number): "the file cannot be read: \(errnoText(number))"
        }
    }
}
