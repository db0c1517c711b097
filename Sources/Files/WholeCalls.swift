import Glibc

// Calls that the kernel may do in parts, done whole. Each gives the errno of what failed, or nil.

extension FileCalls {
    /// Reads until the buffer is full or the file ends.
    ///
    /// - Parameter offset: where in the file; nil for where it is.
    /// - Returns: how many bytes there were, or an errno.
    package func readAll(_ file: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int? = nil) -> (
        count: Int, errno: Int32?
    ) {
        guard let start = buffer.baseAddress else { return (0, nil) }
        return whole(buffer.count) { done in
            let (place, rest) = (start + done, buffer.count - done)
            return offset.map { pread(file, place, rest, $0 + done) } ?? read(file, place, rest)
        }
    }

    /// Calls until all is done, or a call does nothing.
    private func whole(_ count: Int, _ call: (_ done: Int) -> Int) -> (count: Int, errno: Int32?) {
        var done = 0
        while done < count {
            let step = call(done)
            if step < 0 && errno == EINTR { continue }
            if step < 0 { return (done, errno) }
            if step == 0 { break }
            done += step
        }
        return (done, nil)
    }

    /// All bytes of the file at a path, also of one that has no size, such as a pipe.
    ///
    /// - Parameter limit: how many there may be; EFBIG where there are more.
    package func contents(ofFile path: String, limit: Int) -> (bytes: [UInt8], errno: Int32?) {
        let file = open(path, O_RDONLY | O_CLOEXEC, 0)
        guard file >= 0 else { return ([], errno) }
        defer { close(file) }
        var bytes: [UInt8] = []
        while true {
            var part = [UInt8](repeating: 0, count: 1 << 16)
            let (count, failure) = part.withUnsafeMutableBytes { readAll(file, $0) }
            if let failure { return ([], failure) }
            guard bytes.count + count <= limit else { return ([], EFBIG) }
            bytes += part[..<count]
            if count < part.count { return (bytes, nil) }
        }
    }

    /// Writes all bytes; those that the kernel does not take at once are offered again.
    ///
    /// - Parameter offset: where in the file; nil for where it is.
    package func writeAll(_ file: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int? = nil) -> Int32? {
        guard let start = bytes.baseAddress else { return nil }
        let (count, failure) = whole(bytes.count) { done in
            let (place, rest) = (start + done, bytes.count - done)
            return offset.map { pwrite(file, place, rest, $0 + done) } ?? write(file, place, rest)
        }
        return failure ?? (count < bytes.count ? EIO : nil)
    }

    /// The names in a folder, as the file system has them, without `.` and `..`.
    ///
    /// - Parameters:
    ///   - folder: stays open.
    ///   - isWanted: by the kind of what is there, as dirent(5) has it.
    /// - Returns: the names that could be read, and an errno where that was not all.
    package func names(in folder: Int32, where isWanted: (UInt8) -> Bool = { _ in true }) -> (
        names: [[UInt8]], errno: Int32?
    ) {
        let own = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard own >= 0 else { return ([], errno) }
        guard let listing = fdopendir(own) else {
            let number = errno
            close(own)
            return ([], number)
        }
        defer { closedir(listing) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = readdir(listing) else { return (names, errno == 0 ? nil : errno) }
            guard isWanted(entry.pointee.d_type) else { continue }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: UInt8.self, capacity: 256) {
                    Array(UnsafeBufferPointer(start: $0, count: strlen($0)))
                }
            }
            if name != [UInt8(ascii: ".")] && name != Array("..".utf8) { names.append(name) }
        }
    }
}

extension [UInt8] {
    /// A file's name for libc.
    package func withName<Value>(_ body: (UnsafePointer<CChar>) -> Value) -> Value {
        (self + [0]).withUnsafeBytes { body($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
    }
}
