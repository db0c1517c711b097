import Foundation
import GRDBSQLite
import Synchronization

/// SQLite's calls to the disk, of which some fail on purpose: what it does with files below a folder goes through a VFS before the usual
/// one (https://sqlite.org/vfs.html).
final class FailingDatabase: Sendable {
    enum Call: String, Sendable {
        case open, read, write, flush, truncate
    }

    private struct State {
        var passed = 0
        var injected: [Call] = []
    }

    private let number: Int
    private let isLasting: Bool
    private let code: Int32
    private let calls: Set<Call>
    private let state = Mutex(State())
    private let folder: String

    /// - Parameters:
    ///   - code: what SQLite gets to hear, such as `SQLITE_FULL`.
    ///   - number: which of these calls fails, from 1 on.
    ///   - isLasting: whether all after it fail too.
    init(below folder: String, with code: Int32, at number: Int, isLasting: Bool, of calls: Set<Call>) {
        (self.folder, self.code, self.number) = (folder, code, number)
        (self.isLasting, self.calls) = (isLasting, calls)
        _ = Self.register
        Self.registry.withLock { $0.disks[folder] = self }
    }

    /// From now on nothing fails any more.
    func mend() { Self.registry.withLock { $0.disks[folder] = nil } }

    var injected: [Call] { state.withLock { $0.injected } }

    /// What a call gives instead of being made; nil where it is made.
    private func failure(of call: Call) -> Int32? {
        guard calls.contains(call) else { return nil }
        return state.withLock { state in
            state.passed += 1
            guard state.passed == number || isLasting && state.passed > number else { return nil }
            state.injected.append(call)
            return code
        }
    }

    // MARK: The VFS

    private typealias File = UnsafeMutablePointer<sqlite3_file>

    private struct Methods: Hashable, @unchecked Sendable {  // it lives as long as the process
        let pointer: UnsafePointer<sqlite3_io_methods>
    }

    /// What the functions of the VFS, which cannot capture anything, find things in.
    private struct Registry: @unchecked Sendable {  // pointers that live as long as the process
        var disks: [String: FailingDatabase] = [:]
        /// The folder of each open file.
        var files: [File: String] = [:]
        var original: [Methods: Methods] = [:]
        var ours: [Methods: Methods] = [:]
    }

    private static let registry = Mutex(Registry())

    private struct Usual: @unchecked Sendable {  // SQLite's, which does not change
        let vfs: UnsafeMutablePointer<sqlite3_vfs>
    }

    private static let usual = Usual(vfs: sqlite3_vfs_find(nil))

    private static let register: Void = {
        let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        vfs.initialize(to: usual.vfs.pointee)
        vfs.pointee.zName = UnsafePointer(strdup("failing"))
        vfs.pointee.xOpen = { _, name, file, flags, outFlags in
            if let name, let failure = FailingDatabase.disk(of: String(cString: name))?.failure(of: .open) {
                file?.pointee.pMethods = nil
                return failure
            }
            let result = FailingDatabase.usual.vfs.pointee.xOpen(
                FailingDatabase.usual.vfs, name, file, flags, outFlags)
            if result == SQLITE_OK, let file, let name {
                FailingDatabase.adopt(file, String(cString: name))
            }
            return result
        }
        sqlite3_vfs_register(vfs, 1)
    }()

    private static func adopt(_ file: File, _ name: String) {
        registry.withLock { registry in
            guard let folder = registry.disks.keys.first(where: { name.hasPrefix("\($0)/") }),
                let original = file.pointee.pMethods.map({ Methods(pointer: $0) })
            else { return }
            let ours = registry.ours[original] ?? Self.methods(before: original)
            registry.ours[original] = ours
            registry.original[ours] = original
            registry.files[file] = folder
            file.pointee.pMethods = ours.pointer
        }
    }

    private static func methods(before original: Methods) -> Methods {
        let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        methods.initialize(to: original.pointer.pointee)
        methods.pointee.xRead = { file, bytes, count, offset in
            FailingDatabase.failure(of: .read, file)
                ?? FailingDatabase.original(file).pointer.pointee.xRead(file, bytes, count, offset)
        }
        methods.pointee.xWrite = { file, bytes, count, offset in
            FailingDatabase.failure(of: .write, file)
                ?? FailingDatabase.original(file).pointer.pointee.xWrite(file, bytes, count, offset)
        }
        methods.pointee.xSync = { file, flags in
            FailingDatabase.failure(of: .flush, file)
                ?? FailingDatabase.original(file).pointer.pointee.xSync(file, flags)
        }
        methods.pointee.xTruncate = { file, size in
            FailingDatabase.failure(of: .truncate, file)
                ?? FailingDatabase.original(file).pointer.pointee.xTruncate(file, size)
        }
        methods.pointee.xClose = { file in
            let original = FailingDatabase.original(file)
            if let file { FailingDatabase.registry.withLock { $0.files[file] = nil } }
            return original.pointer.pointee.xClose(file)
        }
        return Methods(pointer: methods)
    }

    private static func disk(of name: String) -> FailingDatabase? {
        registry.withLock { $0.disks.first { name.hasPrefix("\($0.key)/") }?.value }
    }

    private static func failure(of call: Call, _ file: File?) -> Int32? {
        let disk = registry.withLock { registry in
            file.flatMap { registry.files[$0] }.flatMap { registry.disks[$0] }
        }
        return disk?.failure(of: call)
    }

    private static func original(_ file: File?) -> Methods {
        let ours = Methods(pointer: file!.pointee.pMethods)
        return registry.withLock { $0.original[ours]! }
    }
}
