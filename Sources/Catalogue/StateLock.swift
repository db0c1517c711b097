import CLinux
import Foundation
import Products

/// Held while the catalogue is being changed: two processes never work on one state folder. The kernel lets
/// go of it when the process ends, however it ends.
package struct StateLock: ~Copyable {
    private let descriptor: Int32

    /// - Throws: `LockError`, or `CatalogueError` where the folder cannot be made.
    package init(stateFolder: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: stateFolder, withIntermediateDirectories: true)
        } catch {
            throw CatalogueError.cannotCreate(folder: stateFolder, reason: error.localizedDescription)
        }
        if geteuid() == 0, let owner = otherOwner(of: stateFolder) {
            throw LockError.notOwner(stateFolder: stateFolder, owner: owner)
        }
        let file = "\(stateFolder)/lock"
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw LockError.cannotLock(file: file, reason: errnoText(errno))
        }
        do {
            try takeLock(descriptor, at: file, stateFolder: stateFolder)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}

/// Takes the lock of an open file or folder, for as long as it is open.
///
/// - Parameter stateFolder: what another process works on that has it.
package func takeLock(_ descriptor: Int32, at path: String, stateFolder: String) throws(LockError) {
    guard imgrec_lock(descriptor) == 0 else {
        throw errno == EWOULDBLOCK ? .busy(stateFolder: stateFolder) : .noLock(path: path, errno: errno)
    }
}

/// The user that a state folder belongs to, where that is another than this process's.
package func otherOwner(of stateFolder: String) -> String? {
    var folder = stat()
    guard stat(stateFolder, &folder) == 0, folder.st_uid != geteuid() else { return nil }
    return getpwuid(folder.st_uid).map { String(cString: $0.pointee.pw_name) } ?? "#\(folder.st_uid)"
}
