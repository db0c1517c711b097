import Products
import StrictTOML

/// What is wrong with the settings, where, and what to do.
package enum SettingsError: ExplainedError, Hashable {
    /// A folder, and the setting that it comes from.
    package struct Folder: Hashable, Sendable {
        let setting: String
        let line: Int?
        let path: String

        init(_ key: some TOMLKeyValue, _ path: String) {
            (setting, line, self.path) = (key.dotted, key.place?.line, path)
        }
    }

    case noFile(file: String)
    case unreadable(file: String, errno: Int32)
    case notText(file: String)
    case toml(TOMLError)
    case badWeights(file: String, line: Int?, models: Int)
    case overlappingFolders(file: String, Folder, Folder)

    package var explanation: Explanation {
        switch self {
        case .noFile(let file):
            .init(
                "there is no settings file \(file)",
                remedy: "Write one with 'imgrec-agent init --config \(file)'.", .noInput)
        case .unreadable(let file, let number):
            .init(
                "the settings file \(file) cannot be read: \(errnoText(number))",
                remedy: "Check its permissions and its disk.", .settings)
        case .notText(let file):
            .init("the settings file \(file) is not UTF-8 text", remedy: "Save it as UTF-8.", .settings)
        case .toml(let error):
            .init(error.sentence, remedy: error.remedy, .settings)
        case .badWeights(let file, let line, let models):
            .init(
                "\(TOMLError.place(file, line)): embedding.weights must have a number from 0.001 to 1000 for each model of embedding.models, which has \(models)",
                .settings)
        case .overlappingFolders(let file, let first, let second):
            .init(
                "\(TOMLError.place(file, first.line ?? second.line)): \(first.setting) (\(first.path)) and \(second.setting) (\(second.path)) must be apart, neither inside the other",
                remedy: "Move one of them.", .settings)
        }
    }
}
