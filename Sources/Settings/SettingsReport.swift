import StrictTOML

/// The settings in force, and where each comes from.
package struct SettingsReport: Encodable, Sendable {
    package enum Origin: String, Encodable, Sendable {
        case file
        case standard = "default"
    }

    package struct Entry: Encodable, Sendable {
        /// With its table: `images.folder`.
        package let key: String
        package let value: TOMLValue
        package let origin: Origin
        /// Of the file; nil for a default.
        package let line: Int?
    }

    package let file: String
    package let settings: [Entry]

    package init(_ settings: Settings, file: String) {
        self.file = file
        // Where nothing is set, these come from other settings.
        let made: [String: String] = [
            "runtime.folder": settings.runtimeFolder, "cache.folder": settings.cacheFolder ?? "none",
        ]
        self.settings = settings.keys.compactMap { key in
            guard let value = made[key.dotted].map(TOMLValue.string) ?? key.value else { return nil }
            return Entry(
                key: key.dotted, value: value, origin: key.place == nil ? .standard : .file,
                line: key.place?.line)
        }
    }

    /// As a settings file with all of it, each line with where it comes from.
    package var text: String {
        let lines = settings.map { entry in
            let name = entry.key.split(separator: ".", maxSplits: 1)
            return (
                table: name[0], text: "\(name[1]) = \(entry.value.literal)",
                origin: entry.line.map { "line \($0)" } ?? "default"
            )
        }
        let width = lines.map(\.text.count).filter { $0 <= Self.longestAligned }.max() ?? 0
        var text = "# \(file)\n"
        var table: Substring = ""
        for line in lines {
            if line.table != table {
                table = line.table
                text += "\n[\(table)]\n"
            }
            let padding = String(repeating: " ", count: max(0, width - line.text.count))
            text += "\(line.text)\(padding)  # \(line.origin)\n"
        }
        return text
    }

    /// What is longer moves only its own comment.
    private static let longestAligned = 48
}
