import Foundation
import TestSupport
import Testing

/// What can be read off the sources: that rooms are as they are drawn, nothing grows too large, and how we write.
@Suite("The house")
struct HouseTests {
    private static let lineLimits = (room: 2500, type: 300, function: 60)

    private static func text(_ path: String) throws -> String {
        try String(contentsOfFile: "\(Repository.root)/\(path)", encoding: .utf8)
    }

    /// All files below a folder whose names end so, by their paths in the repository.
    private static func files(_ folder: String, _ ending: String) -> [String] {
        let all = FileManager.default.enumerator(atPath: "\(Repository.root)/\(folder)")?.allObjects
        return (all as? [String] ?? []).filter { $0.hasSuffix(ending) }.map { "\(folder)/\($0)" }.sorted()
    }

    private static var rooms: [String] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: "\(Repository.root)/Sources").filter {
                !files("Sources/\($0)", ".swift").isEmpty
            }.sorted()
        }
    }

    /// Of each room the rooms that it imports, by `Package.swift`.
    private static func declared() throws -> [String: Set<String>] {
        let rooms = try Set(rooms)
        let package = try text("Package.swift")
        var edges: [String: Set<String>] = [:]
        func note(_ room: String, _ dependencies: Substring) {
            let names = dependencies.matches(of: /"([A-Za-z-]+)"/).map { String($0.1) }
            edges[room] = Set(names).intersection(rooms)
        }
        for match in package.matches(of: /rooms\(\s*"(\w+)"\s*(?:,\s*\[([^\]]*)\])?/) {
            note(String(match.1), match.2 ?? "")
        }
        let command = try #require(
            package.firstMatch(of: /name: "imgrec-agent",\s*dependencies: \[([^\]]*)\]/))
        note("imgrec-agent", command.1)
        return edges
    }

    @Test("rooms are as Docs/explanation/architecture.md draws them, and as they import each other")
    func drawing() throws {
        let declared = try Self.declared()
        #expect(try Set(declared.keys) == Set(Self.rooms))
        var drawn: [String: Set<String>] = [:]
        let page = try Self.text("Docs/explanation/architecture.md")
        for line in page.split(separator: "\n") {
            guard let match = line.wholeMatch(of: #/ {4}([A-Za-z-]+) +->(.*)/#) else { continue }
            drawn[String(match.1)] = Set(
                match.2.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
                    .filter { !$0.isEmpty })
        }
        #expect(drawn.keys.sorted() == declared.keys.sorted())
        for (room, imports) in declared {
            #expect(drawn[room] == imports, "\(room)")
            var used: Set<String> = []
            for file in Self.files("Sources/\(room)", ".swift") {
                used.formUnion(try Self.text(file).matches(of: /(?m)^import (\w+)$/).map { String($0.1) })
            }
            #expect(used.intersection(declared.keys) == imports, "imports of \(room)")
        }
    }

    @Test("imports make no circle")
    func order() throws {
        var edges = try Self.declared()
        while let lowest = edges.first(where: { $0.value.isEmpty })?.key {
            edges[lowest] = nil
            for room in edges.keys { edges[room]?.remove(lowest) }
        }
        #expect(edges.isEmpty, "these import one another: \(edges.keys.sorted())")
    }

    @Test("no room, type or function is too long without a reason beside it")
    func lengths() throws {
        for room in try Self.rooms {
            var inRoom = 0
            var types: [String: (lines: Int, hasReason: Bool)] = [:]
            for file in Self.files("Sources/\(room)", ".swift") {
                let source = Source(try Self.text(file))
                inRoom += source.lines.count
                for block in source.types {
                    let before = types[block.name] ?? (0, false)
                    types[block.name] = (
                        before.lines + block.lines,
                        before.hasReason
                            || block.comment.contains("More than \(Self.lineLimits.type) lines: ")
                    )
                }
                for block in source.functions where block.lines > Self.lineLimits.function {
                    let hasReason = block.comment.contains("Longer than \(Self.lineLimits.function) lines: ")
                    #expect(hasReason, "\(file): \(block.name) has \(block.lines) lines")
                }
            }
            #expect(inRoom <= Self.lineLimits.room, "\(room)")
            for (name, type) in types where type.lines > Self.lineLimits.type {
                #expect(type.hasReason, "\(room): \(name) has \(type.lines) lines")
            }
        }
    }

    /// Turns that are no idiomatic English, or say too little.
    private static let bannedTurns = [
        "is told", "are told", "been told", "told of", "so often", "so many", "so long after", "with so much",
        "leave to", "comes onto",
    ]

    @Test("pages, settings and messages are in plain English")
    func turns() throws {
        var texts: [(file: String, text: String)] = []
        for file in ["README.md", "CHANGELOG.md"] + Self.files("Docs", ".md") + Self.files("Config", ".toml")
            + Self.files("Systemd", "") + Self.files("Examples", ".md")
        { texts.append((file, try Self.text(file))) }
        // The text of a released migration stays as it was.
        for file in Self.files("Sources", ".swift") where !file.hasSuffix("/Schema.swift") {
            // What stands in quotation marks: messages, help, the settings' explanations.
            let lines = try Self.text(file).split(separator: "\n").filter {
                !$0.trimmingPrefix(while: \.isWhitespace).hasPrefix("//")
            }
            let quoted = lines.filter { $0.contains("\"") || !$0.contains(/[{}=]/) }.joined(separator: "\n")
            texts.append((file, quoted))
        }
        for (file, text) in texts {
            let words = text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
            for turn in Self.bannedTurns { #expect(!words.contains(turn), "\(file): \"\(turn)\"") }
        }
    }

    @Test("links between pages lead somewhere")
    func links() throws {
        for file in ["README.md"] + Self.files("Docs", ".md") + Self.files("Examples", ".md") {
            let folder = URL(fileURLWithPath: "\(Repository.root)/\(file)").deletingLastPathComponent().path
            for match in try Self.text(file).matches(of: /\]\(([^)\s#]+)(#[^)\s]*)?\)/) {
                let target = String(match.1)
                guard !target.contains("://") else { continue }
                #expect(FileManager.default.fileExists(atPath: "\(folder)/\(target)"), "\(file): \(target)")
            }
        }
    }
}

/// What a formatted Swift file declares. That `swift format` has laid it out makes this so simple.
private struct Source {
    struct Block {
        let name: String
        let lines: Int
        /// What stands right above it.
        let comment: String
    }

    let lines: [Substring]
    private(set) var types: [Block] = []
    private(set) var functions: [Block] = []

    private static let modifiers: Set<Substring> = [
        "package", "public", "private", "fileprivate", "private(set)", "final", "indirect", "static",
        "mutating", "consuming", "borrowing", "convenience", "override", "nonisolated",
    ]
    private static let typeKinds: Set<Substring> = [
        "struct", "class", "enum", "actor", "extension", "protocol",
    ]

    init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let words = line.split(separator: " ").drop { Self.modifiers.contains($0) || $0.hasPrefix("@") }
            guard let kind = words.first else { continue }
            if Self.typeKinds.contains(kind), !line.hasPrefix(" "), words.count > 1 {
                let name = words[words.startIndex + 1].split(separator: ".").last ?? ""
                let bare = String(name.prefix { $0.isLetter || $0.isNumber || $0 == "_" })
                if let block = block(bare, at: index) { types.append(block) }
            } else if kind == "func" || ["init(", "init?(", "init<"].contains(where: { kind.hasPrefix($0) }) {
                if let block = block(String(line), at: index) { functions.append(block) }
            } else if kind == "var", line.hasSuffix("{"), !line.contains("=") {
                if let block = block(String(line), at: index) { functions.append(block) }
            }
        }
    }

    /// From a declaration's first line to the brace that closes it; nil where it has no body, or one of one line.
    private func block(_ name: String, at start: Int) -> Block? {
        let indent = lines[start].prefix(while: { $0 == " " })
        var opening = start
        while opening < lines.count, !lines[opening].hasSuffix("{") {
            let isOver =
                opening > start && !lines[opening].hasPrefix("\(indent) ")
                && !lines[opening].hasPrefix("\(indent))")
            if isOver || lines[opening].hasSuffix("}") { return nil }
            opening += 1
        }
        guard
            let end = lines[min(opening + 1, lines.count)...].firstIndex(where: { $0.hasPrefix("\(indent)}") }
            )
        else {
            return nil
        }
        let comment = lines[..<start].reversed().prefix {
            $0.trimmingPrefix(while: \.isWhitespace).hasPrefix("//")
        }
        return Block(name: name, lines: end - start + 1, comment: comment.joined(separator: "\n"))
    }
}
