/// Which watch is on which folder. Paths are bytes relative to the image folder, which itself is empty.
struct WatchedTree {
    struct Entry: Hashable {
        var path: [UInt8]
        /// Tells whether it is still the same folder that is called so.
        let inode: UInt
        let device: UInt
    }

    private(set) var entries: [Int32: Entry] = [:]

    var count: Int { entries.count }

    subscript(watch: Int32) -> Entry? { entries[watch] }

    mutating func set(_ watch: Int32, _ entry: Entry) { entries[watch] = entry }

    mutating func remove(_ watch: Int32) { entries[watch] = nil }

    /// A folder has another path now, and with it all below.
    mutating func rename(_ old: [UInt8], to new: [UInt8]) {
        for watch in watches(atOrBelow: old) {
            entries[watch]!.path = new + entries[watch]!.path.dropFirst(old.count)
        }
    }

    func watches(atOrBelow path: [UInt8]) -> [Int32] {
        entries.filter { isPath($0.value.path, atOrBelow: path) }.map(\.key)
    }
}

/// Whether a path is another one or lies below it. Everything lies below the empty path.
func isPath(_ path: [UInt8], atOrBelow folder: [UInt8]) -> Bool {
    folder.isEmpty || path == folder
        || path.count > folder.count && path[folder.count] == UInt8(ascii: "/") && path.starts(with: folder)
}
