import Foundation
import TestSupport

/// A real systemd, booted in a container over a copy in memory of this machine's files (Tests/Systemd/boot), with the
/// agent installed as `make install` does it and a shop in /srv/shop. Of the tree it sees what `tree`, `catalogue` and
/// `programs` name, wherever that lies outside.
final class Container: @unchecked Sendable {  // nothing changes after init
    private let boot: Process
    private let input = Pipe()
    private let leader: String

    static let tree = "/mnt/imgrec-agent/tree"
    static let catalogue = "/mnt/imgrec-agent/catalogue"
    private static let programs = "/mnt/imgrec-agent/programs"

    /// Why there can be none here; nil where there can.
    static let obstacle: String? =
        if geteuid() != 0 {
            "SKIPPED, NOT TESTED: the units are tested under a real systemd, which only root can boot. Run the tests as root."
        } else if !FileManager.default.fileExists(atPath: "/usr/bin/systemd-nspawn") {
            "SKIPPED, NOT TESTED: the units are tested under a real systemd, and there is no systemd-nspawn. Run: Scripts/install-debian-packages test"
        } else {
            nil
        }

    init() throws {
        boot = Process()
        let (output, errors) = (Pipe(), Pipe())
        boot.executableURL = URL(fileURLWithPath: "\(Repository.root)/Tests/Systemd/boot")
        boot.arguments = [
            "\(Self.tree)=\(Repository.root)", "\(Self.catalogue)=\(Repository.catalogue)",
            "\(Self.programs)=\(URL(fileURLWithPath: Shop.binary).deletingLastPathComponent().path)",
        ]
        boot.standardInput = input
        boot.standardOutput = output
        boot.standardError = errors
        try boot.run()
        leader = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        guard !leader.isEmpty else {
            throw Shop.Failure(
                message: String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self))
        }
        // A debug build looks for Swift's own libraries where the toolchain is, which the service may not see.
        let agent = "\(Self.programs)/\(URL(fileURLWithPath: Shop.binary).lastPathComponent)"
        try run(
            """
            cd \(Self.tree)
            AGENT='\(agent)' Scripts/install
            ldd '\(agent)' | awk '$3 ~ "/swift/" { print $3 }' | xargs -r cp -t /usr/local/lib/imgrec-agent
            systemctl start dbus.socket
            """)
        try makeShop("shop", settings: "imgrec-agent")
    }

    deinit {
        try? input.fileHandleForWriting.close()
        boot.waitUntilExit()
    }

    /// Photos and settings, and then what `init` says is to be done, but for starting it.
    func makeShop(_ name: String, settings: String) throws {
        try run(
            """
            mkdir -p '/srv/\(name)/photos'
            cp \(Self.catalogue)/bird/bird-00?.jpg '/srv/\(name)/photos'
            imgrec-agent init --config /etc/imgrec-agent/\(settings).toml --images '/srv/\(name)/photos' \
                --output '/srv/\(name)/recommendations' | grep '^  ' | grep -v 'enable --now' >/root/commands
            bash -e /root/commands
            """)
    }

    /// As `systemctl edit` does it.
    func override(_ unit: String, _ lines: String, name: String) throws {
        try run(
            """
            folder=/etc/systemd/system/\(unit).service.d
            mkdir -p $folder
            printf '[Service]\\n%s\\n' '\(lines)' >$folder/\(name).conf
            systemctl daemon-reload
            """)
    }

    /// Runs a script inside, as root.
    @discardableResult
    func attempt(_ script: String) throws -> Shop.Result {
        try Shop.run([
            "timeout", "600", "nsenter", "--target", leader, "--mount", "--uts", "--ipc", "--net", "--pid",
            "--cgroup", "--root", "--wd", "--", "bash", "-e", "-u", "-c", script,
        ])
    }

    /// Runs a script that has to succeed. Returns what it prints.
    @discardableResult
    func run(_ script: String) throws -> String {
        let result = try attempt(script)
        guard result.code == 0 else {
            throw Shop.Failure(
                message: "\(script)\nended with \(result.code): \(result.output)\(result.errors)")
        }
        return result.output.trimmingCharacters(in: .newlines)
    }

    func property(_ name: String, _ unit: String = "imgrec-agent") throws -> String {
        try run("systemctl show --property=\(name) --value \(unit)")
    }

    /// The messages of the agent, and of systemd about it.
    func journal(_ options: String = "") throws -> String {
        try run("journalctl --sync; journalctl --unit imgrec-agent --output cat --no-pager \(options)")
    }

    func exists(_ path: String) throws -> Bool { try attempt("test -e '\(path)'").code == 0 }
}
