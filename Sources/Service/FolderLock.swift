import Catalogue
import Foundation
import Products

/// Held by a running agent on its runtime folder, in which no other may serve meanwhile.
final class FolderLock: Sendable {
    private let descriptor: Int32

    /// Makes the folder where it is missing.
    init(_ folder: String, stateFolder: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw ServiceError.cannotServe(socket: folder, reason: error.localizedDescription)
        }
        descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ServiceError.cannotServe(socket: folder, reason: errnoText(errno))
        }
        // `deinit` closes it where this throws, for all properties have a value.
        try takeLock(descriptor, at: folder, stateFolder: stateFolder)
    }

    deinit { close(descriptor) }
}
