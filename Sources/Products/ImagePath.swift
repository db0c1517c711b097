/// Where a photo lies: its path relative to the image folder, `/` between its parts.
///
/// Never absolute, never empty, without empty, `.` and `..` parts: joined to the folder it stays inside.
package struct ImagePath: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let name: FileName

    /// Returns nil where the name could lead out of the folder.
    package init?(_ name: FileName) {
        let parts = name.text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for part in parts where part.isEmpty || part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8)
        {
            return nil
        }
        guard !name.text.utf8.contains(0) else { return nil }
        self.name = name
    }

    package init?(_ text: String) { self.init(FileName(text: text)) }

    package var text: String { name.text }
    package var description: String { name.text }

    /// The path without its ending: `a/b` of `a/b.jpg`.
    package var withoutExtension: FileName {
        FileName(text: endingStart.map { String(text[..<$0]) } ?? text)
    }

    package static func < (left: ImagePath, right: ImagePath) -> Bool { left.name < right.name }

    /// The index of the last dot of the file's own name; a dot that begins the name begins no ending.
    private var endingStart: String.Index? {
        let nameStart =
            text.utf8.lastIndex(of: UInt8(ascii: "/")).map(text.utf8.index(after:)) ?? text.startIndex
        guard let dot = text.utf8[nameStart...].lastIndex(of: UInt8(ascii: ".")), dot > nameStart else {
            return nil
        }
        return dot
    }
}
