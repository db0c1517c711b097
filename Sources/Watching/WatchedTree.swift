/// Which watch is on which folder. Paths are bytes relative to the image folder, which itself is empty.
struct WatchedTree {
    struct Entry: Hashable {
        var path: [UInt8]
        /// Tells whether it is still the same folder that is called so.
        let inode: UInt
        let device: UInt
    }

    private var entries: [Int32: Entry] = [:]
    private var watches: [[UInt8]: Int32] = [:]

    var count: Int { entries.count }

    subscript(watch: Int32) -> Entry? { entries[watch] }

    /// The watch on the folder that has this path.
    func watch(at path: [UInt8]) -> Int32? { watches[path] }

    mutating func set(_ watch: Int32, _ entry: Entry) {
        remove(watch)
        if let other = watches[entry.path] { entries[other] = nil }
        entries[watch] = entry
        watches[entry.path] = watch
    }

    mutating func remove(_ watch: Int32) {
        if let entry = entries.removeValue(forKey: watch), watches[entry.path] == watch {
            watches[entry.path] = nil
        }
    }

    /// Forgets the folder at a path and all below.
    mutating func remove(atOrBelow path: [UInt8]) {
        for watch in watches(atOrBelow: path) { remove(watch) }
    }

    /// A folder has another path now, and with it all below. Whatever was there has gone.
    mutating func rename(_ old: [UInt8], to new: [UInt8]) {
        let moved = watches(atOrBelow: old).map { ($0, entries[$0]!) }
        for (watch, _) in moved { remove(watch) }
        remove(atOrBelow: new)
        for (watch, entry) in moved {
            var entry = entry
            entry.path = new + entry.path.dropFirst(old.count)
            set(watch, entry)
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
