import Foundation

/// Writes JSON as RFC 8259 has it, keys in the order they are appended.
///
/// Foundation's encoder keeps an object's keys in a dictionary of strings, where two ids that differ in
/// Unicode spelling alone are one; here they are two, as they are on disk.
package struct JSONText {
    package enum Bracket: Sendable {
        case object, array

        fileprivate var pair: (open: UInt8, close: UInt8) {
            switch self {
            case .object: (UInt8(ascii: "{"), UInt8(ascii: "}"))
            case .array: (UInt8(ascii: "["), UInt8(ascii: "]"))
            }
        }
    }

    private struct Level {
        let bracket: Bracket
        let isOnLines: Bool
        var isEmpty = true
    }

    package private(set) var bytes: [UInt8] = []
    private let isCompact: Bool
    private var levels: [Level] = []

    /// - Parameter isCompact: whether there is no white space that a parser does not need.
    package init(isCompact: Bool = false) { self.isCompact = isCompact }

    // MARK: Structure

    /// Begins an object or an array.
    ///
    /// - Parameter isOnLines: whether each member has a line of its own.
    package mutating func open(_ bracket: Bracket, isOnLines: Bool = false) {
        bytes.append(bracket.pair.open)
        levels.append(Level(bracket: bracket, isOnLines: isOnLines && !isCompact))
    }

    package mutating func close() {
        let level = levels.removeLast()
        if !level.isEmpty { breakLine(in: level) }
        bytes.append(level.bracket.pair.close)
    }

    /// Begins the next member of an array.
    package mutating func beginElement() {
        let level = levels[levels.count - 1]
        levels[levels.count - 1].isEmpty = false
        if level.isEmpty {
            breakLine(in: level)
        } else {
            bytes.append(UInt8(ascii: ","))
            if level.isOnLines { breakLine(in: level) } else if !isCompact { bytes.append(UInt8(ascii: " ")) }
        }
    }

    /// Begins the next member of an object; its value is to follow.
    package mutating func beginMember(_ name: String) {
        beginElement()
        append(string: name)
        append(isCompact ? ":" : ": ")
    }

    private mutating func breakLine(in level: Level) {
        if level.isOnLines {
            bytes.append(UInt8(ascii: "\n"))
            for level in levels where level.isOnLines { append("  ") }
        } else if level.bracket == .object, !isCompact {
            bytes.append(UInt8(ascii: " "))
        }
    }

    package mutating func addMember(_ name: String, _ value: String) {
        beginMember(name)
        append(string: value)
    }

    package mutating func addMember(_ name: String, _ value: Int) {
        beginMember(name)
        append("\(value)")
    }

    package mutating func addMember(_ name: String, _ values: some Sequence<String>) {
        beginMember(name)
        open(.array)
        for value in values {
            beginElement()
            append(string: value)
        }
        close()
    }

    // MARK: Values

    package mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// A quoted string. `<` is escaped too, so that the text may stand inside an HTML script element.
    package mutating func append(string: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\t"): append("\\t")
            case UInt8(ascii: "\r"): append("\\r")
            case 0..<0x20, 0x7F, UInt8(ascii: "<"): append(String(format: "\\u%04x", Int(byte)))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// A score with six digits after the point.
    package static func score(_ score: Float) -> String {
        let text = String(format: "%.6f", Double(score))
        return text == "-0.000000" ? "0.000000" : text
    }
}
