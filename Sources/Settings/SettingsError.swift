import StrictTOML

/// What is wrong with the settings, where, and what to do.
package enum SettingsError: Error, Hashable, CustomStringConvertible {
    case noFile(file: String)
    case unreadable(file: String)
    case toml(TOMLError)
    case badPattern(file: String, pattern: String, reason: String)
    case badExtension(file: String, ending: String)
    case badHook(file: String, program: String)
    case badOutputField(file: String, name: String)
    case badModelName(file: String, name: String)
    case badWeights(file: String, models: Int)
    case badColour(file: String, text: String)
    case overlappingFolders(file: String, String, String, String, String)

    package var description: String {
        switch self {
        case .noFile(let file):
            "there is no settings file \(file). Write one with: imgrec-agent init --config \(file)"
        case .unreadable(let file):
            "the settings file \(file) cannot be read; check its permissions, and that it is UTF-8 text"
        case .toml(let error):
            error.description
        case .badPattern(let file, let pattern, let reason):
            "\(file): images.product_pattern is no regular expression with a group: \(pattern): \(reason)"
        case .badExtension(let file, let ending):
            "\(file): images.extensions must be endings without their dot, such as \"jpg\", not \"\(ending)\""
        case .badHook(let file, let program):
            "\(file): publish.hook must begin with a program's absolute path, such as \"/usr/local/bin/rebuild-site\", not \"\(program)\""
        case .badOutputField(let file, let name):
            "\(file): output.fields may have \(Settings.outputFieldNames.map { "\"\($0)\"" }.joined(separator: " and ")), not \"\(name)\""
        case .badModelName(let file, let name):
            "\(file): model.name and embedding.models must be names of models' folders, not \"\(name)\""
        case .badWeights(let file, let models):
            "\(file): embedding.weights must have a number from 0.001 to 1000 for each of the \(models) models of embedding.models"
        case .badColour(let file, let text):
            "\(file): picture.background must be a colour such as \"#ffffff\", not \"\(text)\""
        case .overlappingFolders(let file, let first, let firstPath, let second, let secondPath):
            "\(file): \(first) (\(firstPath)) and \(second) (\(secondPath)) must be apart, neither inside the other. "
                + "Move one of them."
        }
    }
}
