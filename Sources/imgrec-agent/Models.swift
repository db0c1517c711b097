import ArgumentParser
import Foundation
import Insight
import Products
import Settings

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show, add and check the neural networks that may look at the photos.",
        discussion: """
            Which one is used, model.name in the settings says. When it is changed, a running agent goes on with the one it \
            had until all photos are embedded with the new one.

            Examples:
              imgrec-agent models
              imgrec-agent models add resnet50.onnx --normalisation imagenet --licence BSD-3-Clause
              imgrec-agent models check resnet50
            """,
        subcommands: [ModelsList.self, ModelsAdd.self, ModelsCheck.self, ModelsPrune.self],
        defaultSubcommand: ModelsList.self)
}

struct ModelsList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Show the models that there are, with their speed here and which is in use.",
        discussion: "Example: imgrec-agent models --config shop.toml")

    @OptionGroup var settings: SettingsOption

    @Flag(help: "Print as JSON.")
    var json = false

    func run() throws {
        let settings = try settings.load()
        let shelf = ModelShelf(settings: settings, executable: executablePath)
        let isOnTerminal = isatty(STDERR_FILENO) == 1
        let entries = try reportingErrors {
            try shelf.entries { name in
                if isOnTerminal { writeError("\r\u{1B}[Kmeasuring the speed of \(name)") }
            }
        }
        if isOnTerminal { writeError("\r\u{1B}[K") }
        if json { return try printJSON(entries) }
        guard !entries.isEmpty else {
            return print("There are no models in \(shelf.folders.joined(separator: ", ")).")
        }
        let rows = entries.map { entry -> [String] in
            let use = entry.isInService ? "in use" : entry.isInSettings ? "in the settings" : ""
            if let trouble = entry.trouble { return [entry.name, "cannot be used: \(printable(trouble))"] }
            return [
                entry.name, entry.dimension.map(String.init) ?? "",
                entry.width.flatMap { width in entry.height.map { "\(width) x \($0)" } } ?? "",
                entry.fileBytes.map { "\($0 / 1_000_000) MB" } ?? "",
                entry.photosPerSecond.map { String(format: "%.1f", $0) } ?? "",
                printable(entry.licence ?? ""), use,
            ]
        }
        let heading = ["model", "dimension", "picture", "size", "photos/s", "licence", ""]
        print(TextTable.text([heading] + rows))
    }
}

/// Rows in columns.
enum TextTable {
    /// - Parameter rows: a row that is shorter than the first has its last cell over the rest of the line.
    static func text(_ rows: [[String]]) -> String {
        let columns = rows.first?.count ?? 0
        let widths = (0..<columns).map { column in
            rows.filter { $0.count == columns }.map { $0[column].count }.max() ?? 0
        }
        return rows.map { row in
            row.enumerated().map { index, cell in
                index == row.count - 1
                    ? cell : cell.padding(toLength: widths[index], withPad: " ", startingAt: 0)
            }.joined(separator: "  ").replacing(/\s+$/, with: "")
        }.joined(separator: "\n")
    }
}

struct ModelsCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Run a model on a photo and say whether it does what it should.",
        discussion: """
            Shows how long its vectors are, whether the same photo gives the same bits, its speed here and, where its \
            manifest brings golden values, how far it is from them. The exit code is 65 if something is wrong.

            Example: imgrec-agent models check efficientnet-lite0 --photo photos/dress/dress-001.jpg
            """)

    @Argument(help: "A model's name.")
    var name: String

    @OptionGroup var settings: SettingsOption

    @Option(help: ArgumentHelp("Any image file (default: a test card).", valueName: "file"))
    var photo: String?

    @Flag(help: "Print as JSON.")
    var json = false

    func run() throws {
        let settings = try settings.load()
        let check = try reportingErrors {
            try ModelCheck(of: name, photo: photo, settings: settings, executable: executablePath)
        }
        if json { try printJSON(check) } else { print(Self.text(of: check)) }
        if !check.isGood { throw ExitCode(SystemExit.dataError.rawValue) }
    }

    private static func text(of check: ModelCheck) -> String {
        var rows: [[String]] = []
        func row(_ name: String, _ text: String) { rows.append([name, printable(text)]) }
        row("model", "\(check.model), \(check.dimension) dimensions, precision \(check.precision)")
        row("photo", check.photo)
        row("norm", check.norms.map { String(format: "%.4f", $0) }.joined(separator: ", "))
        row(
            "load",
            String(format: "%.2f s", check.loadSeconds)
                + (check.cachedLoadSeconds.map { String(format: ", %.2f s with what the cache has", $0) }
                    ?? ""))
        row("same bits", check.isDeterministic ? "yes: again, in another lane, after another load" : "NO")
        row("speed", String(format: "%.1f photos/s", check.photosPerSecond))
        if let golden = check.golden {
            row(
                "golden",
                (golden.isWithin ? "" : "WRONG: ") + "largest difference of \(golden.values) values "
                    + String(format: "%.2g, allowed %.2g", golden.largestDifference, golden.tolerance))
        } else {
            row("golden", "the manifest brings no values")
        }
        return TextTable.text(rows)
    }
}

struct ModelsPrune: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Remove the vectors of models that are not used any more.",
        discussion: """
            They are kept after a change of the model, so that going back is quick. The models themselves stay.

            Example: imgrec-agent models prune --config shop.toml
            """)

    @OptionGroup var settings: SettingsOption

    @Flag(help: "Print as JSON.")
    var json = false

    func run() throws {
        let settings = try settings.load()
        let shelf = ModelShelf(settings: settings, executable: executablePath)
        let pruned = try reportingErrors { try shelf.prune() }
        if json { return try printJSON(pruned) }
        guard !pruned.isEmpty else { return print("There are no vectors of other models.") }
        for model in pruned {
            print(
                "Removed \(counted(model.embeddings, "vector")) of \(printable(model.name)), precision \(model.precision)."
            )
        }
    }
}
