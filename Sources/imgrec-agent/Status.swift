import Agent
import ArgumentParser

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what is in the catalogue, and which photos failed and why.",
        discussion: "Example: imgrec-agent status --config shop.toml --json")

    @OptionGroup var settings: SettingsOption

    @Flag(help: "Print as JSON.")
    var json = false

    func run() throws {
        let settings = try settings.load()
        let report = try reportingErrors { () throws(AgentError) in try StatusReport(settings: settings) }
        if json {
            try printJSON(report)
        } else {
            print(Self.text(of: report))
        }
    }

    private static func text(of report: StatusReport) -> String {
        var lines = [
            "photos     \(report.imagesFolder)",
            "output     \(report.outputFolder)",
            "state      \(report.stateFolder)",
            "model      "
                + (report.model.map { "\($0.name), \($0.dimension) dimensions, precision \($0.precision)" }
                    ?? "none yet"),
            "products   \(report.products)",
            "ready      \(counted(report.photos, "photo"))",
            "failed     \(counted(report.failed.count, "photo"))",
        ]
        if report.isInterrupted {
            lines.append("due        the last run was interrupted; run 'imgrec-agent reconcile' to go on")
        }
        switch (report.folders, report.watchesAllowed) {
        case (nil, _):
            lines.append("folders    the image folder cannot be listed now")
        case (let folders?, let allowed?):
            lines.append("folders    \(folders) (inotify allows \(allowed) to be watched)")
        case (let folders?, nil):
            lines.append("folders    \(folders)")
        }
        for failure in report.failed {
            lines.append("  \(printable(failure.path)): \(printable(failure.reason))")
        }
        return lines.joined(separator: "\n")
    }
}
