import CSandbox
import Glibc

/// Memory that a worker shares with the agent. Its size is fixed for good: the kernel refuses whoever would change it.
final class SharedMemory: @unchecked Sendable {  // the owner of the worker uses it, one thread at a time
    let descriptor: Int32
    private let bytes: UnsafeMutableRawBufferPointer

    init(bytes count: Int) throws(SandboxError) {
        let count = max(count, 1)
        descriptor = imgrec_shared_memory(count)
        guard descriptor >= 0 else { throw .cannotStart(doing: "making shared memory", errno: errno) }
        guard let start = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0),
            start != MAP_FAILED
        else {
            let number = errno
            close(descriptor)
            throw .cannotStart(doing: "mapping shared memory", errno: number)
        }
        bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
    }

    deinit {
        munmap(bytes.baseAddress, bytes.count)
        close(descriptor)
    }

    func write(_ source: [UInt8]) {
        source.withUnsafeBytes {
            bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.prefix(bytes.count)))
        }
    }

    /// A copy of the first bytes, which nobody can change any more.
    func read(_ count: Int) -> [UInt8] { Array(UnsafeRawBufferPointer(rebasing: bytes.prefix(count))) }

    /// Gives the memory back.
    func forget(_ count: Int) { imgrec_forget_pages(bytes.baseAddress, count) }
}
