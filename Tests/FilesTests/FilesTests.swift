import Foundation
import TestSupport
import Testing

@testable import Files

@Suite("Calls to the file system")
struct FilesTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func opened(_ name: String, _ flags: Int32) -> Int32 {
        SystemFiles().open("\(folder.path)/\(name)", flags | O_CLOEXEC, 0o644)
    }

    @Test("what the kernel takes in parts is written and read whole", arguments: [0, 1, 2, 7, 100_000])
    func whole(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let halves = FailingFiles(.short, at: 1, isLasting: true, of: [.write])
        let file = opened("file", O_RDWR | O_CREAT)
        defer { close(file) }
        #expect(bytes.withUnsafeBytes { halves.writeAll(file, $0) } == nil)
        #expect(bytes.withUnsafeBytes { halves.writeAll(file, $0, at: count) } == nil)
        #expect(count == 0 || halves.injected.count >= 2)

        var found = [UInt8](repeating: 1, count: 2 * count + 5)
        let (read, failure) = found.withUnsafeMutableBytes { SystemFiles().readAll(file, $0, at: 0) }
        #expect(read == 2 * count && failure == nil)
        #expect(Array(found[..<read]) == bytes + bytes)
        #expect(lseek(file, 0, SEEK_SET) == 0)
        let again = found.withUnsafeMutableBytes { SystemFiles().readAll(file, $0) }
        #expect(again.count == 2 * count && again.errno == nil)
        #expect(Array(found[..<read]) == bytes + bytes)
    }

    @Test("a call that is interrupted is made again, and one that fails says why")
    func interrupted() throws {
        let file = opened("file", O_RDWR | O_CREAT)
        defer { close(file) }
        let bytes: [UInt8] = [1, 2, 3]
        let interrupted = FailingFiles(.errno(EINTR), at: 1, isLasting: false, of: [.write])
        #expect(bytes.withUnsafeBytes { interrupted.writeAll(file, $0) } == nil)
        #expect(interrupted.injected == ["write"])
        let full = FailingFiles(.errno(ENOSPC), at: 1, isLasting: false, of: [.write])
        #expect(bytes.withUnsafeBytes { full.writeAll(file, $0, at: 0) } == ENOSPC)
        let broken = FailingFiles(.errno(EIO), at: 1, isLasting: false, of: [.read])
        var found = [UInt8](repeating: 0, count: 3)
        #expect(found.withUnsafeMutableBytes { broken.readAll(file, $0, at: 0) }.errno == EIO)
    }

    @Test("the names in a folder are those that are there, and a failure is no end")
    func names() throws {
        let names = (0..<500).map { "file \($0)" } + ["ü", ".hidden", "folder"]
        for name in names.dropLast() { try folder.write(name, []) }
        #expect(mkdir("\(folder.path)/folder", 0o755) == 0)
        let descriptor = opened(".", O_RDONLY | O_DIRECTORY)
        defer { close(descriptor) }
        let files = SystemFiles()
        for _ in 0..<2 {
            let found = files.names(in: descriptor)
            #expect(Set(found.names.map { String(decoding: $0, as: UTF8.self) }) == Set(names))
            #expect(found.errno == nil)
        }
        let folders = files.names(in: descriptor) { $0 == UInt8(DT_DIR) || $0 == UInt8(DT_UNKNOWN) }
        #expect(folders.names.contains(Array("folder".utf8)))

        let broken = FailingFiles(.errno(EIO), at: 100, isLasting: false, of: [.list])
        #expect(broken.names(in: descriptor).errno == EIO)
        for number in 1...2 {
            let none = FailingFiles(.errno(EMFILE), at: number, isLasting: false, of: [.open, .list])
            #expect(none.names(in: descriptor).errno == EMFILE)
        }
    }
}
