import ArgumentParser
import Foundation
import Insight
import Products
import Systemd

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check that the recommendations are the true ones.",
        discussion: """
            Computes the similarities of some products with all others anew, every pair in full, and compares the \
            result with the catalogue and with the JSON files. Changes nothing, and may run beside the agent. \
            What is not as it should be is named, and the exit code is 65.

            Examples:
              imgrec-agent verify
              imgrec-agent verify --all --json
            """)

    @OptionGroup var settings: SettingsOption

    @Flag(help: "Compare all products: the time grows with the square of their number.")
    var all = false

    @Option(help: "How many products to compare, chosen at random.")
    var sample = 100

    @Flag(help: "Print as JSON.")
    var json = false

    @Flag(name: [.short, .long], help: "No progress bar.")
    var quiet = false

    func validate() throws {
        if sample < 1 { throw ValidationError("--sample must be 1 or more.") }
    }

    func run() throws {
        let settings = try settings.load()
        let display = ProgressDisplay(isQuiet: quiet, notifier: .current)
        let report = try reportingErrors {
            defer { display.finish() }
            return try Verification(settings: settings) { display.show($0) }
                .run(sample: all ? nil : sample)
        }
        if json {
            try printJSON(report)
        } else {
            print(Self.text(of: report, stateFolder: settings.state.folder))
        }
        if !report.drift.isEmpty { throw ExitCode(SystemExit.dataError.rawValue) }
        if !report.unsettled.isEmpty { throw ExitCode(SystemExit.tryAgain.rawValue) }
    }

    /// The report for a person.
    private static func text(of report: Verification.Report, stateFolder: String) -> String {
        var lines = [
            "Compared \(report.verified) of \(counted(report.products, "product")) with all others, in "
                + String(format: "%.1f s.", report.seconds)
        ]
        if report.drift.isEmpty && report.unsettled.isEmpty { lines.append("All are as they should be.") }
        if !report.drift.isEmpty {
            lines.append("\(counted(report.drift.count, "product")) not as they should be:")
            lines += report.drift.map { "  \(printable($0.product)): \($0.reason)" }
            lines.append(
                report.isCatalogueWrong
                    ? "To mend it, stop the agent, delete \(stateFolder)/catalogue.sqlite and run 'imgrec-agent reconcile': it is made anew from the photos. Please report it as well."
                    : "To mend it: imgrec-agent reconcile")
        }
        if !report.unsettled.isEmpty {
            lines.append(
                "\(counted(report.unsettled.count, "product")) went on changing meanwhile. Run this again when 'imgrec-agent status' says that the agent is idle."
            )
        }
        return lines.joined(separator: "\n")
    }
}
