import Foundation
import Products

/// Notices what is mounted and unmounted: inotify tells of neither.
struct MountTable: ~Copyable {
    /// The kernel marks the file as having an exceptional condition after a change; proc(5), at mounts.
    private let descriptor: Int32
    private var points: Set<[UInt8]> = []

    init() { descriptor = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC) }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Takes what is mounted now as known.
    mutating func update() {
        _ = hasBeenTouched
        points = Self.read()
    }

    /// Whether something was mounted or unmounted at or below a folder since it was last asked.
    mutating func hasChanged(atOrBelow folder: String) -> Bool {
        guard hasBeenTouched else { return false }
        let before = points
        points = Self.read()
        guard before != points, let resolved = realpath(folder, nil) else { return false }
        defer { free(resolved) }
        let folder = UnsafeBufferPointer(start: resolved, count: strlen(resolved)).map {
            UInt8(bitPattern: $0)
        }
        return before.symmetricDifference(points).contains { isPath(Self.path(of: $0), atOrBelow: folder) }
    }

    private var hasBeenTouched: Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLPRI), revents: 0)
        return Glibc.poll(&poll, 1, 0) > 0 && poll.revents & Int16(POLLPRI | POLLERR) != 0
    }

    /// The number of each mount and where it is, as /proc/self/mountinfo has them.
    private static func read() -> Set<[UInt8]> {
        // One that cannot be read tells of no change.
        let text = (try? Data(contentsOf: URL(fileURLWithPath: "/proc/self/mountinfo"))) ?? Data()
        return Set(
            text.split(separator: UInt8(ascii: "\n")).map { line in
                let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
                return fields.count > 4 ? Array(fields[0] + [UInt8(ascii: " ")] + fields[4]) : []
            })
    }

    /// Undoes the octal escapes of a mount's place.
    private static func path(of mount: [UInt8]) -> [UInt8] {
        var path: [UInt8] = []
        var rest = mount.drop { $0 != UInt8(ascii: " ") }.dropFirst()
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                path.append(value)
                rest = rest.dropFirst(3)
            } else {
                path.append(byte)
            }
        }
        return path
    }
}
