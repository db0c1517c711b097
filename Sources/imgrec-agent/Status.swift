import ArgumentParser
import Control
import Foundation
import Insight
import Products
import Settings

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how the agent is, what is in the catalogue, and which photos failed and why.",
        discussion: """
            Asks the running agent; where none is running, or it does not answer, reads the catalogue.

            Example: imgrec-agent status --config shop.toml --watch
            """)

    @OptionGroup var settings: SettingsOption

    @Flag(help: "Print as JSON.")
    var json = false

    @Flag(name: [.short, .long], help: "Print again and again, until interrupted.")
    var watch = false

    private static let watchInterval = 1.0

    func run() throws {
        let settings = try settings.load()
        repeat {
            let report = try reportingErrors { try status(settings) }
            if watch && isatty(STDOUT_FILENO) == 1 { print("\u{1B}[H\u{1B}[2J", terminator: "") }
            if json {
                try printJSON(report)
            } else {
                print(StatusText.text(of: report))
            }
            fflush(nil)
            if watch { Thread.sleep(forTimeInterval: Self.watchInterval) }
        } while watch
    }

    private func status(_ settings: Settings) throws -> StatusReport {
        guard let agent = try ControlClient(settings: settings) else {
            return try StatusReport(ofCatalogue: settings)
        }
        do throws(ControlError) {
            return try agent.status()
        } catch {
            switch error {
            case .noAnswer, .remote(_, .tryAgain):
                return try StatusReport(ofCatalogue: settings, silence: error)
            default: throw error
            }
        }
    }
}

/// The status for a person.
enum StatusText {
    static func text(of report: StatusReport) -> String {
        var lines: [String] = []
        func line(_ name: String, _ text: String) {
            lines.append(name.padding(toLength: 11, withPad: " ", startingAt: 0) + printable(text))
        }
        line("agent", state(of: report))
        if let trouble = report.running?.trouble ?? report.silence { line("trouble", trouble) }
        if let trouble = report.running?.settingsTrouble { line("settings", "not changed: \(trouble)") }
        if report.isHeldBack {
            let held = report.running.map { counted($0.heldBack, "product") } ?? "products"
            line(
                "brake",
                "\(held) vanished at once and are kept; if they are meant to go: imgrec-agent reconcile --allow-mass-removal"
            )
        }
        line("photos", report.imagesFolder)
        line("output", "\(report.outputFolder) (changed \(counted(report.generation, "time")))")
        line("state", report.stateFolder)
        line(
            "model",
            report.model.map { "\($0.name), \($0.dimension) dimensions, precision \($0.precision)" }
                ?? "none yet")
        if let change = report.change {
            line(
                "change",
                "to \(change.model.name), precision \(change.model.precision): \(change.embedded) of "
                    + "\(counted(change.photos, "photo")) embedded; it takes over when all are")
        }
        if let trouble = report.running?.changeTrouble { line("change", "waits: \(trouble)") }
        if let sandbox = report.running?.sandbox { line("sandbox", sandbox) }
        line("products", "\(report.products)")
        line("ready", counted(report.photos, "photo"))
        line("failed", counted(report.failed.count, "photo"))
        if let running = report.running {
            if running.waiting + running.settling > 0 {
                line(
                    "queue",
                    "\(counted(running.waiting, "photo")) waiting, \(running.settling) just changed")
            }
            if let rate = running.photosPerSecond { line("rate", String(format: "%.0f photos/s", rate)) }
        } else if report.isInterrupted {
            line("due", "the last run was interrupted; run 'imgrec-agent reconcile' to go on")
        }
        if let hook = report.hook { line("hook", text(of: hook)) }
        if let last = report.lastReconcile { line("compared", found(last)) }
        line("folders", folders(of: report))
        if let memory = report.running?.memoryBytes { line("memory", "\(memory / 1_000_000) MB") }
        for failure in report.failed {
            lines.append("  \(printable(failure.path)): \(printable(failure.reason))")
        }
        return lines.joined(separator: "\n")
    }

    private static func state(of report: StatusReport) -> String {
        guard let running = report.running else {
            let state = report.silence == nil ? "not running" : "does not answer"
            return "\(state); this is what the catalogue has"
        }
        var text = "\(running.state) (process \(running.processID), since \(running.startedAt))"
        if !running.progress.isEmpty { text += ": \(running.progress)" }
        return text
    }

    private static func text(of hook: StatusReport.Hook) -> String {
        var parts = [hook.waiting == 0 ? "up to date" : "\(counted(hook.waiting, "product")) waiting"]
        if hook.isRunning { parts.append("running") }
        if let trouble = hook.trouble {
            parts.append(hook.failures > 0 ? "failed \(counted(hook.failures, "time")): \(trouble)" : trouble)
        } else if let time = hook.lastRun {
            parts.append("last run \(time)")
        }
        return "\(hook.command.joined(separator: " ")): \(parts.joined(separator: ", "))"
    }

    private static func found(_ last: StatusReport.Reconcile) -> String {
        let found = last.found
        var parts: [String] = []
        func add(_ count: Int, _ what: String) { if count > 0 { parts.append("\(count) \(what)") } }
        add(found.added, "added")
        add(found.changed, "changed")
        add(found.removed, "removed")
        add(found.heldBack, "products held back")
        return "\(last.endedAt): \(parts.isEmpty ? "nothing had changed" : parts.joined(separator: ", "))"
    }

    private static func folders(of report: StatusReport) -> String {
        guard let folders = report.folders else { return "the image folder is not there" }
        let allowed = report.watchesAllowed.map { " (inotify allows \($0) to be watched)" } ?? ""
        guard let watches = report.running?.watches else { return "\(folders)\(allowed)" }
        var text = "\(watches.used) watched\(allowed)"
        if !watches.unwatched.isEmpty {
            let wanted = max(524_288, (report.watchesAllowed ?? 0) * 4)
            let reason = watches.unwatchedReason ?? "sysctl fs.inotify.max_user_watches=\(wanted)"
            text += "; \(watches.unwatched.count) cannot be and are polled: \(reason)"
        }
        if let reason = watches.pollReason { text += "; polled, for \(reason)" }
        if watches.overflows > 0 {
            text += "; reports were lost \(counted(watches.overflows, "time")) and the folder compared"
        }
        return text
    }
}
