import ArgumentParser
import Logging
import Products
import Service
import Settings
import Systemd
import Threads

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch the photos and keep the recommendations up to date, until stopped.",
        discussion: """
            This is what the service runs. SIGTERM ends it, SIGHUP has the settings read again.

            Example: imgrec-agent run --config shop.toml
            """)

    @OptionGroup var settings: SettingsOption

    func run() async throws {
        // What ends it has a priority for the journal, as all it says.
        var log = Logger(label: "imgrec-agent") { _ in ServiceLog(level: .info) }
        do {
            let file = settings.config
            let settings = try await onOwnThread { try Settings(file: file) }
            log = Logger(label: "imgrec-agent") { _ in
                ServiceLog(level: .init(settings.log.level))
            }
            try await AgentService.run(
                settings: settings, settingsFile: file, executable: executablePath,
                version: Version.text, log: log)
        } catch {
            let explained = error.explained
            log.critical("\(explained)")
            throw ExitCode(explained.systemExit.rawValue)
        }
    }
}

extension Logger.Level {
    fileprivate init(_ level: Settings.Log.Level) {
        self =
            switch level {
            case .debug: .debug
            case .info: .info
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            }
    }
}
