import StrictTOML

/// The page about all settings.
package enum SettingsReference {
    package static var markdown: String {
        var text = """
            # Settings

            `imgrec-agent init` writes a file with all of them, explained and commented out; `imgrec-agent settings` shows which are
            in force, and where each comes from. Folders may be relative to the file. Two settings have no default: `images.folder`
            and `output.folder`.

            This page is made by the program: `imgrec-agent settings --markdown`.

            """
        var table = ""
        for key in Settings().keys {
            if key.table != table {
                table = key.table
                text +=
                    "\n## [\(table)]\n\n| key | default | from, to | what it does |\n| --- | --- | --- | --- |\n"
            }
            let definition = key.definition
            let standard =
                definition.isRequired ? "required" : definition.standard.map { "`\($0.literal)`" } ?? ""
            let cells = [
                "`\(definition.name)`", standard, range(definition.kind), definition.explanation(with: .all),
            ]
            text += "| \(cells.map(escaped).joined(separator: " | ")) |\n"
        }
        return text
    }

    /// Of a number; of others the explanation says what may stand there.
    private static func range(_ kind: TOMLKind) -> String {
        switch kind {
        case .integer(let range):
            "\(TOMLText.grouped(range.lowerBound)), \(TOMLText.grouped(range.upperBound))"
        case .number(let range): "\(range.lowerBound), \(range.upperBound)"
        case .string, .boolean, .strings, .numbers, .choice, .choices: ""
        }
    }

    /// Bars divide cells, and `<` begins HTML.
    private static func escaped(_ text: String) -> String {
        text.replacing("|", with: "\\|").replacing("<", with: "&lt;")
    }
}
