import StrictTOML

/// Why a model cannot be used.
package enum ModelError: Error, Hashable, CustomStringConvertible {
    case notFound(name: String, folders: [String], known: [String])
    case noManifest(folder: String)
    case badManifest(TOMLError)
    case damaged(file: String, expected: String, found: String)
    case missingFile(file: String)
    /// What made a catalogue's vectors cannot be had any more.
    case notAsItWas(name: String)
    case wrongInterface(model: String, reason: String)
    /// OpenVINO refused; its own words.
    case openVINO(doing: String, message: String)

    package var description: String {
        switch self {
        case .notFound(let name, let folders, let known):
            "there is no model \"\(name)\" in \(folders.joined(separator: " or ")). "
                + (known.isEmpty
                    ? "Run 'make build' (or 'make install') to obtain the default model, or set model.folder."
                    : "There is: \(known.joined(separator: ", ")).")
        case .noManifest(let folder):
            "\(folder) has no manifest.toml that can be read, so it is not a model"
        case .badManifest(let error):
            error.description
        case .damaged(let file, let expected, let found):
            "\(file) is not the file that its manifest names (SHA-256 \(found), expected \(expected)). Obtain the model again."
        case .missingFile(let file):
            "\(file) is missing or cannot be read. Obtain the model again."
        case .notAsItWas(let name):
            "the model \(name) is not as it was before. Run 'imgrec-agent reconcile': every photo is embedded with the model of the settings, as it is now."
        case .wrongInterface(let model, let reason):
            "the model \(model) does not do what its manifest says: \(reason)"
        case .openVINO(let doing, let message):
            "OpenVINO failed while \(doing): \(message)"
        }
    }
}
