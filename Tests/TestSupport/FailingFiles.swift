import Files
import Foundation
import Products
import Synchronization

/// The kernel's calls, of which some fail on purpose.
package final class FailingFiles: FileCalls {
    package enum Fault: Sendable, CustomStringConvertible {
        case errno(Int32)
        /// The kernel takes half of what it is given, or gives half of what it is asked for.
        case short
        /// The call does not come back until it is let go.
        case hang(DispatchSemaphore)

        package var description: String {
            switch self {
            case .errno(let number): errnoText(number)
            case .short: "half"
            case .hang: "hang"
            }
        }
    }

    /// What a call does, so that a fault hits only those that can have it.
    package enum Kind: String, Sendable, CaseIterable {
        case open, create, read, write, flush, name, remove, look, list, lock
    }

    private struct State {
        var isArmed: Bool
        var passed = 0
        var injected: [String] = []
    }

    private let real = SystemFiles()
    private let number: Int
    private let isLasting: Bool
    private let fault: Fault
    private let kinds: Set<Kind>
    private let state: Mutex<State>

    /// - Parameters:
    ///   - number: which of the calls of these kinds fails, from 1 on.
    ///   - isLasting: whether all after it fail too, as on a disk that stays full.
    ///   - isArmed: whether calls count from the beginning, and not from `arm` on.
    package init(
        _ fault: Fault, at number: Int, isLasting: Bool, of kinds: Set<Kind>, isArmed: Bool = true
    ) {
        (self.fault, self.number, self.isLasting, self.kinds) = (fault, number, isLasting, kinds)
        state = Mutex(State(isArmed: isArmed))
    }

    package func arm() { state.withLock { $0.isArmed = true } }

    /// From now on nothing fails.
    package func disarm() { state.withLock { $0.isArmed = false } }

    /// The calls that failed.
    package var injected: [String] { state.withLock { $0.injected } }

    /// Which calls a fault can hit.
    package static func kinds(of fault: Fault) -> Set<Kind> {
        switch fault {
        case .errno(ENOSPC), .errno(EDQUOT): [.create, .write, .flush, .name]
        case .errno(EROFS): [.create, .write, .name, .remove]
        case .errno(EMFILE): [.open, .create, .list]
        case .short: [.read, .write]
        default: Set(Kind.allCases)
        }
    }

    /// The fault that hits this call, if one does.
    private func fault(_ call: String, _ kind: Kind) -> Fault? {
        guard kinds.contains(kind) else { return nil }
        let isHit = state.withLock { state in
            guard state.isArmed else { return false }
            state.passed += 1
            let isHit = state.passed == number || isLasting && state.passed > number
            if isHit { state.injected.append(call) }
            return isHit
        }
        return isHit ? fault : nil
    }

    /// Whether the call fails; errno is set then.
    private func fails(_ call: String, _ kind: Kind) -> Bool {
        switch fault(call, kind) {
        case nil, .short: return false
        case .errno(let number):
            errno = number
            return true
        case .hang(let semaphore):
            semaphore.wait()
            return false
        }
    }

    private func kind(ofOpening flags: Int32) -> Kind { flags & O_CREAT != 0 ? .create : .open }

    package func open(_ path: UnsafePointer<CChar>, _ flags: Int32, _ mode: mode_t) -> Int32 {
        fails("open", kind(ofOpening: flags)) ? -1 : real.open(path, flags, mode)
    }

    package func openat(_ folder: Int32, _ name: UnsafePointer<CChar>, _ flags: Int32, _ mode: mode_t)
        -> Int32
    {
        fails("openat", kind(ofOpening: flags)) ? -1 : real.openat(folder, name, flags, mode)
    }

    package func read(_ file: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
        part(of: count, "read", .read) { real.read(file, buffer, $0) }
    }

    package func pread(_ file: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int, _ offset: Int) -> Int {
        part(of: count, "pread", .read) { real.pread(file, buffer, $0, offset) }
    }

    package func fstat(_ file: Int32, _ status: inout stat) -> Int32 {
        fails("fstat", .look) ? -1 : real.fstat(file, &status)
    }

    package func fstatat(
        _ folder: Int32, _ name: UnsafePointer<CChar>, _ status: inout stat, _ flags: Int32
    ) -> Int32 {
        fails("fstatat", .look) ? -1 : real.fstatat(folder, name, &status, flags)
    }

    package func findBeneath(_ folder: Int32, _ path: UnsafePointer<CChar>, followsLinks: Bool) -> Int32 {
        fails("findBeneath", .look) ? -1 : real.findBeneath(folder, path, followsLinks: followsLinks)
    }

    package func fdopendir(_ folder: Int32) -> OpaquePointer? {
        fails("fdopendir", .list) ? nil : real.fdopendir(folder)
    }

    package func readdir(_ listing: OpaquePointer) -> UnsafeMutablePointer<dirent>? {
        fails("readdir", .list) ? nil : real.readdir(listing)
    }

    package func lock(_ file: Int32) -> Int32 { fails("lock", .lock) ? -1 : real.lock(file) }

    package func mkdir(_ path: UnsafePointer<CChar>, _ mode: mode_t) -> Int32 {
        fails("mkdir", .create) ? -1 : real.mkdir(path, mode)
    }

    package func mkdirat(_ folder: Int32, _ name: UnsafePointer<CChar>, _ mode: mode_t) -> Int32 {
        fails("mkdirat", .create) ? -1 : real.mkdirat(folder, name, mode)
    }

    package func write(_ file: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
        part(of: count, "write", .write) { real.write(file, bytes, $0) }
    }

    package func pwrite(_ file: Int32, _ bytes: UnsafeRawPointer, _ count: Int, _ offset: Int) -> Int {
        part(of: count, "pwrite", .write) { real.pwrite(file, bytes, $0, offset) }
    }

    private func part(of count: Int, _ call: String, _ kind: Kind, _ body: (Int) -> Int) -> Int {
        switch fault(call, kind) {
        case nil: return body(count)
        case .short: return body(max(1, count / 2))
        case .errno(let number):
            errno = number
            return -1
        case .hang(let semaphore):
            semaphore.wait()
            return body(count)
        }
    }

    package func fdatasync(_ file: Int32) -> Int32 { fails("fdatasync", .flush) ? -1 : real.fdatasync(file) }

    package func syncfs(_ file: Int32) -> Int32 { fails("syncfs", .flush) ? -1 : real.syncfs(file) }

    package func renameat(
        _ folder: Int32, _ name: UnsafePointer<CChar>, _ newFolder: Int32, _ newName: UnsafePointer<CChar>
    ) -> Int32 {
        fails("renameat", .name) ? -1 : real.renameat(folder, name, newFolder, newName)
    }

    package func exchange(
        _ folder: Int32, _ name: UnsafePointer<CChar>, _ other: Int32, _ otherName: UnsafePointer<CChar>
    ) -> Int32 {
        fails("exchange", .name) ? -1 : real.exchange(folder, name, other, otherName)
    }

    package func renameIfFree(
        _ folder: Int32, _ name: UnsafePointer<CChar>, _ newFolder: Int32, _ newName: UnsafePointer<CChar>
    ) -> Int32 {
        fails("renameIfFree", .name) ? -1 : real.renameIfFree(folder, name, newFolder, newName)
    }

    package func unlinkat(_ folder: Int32, _ name: UnsafePointer<CChar>, _ flags: Int32) -> Int32 {
        fails("unlinkat", .remove) ? -1 : real.unlinkat(folder, name, flags)
    }
}
