import Synchronization

/// A table while a type is made of it: its keys take their values from here.
///
/// Property wrappers cannot be handed anything but what stands beside them, so the table that is being read goes with the
/// task. Outside of a reading keys have their defaults.
final class TOMLReading: Sendable {
    @TaskLocal static var current: TOMLReading?

    /// The table; empty outside of all.
    let name: String
    private let file: String
    /// Where the table begins; nil where it is not in the file.
    private let place: TOMLPlace?
    private let entries: [String: TOMLNode]
    /// Their names as they follow each other in the file.
    private let order: [String]
    private let log: Log

    /// What has been read of a file, by all tables of it.
    private final class Log: Sendable {
        struct Contents {
            /// Keys that there are, by their tables.
            var keys: [String: [String]] = [:]
            var tables: [String] = []
            /// What stands in the file and nobody asked for, by its table.
            var unknown: [(table: String, name: String, node: TOMLNode)] = []
            var errors: [TOMLError] = []
        }

        let contents = Mutex(Contents())
    }

    /// The outermost table of a file.
    convenience init(file: String, entries: [(name: String, node: TOMLNode)]) {
        self.init("", at: nil, file: file, entries: entries, log: Log())
    }

    private init(
        _ name: String, at place: TOMLPlace?, file: String, entries: [(name: String, node: TOMLNode)],
        log: Log
    ) {
        (self.name, self.file, self.place, self.log) = (name, file, place, log)
        order = entries.map(\.name)
        // Names that only differ in how their characters are put together are the same to Swift, and none of ours.
        self.entries = Dictionary(entries.map { ($0.name, $0.node) }) { first, _ in first }
    }

    // MARK: What keys ask for

    /// What stands after a key; nil where the default counts. What is wrong is noted.
    func value<Value>(of key: KeyDefinition, _ form: ValueForm<Value>) -> (value: Value, place: TOMLPlace?)? {
        log.contents.withLock { $0.keys[name, default: []].append(key.name) }
        let dotted = Self.dotted(name, key.name)
        guard let node = entries[key.name] else {
            if key.isRequired { note(.missing(file: file, line: place?.line, key: dotted)) }
            return nil
        }
        do throws(ValueObjection) {
            guard let raw = form.kind.read(node) else { throw ValueObjection() }
            // The system's calls would take it for the end.
            guard !raw.hasNUL else { throw ValueObjection("the character U+0000 is in it") }
            return (try form.read(raw, file), node.place)
        } catch {
            note(
                .wrongValue(
                    file: file, line: node.place?.line, key: dotted, expected: form.expected,
                    found: error.reason.map { "\(node.description): \($0)" } ?? node.description))
            return nil
        }
    }

    // MARK: Tables

    /// The table of this name within the one that is being read.
    static func of(table name: String) -> TOMLReading {
        let outer = current ?? TOMLReading(file: "", entries: [])
        let full = outer.know(table: name)
        let node = outer.entries[name]
        let content = node.flatMap { outer.content(of: $0, full, "a table, written [\(full)]") }
        return TOMLReading(full, at: node?.place, file: outer.file, entries: content ?? [], log: outer.log)
    }

    /// The tables of this name within the one that is being read.
    static func of(tables name: String) -> [TOMLReading] {
        let outer = current ?? TOMLReading(file: "", entries: [])
        let full = outer.know(table: name)
        guard let node = outer.entries[name] else { return [] }
        let expected = "tables, each written [[\(full)]]"
        guard case .array(let nodes) = node.value else {
            outer.refuse(node, full, expected)
            return []
        }
        return nodes.compactMap { table in
            outer.content(of: table, full, expected).map {
                TOMLReading(full, at: table.place, file: outer.file, entries: $0, log: outer.log)
            }
        }
    }

    /// Notes that there may be a table of this name in here, and gives its name as errors have it.
    private func know(table: String) -> String {
        let full = Self.dotted(name, table)
        log.contents.withLock { if !$0.tables.contains(full) { $0.tables.append(full) } }
        return full
    }

    /// What is in a table; nil, and an error is noted, where it is none.
    private func content(of node: TOMLNode, _ name: String, _ expected: String)
        -> [(name: String, node: TOMLNode)]?
    {
        if case .table(let content) = node.value { return content }
        refuse(node, name, expected)
        return nil
    }

    private func refuse(_ node: TOMLNode, _ name: String, _ expected: String) {
        note(
            .wrongValue(
                file: file, line: node.place?.line, key: name, expected: expected, found: node.description))
    }

    private func note(_ error: TOMLError) { log.contents.withLock { $0.errors.append(error) } }

    // MARK: Afterwards

    /// Notes what stands in the table and belongs to no key. To be called when all keys have been asked for.
    func finish() {
        log.contents.withLock { contents in
            let keys = contents.keys[name] ?? []
            for key in order where !keys.contains(key) && !contents.tables.contains(Self.dotted(name, key)) {
                if let node = entries[key] { contents.unknown.append((name, key, node)) }
            }
        }
    }

    /// What is wrong with the file; nil where nothing is. Unknown keys come first.
    func error() -> TOMLError? {
        finish()
        return log.contents.withLock { contents in
            contents.unknown.min { ($0.node.place?.line ?? 0) < ($1.node.place?.line ?? 0) }.map {
                .unknownKey(
                    file: file, line: $0.node.place?.line, key: Self.name(of: $0),
                    nearest: Self.suggestion(for: $0, among: contents))
            } ?? contents.errors.first
        }
    }

    private static func name(of unknown: (table: String, name: String, node: TOMLNode)) -> String {
        if !unknown.table.isEmpty { return "\(unknown.table).\(unknown.name)" }
        if case .table = unknown.node.value { return "[\(unknown.name)]" }
        return unknown.name
    }

    private static func suggestion(
        for unknown: (table: String, name: String, node: TOMLNode), among contents: Log.Contents
    ) -> String {
        let elsewhere = contents.keys.sorted { $0.key < $1.key }.first { $0.value.contains(unknown.name) }
        if let elsewhere { return dotted(elsewhere.key, unknown.name) }
        // Written with its table's name below the heading of another.
        if contents.tables.contains(unknown.name) { return "[\(unknown.name)]" }
        guard unknown.table.isEmpty else {
            return dotted(
                unknown.table, nearest(to: unknown.name, among: contents.keys[unknown.table] ?? []))
        }
        // A key outside of any table, or in a table that is misspelt: the nearest may be either.
        let keys = contents.keys.flatMap { table, names in names.map { dotted(table, $0) } }
        return nearest(to: name(of: unknown), among: contents.tables.map { "[\($0)]" } + keys)
    }

    private static func dotted(_ table: String, _ name: String) -> String {
        table.isEmpty ? name : "\(table).\(name)"
    }
}

/// The candidate with the smallest edit distance (Levenshtein, two rows), the first of equals.
private func nearest(to name: String, among candidates: [String]) -> String {
    func distance(_ left: [Character], _ right: [Character]) -> Int {
        var previous = Array(0...right.count)
        for (i, character) in left.enumerated() {
            var current = [i + 1]
            for (j, other) in right.enumerated() {
                current.append(
                    min(previous[j] + (character == other ? 0 : 1), previous[j + 1] + 1, current[j] + 1))
            }
            previous = current
        }
        return previous[right.count]
    }
    return candidates.sorted().min { distance(Array(name), Array($0)) < distance(Array(name), Array($1)) }
        ?? name
}
