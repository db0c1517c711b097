import Foundation

/// Writes JSON as RFC 8259 has it, keys in the order they are appended.
///
/// Foundation's encoder keeps an object's keys in a dictionary of strings, where two ids that differ in
/// Unicode spelling alone are one; here they are two, as they are on disk.
package struct JSONText {
    package private(set) var bytes: [UInt8] = []

    package init() {}

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
