import Products
import StrictTOML

/// What is wrong with the settings, where, and what to do.
package enum SettingsError: ExplainedError, Hashable {
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

    package var explanation: Explanation {
        switch self {
        case .noFile(let file):
            .init(
                "there is no settings file \(file)",
                remedy: "Write one with 'imgrec-agent init --config \(file)'.", .noInput)
        case .unreadable(let file):
            .init(
                "the settings file \(file) cannot be read",
                remedy: "Check its permissions, and that it is UTF-8 text.", .settings)
        case .toml(let error):
            .init(error.sentence, remedy: error.remedy, .settings)
        case .badPattern(let file, let pattern, let reason):
            .init(
                "\(file): images.product_pattern is no regular expression with a group: \(pattern): \(reason)",
                .settings)
        case .badExtension(let file, let ending):
            .init(
                "\(file): images.extensions must be endings without their dot, such as \"jpg\", not \"\(ending)\"",
                .settings)
        case .badHook(let file, let program):
            .init(
                "\(file): publish.hook must begin with a program's absolute path, such as \"/usr/local/bin/rebuild-site\", not \"\(program)\"",
                .settings)
        case .badOutputField(let file, let name):
            .init(
                "\(file): output.fields may have \(Settings.outputFieldNames.map { "\"\($0)\"" }.joined(separator: " and ")), not \"\(name)\"",
                .settings)
        case .badModelName(let file, let name):
            .init(
                "\(file): model.name and embedding.models must be names of models' folders, not \"\(name)\"",
                .settings)
        case .badWeights(let file, let models):
            .init(
                "\(file): embedding.weights must have a number from 0.001 to 1000 for each of the \(models) models of embedding.models",
                .settings)
        case .badColour(let file, let text):
            .init(
                "\(file): picture.background must be a colour such as \"#ffffff\", not \"\(text)\"", .settings
            )
        case .overlappingFolders(let file, let first, let firstPath, let second, let secondPath):
            .init(
                "\(file): \(first) (\(firstPath)) and \(second) (\(secondPath)) must be apart, neither inside the other",
                remedy: "Move one of them.", .settings)
        }
    }
}
