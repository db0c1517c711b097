import Glibc

// Calls that the kernel may do in parts, done whole. Each gives the errno of what failed, or nil.

extension FileCalls {
    /// Reads until the buffer is full or the file ends.
    ///
    /// - Returns: how many bytes there were, or an errno.
    package func readAll(_ file: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> (
        count: Int, errno: Int32?
    ) {
        guard let start = buffer.baseAddress else { return (0, nil) }
        var count = 0
        while count < buffer.count {
            let step = read(file, start + count, buffer.count - count)
            if step < 0 && errno == EINTR { continue }
            if step < 0 { return (count, errno) }
            if step == 0 { break }
            count += step
        }
        return (count, nil)
    }

    /// The same from a place on.
    package func readAll(_ file: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> (
        count: Int, errno: Int32?
    ) {
        guard let start = buffer.baseAddress else { return (0, nil) }
        var count = 0
        while count < buffer.count {
            let step = pread(file, start + count, buffer.count - count, offset + count)
            if step < 0 && errno == EINTR { continue }
            if step < 0 { return (count, errno) }
            if step == 0 { break }
            count += step
        }
        return (count, nil)
    }

    /// All bytes of the file at a path, also of one that has no size, such as a pipe.
    package func contents(ofFile path: String) -> (bytes: [UInt8], errno: Int32?) {
        let file = open(path, O_RDONLY | O_CLOEXEC, 0)
        guard file >= 0 else { return ([], errno) }
        defer { close(file) }
        var bytes: [UInt8] = []
        while true {
            var part = [UInt8](repeating: 0, count: 1 << 16)
            let (count, failure) = part.withUnsafeMutableBytes { readAll(file, $0) }
            if let failure { return ([], failure) }
            bytes += part[..<count]
            if count < part.count { return (bytes, nil) }
        }
    }

    /// Writes all bytes; those that the kernel does not take at once are offered again.
    package func writeAll(_ file: Int32, _ bytes: UnsafeRawBufferPointer) -> Int32? {
        guard let start = bytes.baseAddress else { return nil }
        var count = 0
        while count < bytes.count {
            let step = write(file, start + count, bytes.count - count)
            if step < 0 && errno == EINTR { continue }
            guard step > 0 else { return step < 0 ? errno : EIO }
            count += step
        }
        return nil
    }

    /// The same from a place on.
    package func writeAll(_ file: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int32? {
        guard let start = bytes.baseAddress else { return nil }
        var count = 0
        while count < bytes.count {
            let step = pwrite(file, start + count, bytes.count - count, offset + count)
            if step < 0 && errno == EINTR { continue }
            guard step > 0 else { return step < 0 ? errno : EIO }
            count += step
        }
        return nil
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
