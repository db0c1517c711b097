/// A relative path or a part of one, as text that stands for exactly one sequence of bytes.
///
/// A Linux file name is any bytes; JSON, SQL and Swift want UTF-8. Bytes that are UTF-8 are their own text.
/// A byte that is not becomes the private-use character U+F700 + byte, and so does each byte of a character
/// that itself lies in U+F700...U+F7FF, which makes the mapping reversible.
///
/// Two names are equal when their bytes are: `String` would take "é" in its two Unicode spellings, which
/// are two files, for one.
package struct FileName: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let text: String

    /// The name of these bytes.
    package init(bytes: some Collection<UInt8>) {
        let text = String(validating: bytes, as: UTF8.self)
        if let text, !text.unicodeScalars.contains(where: Self.isEscape) {
            self.text = text
        } else {
            self.text = Self.escaped(Array(bytes))
        }
    }

    /// The name that a text made by this type stands for, for example one read from the catalogue.
    package init(text: String) {
        self.text = text
    }

    /// The bytes of the name, as the file system has them.
    package var bytes: [UInt8] {
        // All escapes begin with this byte.
        guard text.utf8.contains(0xEF) else { return Array(text.utf8) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            if Self.isEscape(scalar) {
                bytes.append(UInt8(scalar.value - Self.escapeBase))
            } else {
                bytes.append(contentsOf: UTF8.encode(scalar)!)
            }
        }
        return bytes
    }

    package var description: String { text }

    package static func == (left: FileName, right: FileName) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    package static func < (left: FileName, right: FileName) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    // MARK: The escape

    private static let escapeBase: UInt32 = 0xF700

    private static func isEscape(_ scalar: Unicode.Scalar) -> Bool {
        (escapeBase...escapeBase + 0xFF).contains(scalar.value)
    }

    private static func escaped(_ bytes: [UInt8]) -> String {
        var text = String.UnicodeScalarView()
        var rest = bytes[...]
        while let first = rest.first {
            let length = max(1, (~first).leadingZeroBitCount)
            if let character = String(validating: rest.prefix(length), as: UTF8.self),
                let scalar = character.unicodeScalars.first, character.unicodeScalars.count == 1,
                !isEscape(scalar)
            {
                text.append(scalar)
                rest = rest.dropFirst(length)
            } else {
                text.append(Unicode.Scalar(escapeBase + UInt32(first))!)
                rest = rest.dropFirst()
            }
        }
        return String(text)
    }
}
