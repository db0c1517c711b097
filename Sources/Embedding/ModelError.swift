import Glibc
import Products
import StrictTOML

/// Why a model cannot be used.
package enum ModelError: ExplainedError, Hashable {
    case notFound(name: String, folders: [String], known: [String])
    case noManifest(folder: String)
    case unreadableManifest(file: String, errno: Int32)
    case badManifest(TOMLError)
    case damaged(file: String, expected: String, found: String)
    case missingFile(file: String)
    /// What made a catalogue's vectors cannot be had any more.
    case notAsItWas(name: String)
    case wrongInterface(model: String, reason: String, remedy: String? = nil)
    /// OpenVINO refused; its own words.
    case openVINO(doing: String, message: String)

    package var explanation: Explanation {
        switch self {
        case .notFound(let name, let folders, let known):
            .init(
                "there is no model \"\(name)\" in \(folders.joined(separator: " or "))",
                remedy: known.isEmpty
                    ? "Run 'make build' (or 'make install') to obtain the default model, or set model.folder."
                    : "Name one of these: \(known.joined(separator: ", ")).", .unavailable)
        case .noManifest(let folder):
            .init("\(folder) has no manifest.toml, so it is not a model", .unavailable)
        case .unreadableManifest(let file, EILSEQ):
            .init("\(file) is not UTF-8 text", remedy: "Save it as UTF-8.", .dataError)
        case .unreadableManifest(let file, let number):
            .init(
                "\(file) cannot be read: \(errnoText(number))", remedy: "Check its permissions and its disk.",
                .unavailable)
        case .badManifest(let error):
            .init(error.sentence, remedy: error.remedy, .dataError)
        case .damaged(let file, let expected, let found):
            .init(
                "\(file) is not the file that its manifest names (SHA-256 \(found), expected \(expected))",
                remedy: "Obtain the model again.", .dataError)
        case .missingFile(let file):
            .init("\(file) is missing or cannot be read", remedy: "Obtain the model again.", .unavailable)
        case .notAsItWas(let name):
            .init(
                "the model \(name) is not as it was before",
                remedy:
                    "Run 'imgrec-agent reconcile': every photo is embedded with the model of the settings, as it is now.",
                .tryAgain)
        case .wrongInterface(let model, let reason, let remedy):
            .init(
                "the model \(model) does not do what its manifest says: \(reason)", remedy: remedy,
                .dataError)
        case .openVINO(let doing, let message):
            .init("OpenVINO failed while \(doing): \(message)", .software)
        }
    }
}
