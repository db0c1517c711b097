import ArgumentParser
import Embedding
import Foundation
import Insight
import Products
import Settings

extension ManifestDraft.Normalisation: ExpressibleByArgument {}
extension ManifestDraft.Fit: ExpressibleByArgument {}
extension PictureShape.Filter: ExpressibleByArgument {}
extension Pooling.Name: ExpressibleByArgument {}

struct ModelsAdd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a network as a model: an ONNX file, OpenVINO IR, or a folder with one.",
        discussion: """
            Inputs, outputs and sizes are read from the file. What it does not say is asked for on a terminal, and taken from \
            options in a script. The network is copied into the folder of your own models, with a manifest that can be \
            edited. A folder that has a manifest is taken as it is.

            Examples:
              imgrec-agent models add resnet50.onnx --normalisation imagenet --licence BSD-3-Clause
              imgrec-agent models add exported/vgg16-fc2
            """)

    @Argument(help: "An .onnx file, the .xml file of OpenVINO IR, or a folder with one of them.")
    var path: String

    @OptionGroup var settings: SettingsOption

    @Option(help: "Its name (default: the file's).")
    var name: String?

    @Option(
        help: ArgumentHelp(
            "How levels become its values: \(ManifestDraft.Normalisation.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "name"))
    var normalisation: ManifestDraft.Normalisation?

    @Option(help: "Its licence, as in Apache-2.0.")
    var licence: String?

    @Option(help: "Where it comes from.")
    var source: String?

    @Option(help: "The side of the picture that it takes, where the file leaves that open, in pixels.")
    var size: Int?

    @Option(help: "How a photo comes to its picture (default: crop).")
    var fit: ManifestDraft.Fit?

    @Option(help: "For crop: what the short side becomes first, in pixels (default: 8/7 of the picture's).")
    var shortSide: Int?

    @Option(help: "How pixels are averaged when a photo is made smaller (default: bicubic).")
    var filter: PictureShape.Filter?

    @Option(help: "Which output is the embedding, where it has several.")
    var output: String?

    @Option(
        help:
            "How a vector is made of its output (default: by the output's shape: none, average for maps, class_token for tokens)."
    )
    var pooling: Pooling.Name?

    @Option(help: "For gem: the power (default: 3).")
    var power: Double?

    @Option(
        help: "For mean_tokens: where the tokens of the picture begin (default: 1, behind the class token).")
    var firstToken: Int?

    @Flag(help: "Replace a model of the same name.")
    var force = false

    func run() throws {
        let settings = try settings.load()
        let shelf = ModelShelf(settings: settings, executable: executablePath)
        let path = absolutePath(path)
        let (name, folder) = try reportingErrors {
            guard FileManager.default.fileExists(atPath: path) else {
                throw InsightError.badModel(reason: "there is no file or folder \(path)")
            }
            if FileManager.default.fileExists(atPath: "\(path)/\(ModelManifest.fileName)") {
                guard !hasOptions else {
                    throw InsightError.badModel(
                        reason: "\(path) has a manifest, which already says what the options say",
                        remedy: "Edit the manifest, or name the network's file.")
                }
                return try shelf.add(folder: path, replaces: force)
            }
            let draft = try draft(path)
            return (draft.name, try shelf.add(draft, replaces: force))
        }
        print("Added \(printable(name)) in \(folder).")
        print("To see whether it does what it should: imgrec-agent models check \(printable(name))")
        print("To use it, set model.name = \"\(printable(name))\" in \(self.settings.config).")
    }

    /// Whether anything is said that a manifest says.
    private var hasOptions: Bool {
        let others: [Any?] = [normalisation, fit, filter, pooling, size, shortSide, firstToken, power]
        return ([name, licence, source, output] + others).contains { $0 != nil }
    }

    private func draft(_ path: String) throws -> ManifestDraft {
        var draft = try ManifestDraft(path: path)
        if let name { draft.name = name }
        if let size { (draft.width, draft.height) = (size, size) }
        if let fit { draft.fit = fit }
        if let filter { draft.filter = filter }
        if let output { draft.output = output }
        (draft.normalisation, draft.licence, draft.source) = (normalisation, licence, source)
        (draft.shortSide, draft.pooling, draft.power, draft.firstToken) = (
            shortSide, pooling, power, firstToken
        )
        if isatty(STDIN_FILENO) == 1 { ask(&draft) }
        try draft.fixSize()
        return draft
    }

    /// What neither the file nor an option says. An answer that is no answer is missed later, with the option's name.
    private func ask(_ draft: inout ManifestDraft) {
        func answer(_ question: String) -> String? {
            print("\(question): ", terminator: "")
            fflush(nil)
            return readLine().flatMap { $0.isEmpty ? nil : $0 }
        }
        if draft.output == nil {
            draft.output = answer(
                "Which output is the embedding (\(draft.outputChoices.joined(separator: "; ")))")
        }
        if draft.width == nil || draft.height == nil,
            let side = answer("The side of its picture, in pixels (224)")
        {
            (draft.width, draft.height) = (Int(side), Int(side))
        }
        if draft.normalisation == nil {
            let names = ManifestDraft.Normalisation.allCases.map(\.rawValue).joined(separator: ", ")
            draft.normalisation = answer("How levels become its values (\(names))").flatMap {
                ManifestDraft.Normalisation(rawValue: $0)
            }
        }
        if draft.licence == nil { draft.licence = answer("Its licence, as in Apache-2.0") }
        if draft.source == nil { draft.source = answer("Where it comes from (may be empty)") }
    }
}
