/// What identifies a version of a file without reading it.
package struct FileStamp: Hashable, Sendable {
    package let bytes: Int
    /// Time of the last change of the content, in nanoseconds since 1970.
    package let mtimeNanoseconds: Int

    package init(bytes: Int, mtimeNanoseconds: Int) {
        self.bytes = bytes
        self.mtimeNanoseconds = mtimeNanoseconds
    }

    /// - Parameters:
    ///   - seconds, nanoseconds: a `timespec`; one beyond the year 2262 wraps around, which is still a stamp.
    package init(bytes: Int, seconds: Int, nanoseconds: Int) {
        self.init(bytes: bytes, mtimeNanoseconds: seconds &* 1_000_000_000 &+ nanoseconds)
    }
}
