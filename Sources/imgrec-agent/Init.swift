import ArgumentParser
import Foundation
import Products
import Settings

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a commented settings file.",
        discussion: """
            Settings in /etc/imgrec-agent are those of a service; what starts it is printed. imgrec-agent.toml is that of \
            imgrec-agent.service, NAME.toml that of imgrec-agent@NAME.service.

            Example: imgrec-agent init --images /srv/shop/photos --output /srv/shop/site/static/recommendations
            """)

    @Option(name: [.short, .long], help: ArgumentHelp("The file to write.", valueName: "file"))
    var config = Settings.defaultFile

    @Option(help: ArgumentHelp("The folder with the photos.", valueName: "folder"))
    var images: String?

    @Option(help: ArgumentHelp("The folder for the JSON files.", valueName: "folder"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "The folder for the catalogue (default: /var/lib/imgrec-agent; for /etc/imgrec-agent/NAME.toml, /var/lib/imgrec-agent-NAME).",
            valueName: "folder"))
    var state: String?

    @Flag(help: "Replace an existing file.")
    var force = false

    func run() throws {
        let url = URL(fileURLWithPath: config)
        // A link that leads nowhere is something too.
        var status = stat()
        guard force || lstat(url.path, &status) != 0 else {
            printError(
                "\(config) exists already. To replace it: imgrec-agent init --force --config \(config)")
            throw ExitCode(SystemExit.cannotCreate.rawValue)
        }
        // A folder given here is relative to where the user is, one in the file to where the file is.
        func absolute(_ path: String?) -> String? { path.map { absolutePath($0) } }
        let unit = ServiceUnit(settingsFile: absolutePath(config))
        let base = absolutePath(absolutePath(config) + "/..") + "/"
        // Settings that lie with a site go with it: what is below them is named as seen from there.
        func written(_ path: String?) -> String? {
            guard let path, let full = absolute(path) else { return nil }
            return !path.hasPrefix("/") && full.hasPrefix(base) ? String(full.dropFirst(base.count)) : full
        }
        let text = SettingsTemplate.text(
            images: written(images), output: written(output), state: written(state) ?? unit?.ownStateFolder)
        // What would be refused when it is read is not written.
        _ = try reportingErrors { try Settings(text, file: absolutePath(config)) }
        do {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url, options: .atomic)
        } catch {
            printError("\(config) cannot be written: \(error.localizedDescription)")
            throw ExitCode(SystemExit.cannotCreate.rawValue)
        }
        print("Wrote \(config).")
        guard let images = absolute(images), let output = absolute(output) else {
            print("Now set images.folder and output.folder in it.")
            return
        }
        if let unit {
            print("To start the service, as root:")
            for command in unit.commands(images: images, output: output) { print("  \(command)") }
        } else {
            print("Next: imgrec-agent reconcile --config \(config)")
        }
    }
}

/// The systemd unit that settings in /etc/imgrec-agent belong to.
private struct ServiceUnit {
    private static let folder = "/etc/imgrec-agent/"
    private static let ending = ".toml"

    let name: String
    /// The state folder of an instance; nil where it is the default.
    let ownStateFolder: String?

    /// Nil for settings that are not a service's.
    init?(settingsFile: String) {
        guard settingsFile.hasPrefix(Self.folder), settingsFile.hasSuffix(Self.ending) else { return nil }
        let shop = String(settingsFile.dropFirst(Self.folder.count).dropLast(Self.ending.count))
        guard !shop.isEmpty, !shop.contains("/") else { return nil }
        let isOnly = shop == "imgrec-agent"
        name = isOnly ? shop : "imgrec-agent@\(shop)"
        ownStateFolder = isOnly ? nil : "/var/lib/imgrec-agent-\(shop)"
    }

    /// What makes the output folder, opens it to the service and starts that.
    func commands(images: String, output: String) -> [String] {
        var lines = ["[Service]", "ReadWritePaths=\(Self.unitQuoted(output))"]
        let homes = ["/home/", "/root/", "/run/user/"]
        if homes.contains(where: { images.hasPrefix($0) || output.hasPrefix($0) }) {
            lines.append("ProtectHome=read-only")
        }
        let folder = "/etc/systemd/system/\(name).service.d"
        return [
            "install -d -o imgrec-agent -g imgrec-agent \(Self.shellQuoted(output))",
            "install -d \(folder)",
            "printf '%s\\n' \(lines.map(Self.shellQuoted).joined(separator: " ")) >\(folder)/output.conf",
            "systemctl daemon-reload",
            "systemctl enable --now \(name)",
        ]
    }

    /// As systemd.syntax(7) reads a path.
    private static func unitQuoted(_ path: String) -> String {
        let escaped = path.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing(
            "%", with: "%%")
        return escaped == path && !path.contains(where: \.isWhitespace) ? path : "\"\(escaped)\""
    }

    private static func shellQuoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy {
            $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
                || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "=")
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
        }
        return isPlain ? text : "'\(text.replacing("'", with: "'\\''"))'"
    }
}
