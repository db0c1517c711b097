import CLinux
import Foundation

/// Held while the catalogue is being changed: two processes never work on one state folder. The kernel lets
/// go of it when the process ends, however it ends.
struct StateLock: ~Copyable {
    private let descriptor: Int32

    init(stateFolder: String) throws(AgentError) {
        do {
            try FileManager.default.createDirectory(atPath: stateFolder, withIntermediateDirectories: true)
        } catch {
            throw .catalogue(.cannotCreate(folder: stateFolder, reason: error.localizedDescription))
        }
        if geteuid() == 0, let owner = otherOwner(of: stateFolder) {
            throw .notOwner(stateFolder: stateFolder, owner: owner)
        }
        let file = "\(stateFolder)/lock"
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .cannotLock(file: file, reason: String(cString: strerror(errno))) }
        guard imgrec_lock(descriptor) == 0 else {
            let number = errno
            close(descriptor)
            throw number == EWOULDBLOCK
                ? .busy(stateFolder: stateFolder)
                : .cannotLock(file: file, reason: String(cString: strerror(number)))
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}

/// Held by a running agent on its runtime folder, in which no other may serve meanwhile.
final class FolderLock: Sendable {
    private let descriptor: Int32

    /// Makes the folder where it is missing.
    init(_ folder: String, stateFolder: String) throws(AgentError) {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw .cannotServe(socket: folder, reason: error.localizedDescription)
        }
        descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .cannotServe(socket: folder, reason: String(cString: strerror(errno)))
        }
        guard imgrec_lock(descriptor) == 0 else {
            close(descriptor)
            throw .busy(stateFolder: stateFolder)
        }
    }

    deinit { close(descriptor) }
}

/// The user that a state folder belongs to, where that is another than this process's.
func otherOwner(of stateFolder: String) -> String? {
    var folder = stat()
    guard stat(stateFolder, &folder) == 0, folder.st_uid != geteuid() else { return nil }
    return getpwuid(folder.st_uid).map { String(cString: $0.pointee.pw_name) } ?? "#\(folder.st_uid)"
}
