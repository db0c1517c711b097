import ArgumentParser
import Control
import Foundation
import Products
import Settings
import Systemd

struct Wait: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Wait until the running agent has published all that was changed before.",
        discussion: """
            For deploy scripts: copy photos, wait, build the site. Exits with 0 when every photo that was in its \
            place when this was called is in the recommendations.

            Example: imgrec-agent wait --published --config shop.toml && hugo
            """)

    @OptionGroup var settings: SettingsOption

    @Flag(help: "Wait until everything is published (the default, and all there is to wait for).")
    var published = false

    @Flag(name: [.short, .long], help: "No progress bar.")
    var quiet = false

    func run() throws {
        let settings = try settings.load()
        let display = ProgressDisplay(isQuiet: quiet, notifier: .none)
        let report = try reportingErrors {
            defer { display.finish() }
            guard let agent = try ControlClient(settings: settings) else {
                throw ControlError.cannotConnect(
                    socket: settings.controlSocket,
                    reason: "no agent is running on these settings",
                    remedy: "Start it with 'imgrec-agent run', or run 'imgrec-agent reconcile'.")
            }
            return try agent.reconcile(allowsMassRemoval: false) { display.show($0) }
        }
        if report.heldBack > 0 {
            printError(ReconcileText.heldBack(report))
            throw ExitCode(SystemExit.tryAgain.rawValue)
        }
    }
}
