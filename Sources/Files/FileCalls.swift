// Files: the file-system calls through which the agent reads and writes what it keeps. Rooms that make them take
// them as a parameter, so that tests can have any one of them fail (`FailingFiles` in Tests/TestSupport).

import CLinux
import Glibc

/// Calls to the file system. Each does what the function of its name in libc does, or the one that is named beside it: -1 and errno
/// where it fails.
package protocol FileCalls: Sendable {
    func open(_ path: UnsafePointer<CChar>, _ flags: Int32, _ mode: mode_t) -> Int32
    func openat(_ folder: Int32, _ name: UnsafePointer<CChar>, _ flags: Int32, _ mode: mode_t) -> Int32
    func read(_ file: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int
    func pread(_ file: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int, _ offset: Int) -> Int
    func fstat(_ file: Int32, _ status: inout stat) -> Int32
    func fstatat(_ folder: Int32, _ name: UnsafePointer<CChar>, _ status: inout stat, _ flags: Int32) -> Int32
    /// See `imgrec_find_beneath`.
    func findBeneath(_ folder: Int32, _ path: UnsafePointer<CChar>, followsLinks: Bool) -> Int32
    /// fdopendir(3); nil where it fails, and then the descriptor stays open.
    func fdopendir(_ folder: Int32) -> OpaquePointer?
    /// readdir(3); nil at the end, with errno 0, and where it fails.
    func readdir(_ listing: OpaquePointer) -> UnsafeMutablePointer<dirent>?
    /// flock(2); see `imgrec_lock`.
    func lock(_ file: Int32) -> Int32

    // What changes something.
    func mkdir(_ path: UnsafePointer<CChar>, _ mode: mode_t) -> Int32
    func mkdirat(_ folder: Int32, _ name: UnsafePointer<CChar>, _ mode: mode_t) -> Int32
    func write(_ file: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int
    func pwrite(_ file: Int32, _ bytes: UnsafeRawPointer, _ count: Int, _ offset: Int) -> Int
    func fdatasync(_ file: Int32) -> Int32
    func syncfs(_ file: Int32) -> Int32
    func renameat(
        _ folder: Int32, _ name: UnsafePointer<CChar>, _ newFolder: Int32, _ newName: UnsafePointer<CChar>
    ) -> Int32
    /// renameat2(2) with RENAME_EXCHANGE.
    func exchange(
        _ folder: Int32, _ name: UnsafePointer<CChar>, _ other: Int32, _ otherName: UnsafePointer<CChar>
    ) -> Int32
    /// renameat2(2) with RENAME_NOREPLACE.
    func renameIfFree(
        _ folder: Int32, _ name: UnsafePointer<CChar>, _ newFolder: Int32, _ newName: UnsafePointer<CChar>
    ) -> Int32
    func unlinkat(_ folder: Int32, _ name: UnsafePointer<CChar>, _ flags: Int32) -> Int32
}

/// The kernel's. In a debug build each call that changes something is a `StopPoint`.
package struct SystemFiles: FileCalls {
    package init() {}

    package func open(_ path: UnsafePointer<CChar>, _ flags: Int32, _ mode: mode_t) -> Int32 {
        if flags & O_CREAT != 0 { StopPoint.pass("before open") }
        return Glibc.open(path, flags, mode)
    }

    package func openat(_ folder: Int32, _ name: UnsafePointer<CChar>, _ flags: Int32, _ mode: mode_t)
        -> Int32
    {
        if flags & O_CREAT != 0 { StopPoint.pass("before openat") }
        return Glibc.openat(folder, name, flags, mode)
    }

    package func read(_ file: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
        Glibc.read(file, buffer, count)
    }

    package func pread(_ file: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int, _ offset: Int) -> Int {
        Glibc.pread(file, buffer, count, offset)
    }

    package func fstat(_ file: Int32, _ status: inout stat) -> Int32 { Glibc.fstat(file, &status) }

    package func fstatat(
        _ folder: Int32, _ name: UnsafePointer<CChar>, _ status: inout stat, _ flags: Int32
    ) -> Int32 {
        Glibc.fstatat(folder, name, &status, flags)
    }

    package func findBeneath(_ folder: Int32, _ path: UnsafePointer<CChar>, followsLinks: Bool) -> Int32 {
        imgrec_find_beneath(folder, path, followsLinks ? 1 : 0)
    }

    package func fdopendir(_ folder: Int32) -> OpaquePointer? { Glibc.fdopendir(folder) }

    package func readdir(_ listing: OpaquePointer) -> UnsafeMutablePointer<dirent>? { Glibc.readdir(listing) }

    package func lock(_ file: Int32) -> Int32 { imgrec_lock(file) }

    package func mkdir(_ path: UnsafePointer<CChar>, _ mode: mode_t) -> Int32 {
        StopPoint.pass("before mkdir")
        return Glibc.mkdir(path, mode)
    }

    package func mkdirat(_ folder: Int32, _ name: UnsafePointer<CChar>, _ mode: mode_t) -> Int32 {
        StopPoint.pass("before mkdirat")
        return Glibc.mkdirat(folder, name, mode)
    }

    package func write(_ file: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
        StopPoint.pass("before write")
        return Glibc.write(file, bytes, count)
    }

    package func pwrite(_ file: Int32, _ bytes: UnsafeRawPointer, _ count: Int, _ offset: Int) -> Int {
        StopPoint.pass("before pwrite")
        return Glibc.pwrite(file, bytes, count, offset)
    }

    package func fdatasync(_ file: Int32) -> Int32 {
        StopPoint.pass("before fdatasync")
        return Glibc.fdatasync(file)
    }

    package func syncfs(_ file: Int32) -> Int32 {
        StopPoint.pass("before syncfs")
        return CLinux.syncfs(file)
    }

    package func renameat(
        _ folder: Int32, _ name: UnsafePointer<CChar>, _ newFolder: Int32, _ newName: UnsafePointer<CChar>
    ) -> Int32 {
        StopPoint.pass("before renameat")
        return Glibc.renameat(folder, name, newFolder, newName)
    }

    package func exchange(
        _ folder: Int32, _ name: UnsafePointer<CChar>, _ other: Int32, _ otherName: UnsafePointer<CChar>
    ) -> Int32 {
        StopPoint.pass("before exchange")
        return imgrec_exchange(folder, name, other, otherName)
    }

    package func renameIfFree(
        _ folder: Int32, _ name: UnsafePointer<CChar>, _ newFolder: Int32, _ newName: UnsafePointer<CChar>
    ) -> Int32 {
        StopPoint.pass("before renameIfFree")
        return imgrec_rename_if_free(folder, name, newFolder, newName)
    }

    package func unlinkat(_ folder: Int32, _ name: UnsafePointer<CChar>, _ flags: Int32) -> Int32 {
        StopPoint.pass("before unlinkat")
        return Glibc.unlinkat(folder, name, flags)
    }
}
