import ArgumentParser
import Control
import Foundation
import Insight
import Settings

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how good models are on your own photos.",
        discussion: """
            Looks for each product with its own vector among all others. What lies in one folder, or has one label in a table, \
            belongs together: precision@k is how many of the k nearest belong to it, mean average precision how far ahead of \
            the others all come that do. 1 is perfect. Nothing is changed; vectors that the catalogue has are used.

            Examples:
              imgrec-agent evaluate
              imgrec-agent evaluate --models efficientnet-lite0,efficientnet-lite2,efficientnet-lite0+efficientnet-lite2
              imgrec-agent evaluate --labels categories.csv --json
            """)

    @OptionGroup var settings: SettingsOption

    @Option(
        help: ArgumentHelp(
            "What belongs together: folders (the products in one), products (the photos of one), or a CSV file with the columns product (or photo) and label.",
            valueName: "folders|products|file"))
    var labels = "folders"

    @Option(
        help: ArgumentHelp(
            "Models to compare, with commas between them; a+b is two as one, a*2+b weighs the first twice (default: the settings').",
            valueName: "names"))
    var models: String?

    @Flag(help: "Compare all models that there are.")
    var allModels = false

    @Option(name: [.customShort("k"), .customLong("at")], help: "How many of the nearest count.")
    var at = 5

    @Option(
        help:
            "How many to look for, evenly chosen: all take a time that grows with the square of their number."
    )
    var sample: Int?

    @Flag(help: "Print as JSON.")
    var json = false

    @Flag(name: [.short, .long], help: "No estimate and no progress bar.")
    var quiet = false

    func validate() throws {
        if at < 1 { throw ValidationError("--at must be 1 or more.") }
        if let sample, sample < 1 { throw ValidationError("--sample must be 1 or more.") }
    }

    func run() throws {
        let settings = try settings.load()
        var options = Evaluation.Options()
        options.labels =
            switch labels {
            case "folders": .folders
            case "products": .products
            default: .table(file: labels)
            }
        options.models = try reportingErrors {
            var chosen: [[ModelChoice]] = []
            for text in models?.split(separator: ",") ?? [] {
                chosen.append(try Evaluation.choices(String(text)))
            }
            guard allModels else { return chosen }
            let usable = ModelShelf(settings: settings, executable: executablePath).usable
            return chosen + usable.map { [ModelChoice(name: $0, weight: 1)] }
        }
        (options.k, options.sample) = (at, sample)
        let display = ProgressDisplay(isQuiet: quiet, notifier: .none)
        let report = try reportingErrors { [options] in
            defer { display.finish() }
            let evaluation = try Evaluation(settings: settings, executable: executablePath, options: options)
            {
                display.show($0)
            }
            if !quiet {
                let estimate = try evaluation.estimate()
                writeError(
                    "\(counted(estimate.photos, "photo")), \(counted(estimate.embeddings, "vector")) to compute: about "
                        + "\(ProgressText.duration(seconds: estimate.seconds))\n")
            }
            return try evaluation.run()
        }
        if json { try printJSON(report) } else { print(Self.text(of: report)) }
    }

    private static func text(of report: Evaluation.Report) -> String {
        var lines = [
            "\(counted(report.things, report.unit)) with \(counted(report.labels, "label")) (by \(report.labelledBy)), "
                + "\(report.queries) looked for among all others"
                + (report.alone > 0 ? ", \(report.alone) are the only ones of their label" : "")
                + (report.unlabelled > 0 ? ", \(report.unlabelled) without a label were left out" : "") + "."
        ]
        var rows = [
            ["model", "dimension", "precision@\(report.k)", "mean average precision", "photos/s", "failed"]
        ]
        for model in report.models {
            rows.append([
                model.model, "\(model.dimension)", String(format: "%.4f", model.precisionAtK),
                String(format: "%.4f", model.meanAveragePrecision),
                String(format: "%.1f", model.photosPerSecond),
                "\(model.failed)",
            ])
        }
        lines.append(TextTable.text(rows))
        return lines.joined(separator: "\n")
    }
}
