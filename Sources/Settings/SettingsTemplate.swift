import StrictTOML

/// The commented settings file.
package enum SettingsTemplate {
    /// - Parameters: values for the keys that have no default, and for the state folder; nil writes the example
    ///   or the default.
    package static func text(images: String? = nil, output: String? = nil, state: String? = nil) -> String {
        let given = ["images.folder": images, "output.folder": output, "state.folder": state]
        var text = """
            # Settings of imgrec-agent. Keys that are commented out have the value that is shown.
            # Folders may be relative to this file.

            """
        var table = ""
        for key in Settings().keys {
            if key.table != table {
                table = key.table
                text += "\n[\(table)]\n"
            }
            for line in wrapped(key.definition.explanation(with: .costly), width: 98) {
                text += "# \(line)\n"
            }
            let value = (given[key.dotted] ?? nil).map(TOMLValue.string)
            let mark = key.definition.isRequired || value != nil ? "" : "# "
            text += "\(mark)\(key.definition.name) = \((value ?? key.definition.standard)?.literal ?? "")\n"
        }
        return text
    }

    private static func wrapped(_ text: String, width: Int) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            if lines[lines.count - 1].isEmpty {
                lines[lines.count - 1] = String(word)
            } else if lines[lines.count - 1].count + 1 + word.count <= width {
                lines[lines.count - 1] += " \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
