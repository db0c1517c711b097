import Glibc

/// This program, as others of its kind are started: workers are the same program.
package enum OwnProgram {
    private static let link = "/proc/self/exe"

    /// The name to run a program by. Of this one it is the name by which the kernel runs the very program that runs now,
    /// whatever was installed meanwhile.
    package static func runnable(_ executable: String) -> String { executable == path ? link : executable }

    /// The path of the program that runs now; nil where the kernel does not tell.
    package static var path: String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink(link, &bytes, bytes.count)
        guard length > 0, length < bytes.count else { return nil }
        return String(decoding: bytes[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
