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
        guard imgrec_lock(descriptor) == 0 else {
            let number = errno
            close(descriptor)
            throw number == EWOULDBLOCK
                ? LockError.busy(stateFolder: stateFolder)
                : LockError.noLock(path: file, errno: number)
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}

/// The user that a state folder belongs to, where that is another than this process's.
package func otherOwner(of stateFolder: String) -> String? {
    var folder = stat()
    guard stat(stateFolder, &folder) == 0, folder.st_uid != geteuid() else { return nil }
    return getpwuid(folder.st_uid).map { String(cString: $0.pointee.pw_name) } ?? "#\(folder.st_uid)"
}
