import ArgumentParser
import Control
import Foundation
import Hooking
import Products
import Reconciling
import Settings
import Systemd
import Threads

struct Reconcile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the recommendations up to date with the photos.",
        discussion: """
            Compares the image folder with the catalogue, embeds what is new or changed, ranks, and writes the \
            JSON files whose content changes. It may be interrupted at any time; the next run goes on.

            Where an agent is running on the same settings ('imgrec-agent run'), it does the work, and runs the hook; \
            else the program that publish.hook names is run here when files have changed.

            Example: imgrec-agent reconcile --config shop.toml --dry-run
            """)

    @OptionGroup var settings: SettingsOption

    @Flag(name: [.customShort("n"), .long], help: "Print what would be done, and do nothing.")
    var dryRun = false

    @Flag(help: "Remove products even if more than images.mass_removal_limit of them are gone.")
    var allowMassRemoval = false

    @Flag(help: "Print the summary as JSON.")
    var json = false

    @Flag(name: [.short, .long], help: "No progress bar.")
    var quiet = false

    func run() async throws {
        do {
            try await reconcile()
        } catch let code as ExitCode {
            throw code
        } catch {
            throw reported(error)
        }
    }

    private func reconcile() async throws {
        let file = settings.config
        let (dryRun, allows, quiet) = (dryRun, allowMassRemoval, quiet)
        let settings = try await onOwnThread { try Settings(file: file) }
        if PublishHook.isRunning(for: settings) {
            // A script that rebuilds all may be the hook: what called it has done this, and waits for it.
            return print("Called from the hook: the files are up to date.")
        }
        let (report, hook) = try await onOwnThread("reconcile") {
            try Self.reconcile(
                settings, isDryRun: dryRun, allowsMassRemoval: allows,
                ProgressDisplay(isQuiet: quiet, notifier: .current))
        }
        if json {
            try printJSON(report)
        } else {
            print(ReconcileText.summary(of: report, outputFolder: settings.output.folder))
        }
        try await run(hook)
        ServiceNotifier.current.status("\(report.products) products, \(report.failed.count) photos failed")
        if report.heldBack > 0 && !dryRun {
            printError(ReconcileText.heldBack(report))
            throw ExitCode(SystemExit.tryAgain.rawValue)
        }
    }
}

extension Reconcile {
    /// What was done, and the hook that is still to be run: none where an agent has done it.
    private static func reconcile(
        _ settings: Settings, isDryRun: Bool, allowsMassRemoval: Bool, _ display: ProgressDisplay
    ) throws -> (report: ReconcileReport, hook: PublishHook?) {
        defer { display.finish() }
        if !isDryRun, let agent = try ControlClient(settings: settings) {
            return (try agent.reconcile(allowsMassRemoval: allowsMassRemoval) { display.show($0) }, nil)
        }
        let reconciler = try Reconciler(settings: settings, executable: executablePath) { display.show($0) }
        if isDryRun { return (try reconciler.dryRun(), nil) }
        let report = try reconciler.run(allowsMassRemoval: allowsMassRemoval)
        return (report, reconciler.catalogue.flatMap { PublishHook(settings: settings, catalogue: $0) })
    }

    private func run(_ hook: PublishHook?) async throws {
        guard let hook else { return }
        guard let failure = try await hook.run(log: { writeError("hook: \($0)\n") }) else { return }
        printError(
            "the files are up to date, but the hook failed: \(failure). It is run again by the next reconcile."
        )
        throw ExitCode(SystemExit.tryAgain.rawValue)
    }
}

/// The summary for a person.
enum ReconcileText {
    /// Reasons are shown for so many photos; `status` shows all.
    private static let failuresShown = 20

    static func summary(of report: ReconcileReport, outputFolder: String) -> String {
        var lines: [String] = []
        var changes: [String] = []
        func add(_ count: Int, _ what: String) { if count > 0 { changes.append("\(count) \(what)") } }
        add(report.added, "added")
        add(report.changed, "changed")
        add(report.retried, "tried again")
        add(report.modelChanged, "to embed with another model")
        add(report.removed, "removed")
        add(report.unchanged, "unchanged")
        let photos = changes.isEmpty ? "none" : changes.joined(separator: ", ")
        if report.isDryRun {
            lines += (report.plan ?? []).map { "\($0.action.text)  \(printable($0.path))" }
            lines.append("Photos: \(photos). Nothing was done (dry run).")
            if report.heldBack > 0 {
                lines.append(
                    "\(report.heldBack) of \(counted(report.products, "product")) are not under their old names; "
                        + "unless their photos were renamed, they are kept until --allow-mass-removal.")
            }
            return lines.joined(separator: "\n")
        }
        lines.append("Photos: \(photos).")
        let seconds = String(format: "%.1f", report.seconds)
        var work = "\(counted(report.products, "product")) in \(seconds) s"
        if report.embedded > 0 {
            let rate = String(format: "%.0f", Double(report.embedded) / max(report.seconds, 0.001))
            work += "; \(counted(report.embedded, "photo")) embedded with \(report.model), \(rate)/s"
        }
        lines.append(work + ".")
        let files = report.published
        lines.append(
            "Files: \(files.written) written, \(files.unchanged) unchanged, \(files.removed) removed in \(outputFolder)"
        )
        if let table = report.attributes {
            lines.append(
                "Attributes: \(counted(table.lines, "product")) in the table, \(table.products) of them known"
            )
        }
        if !report.failed.isEmpty {
            lines.append("\(counted(report.failed.count, "photo")) failed:")
            for failure in report.failed.prefix(failuresShown) {
                lines.append("  \(printable(failure.path)): \(printable(failure.reason))")
            }
            if report.failed.count > failuresShown {
                lines.append("  and \(report.failed.count - failuresShown) more: see 'imgrec-agent status'")
            }
        }
        return lines.joined(separator: "\n")
    }

    static func heldBack(_ report: ReconcileReport) -> String {
        "the photos of \(report.heldBack) of \(counted(report.products, "product")) are gone, more than "
            + "images.mass_removal_limit allows at once. Their files were kept. If the folder is not as it "
            + "should be (not mounted?), mend it and run again; if they are meant to go: "
            + "imgrec-agent reconcile --allow-mass-removal"
    }
}

extension ReconcileReport.Change.Action {
    fileprivate var text: String {
        switch self {
        case .add: "add       "
        case .change: "change    "
        case .retry: "retry     "
        case .embedAnew: "embed anew"
        case .regroup: "regroup   "
        case .remove: "remove    "
        case .fail: "fail      "
        }
    }
}
