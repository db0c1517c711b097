import Foundation

/// Held while the catalogue is being changed: two processes never work on one state folder. The kernel lets
/// go of it when the process ends, however it ends. The corresponding C function is `flock`.
struct StateLock: ~Copyable {
    private let descriptor: Int32

    init(stateFolder: String) throws(AgentError) {
        do {
            try FileManager.default.createDirectory(atPath: stateFolder, withIntermediateDirectories: true)
        } catch {
            throw .catalogue(.cannotCreate(folder: stateFolder, reason: error.localizedDescription))
        }
        var folder = stat()
        if geteuid() == 0, stat(stateFolder, &folder) == 0, folder.st_uid != 0 {
            let owner = getpwuid(folder.st_uid).map { String(cString: $0.pointee.pw_name) }
            throw .rootBesideOwner(stateFolder: stateFolder, owner: owner ?? "#\(folder.st_uid)")
        }
        let file = "\(stateFolder)/lock"
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .cannotLock(file: file, reason: String(cString: strerror(errno))) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
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
