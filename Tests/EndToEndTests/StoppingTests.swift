import Foundation
import Glibc
import TestSupport
import Testing

private let needsRoot: Comment =
    "SKIPPED, NOT TESTED: a file system that does not answer can be mounted by root only. Run the tests as root."

/// SIGTERM ends the agent within five seconds, whatever hangs.
@Suite("Asked to stop", .serialized, .underUsualKernelLimits)
struct StoppingTests {
    private let manager = FileManager.default

    /// Whether it ends in time. It is killed where it does not.
    private func stops(_ process: Process) -> Bool {
        let end = ContinuousClock.now + .seconds(5)
        kill(process.processIdentifier, SIGTERM)
        while process.isRunning, ContinuousClock.now < end { usleep(10_000) }
        guard process.isRunning else { return process.terminationStatus == 0 }
        kill(process.processIdentifier, SIGKILL)
        return false
    }

    /// A mount with a table that does not answer while `isSilent`, as one whose server is gone (Tests/SilentDisk). Whoever
    /// asks it meanwhile cannot be killed.
    private final class SilentDisk {
        private let process: Process
        private let folder: String
        private var point: String { "\(folder)/mnt" }

        init(beside shop: Shop) throws {
            folder = "\(shop.folder.path)/disk"
            try FileManager.default.createDirectory(
                atPath: "\(folder)/mnt", withIntermediateDirectories: true)
            let source = "\(Repository.root)/Tests/SilentDisk/silent_disk.c"
            try Shop.compile(source, to: "\(folder)/silent_disk", "$(pkg-config --cflags --libs fuse3)")
            process = try Shop.start(["\(folder)/silent_disk", "-f", "\(folder)/mnt"]).process
            let table = "\(folder)/mnt/products.csv"
            guard eventually({ FileManager.default.fileExists(atPath: table) }) else {
                throw Shop.Failure(message: "there is no \(table)")
            }
        }

        var isSilent = false { didSet { set("silent", isSilent) } }
        /// It answers that it cannot.
        var isBroken = false { didSet { set("broken", isBroken) } }

        /// It tells of a new table, and answers whoever reads it that it cannot.
        var isUnreadable = false { didSet { set("unreadable", isUnreadable) } }

        private func set(_ flag: String, _ isSet: Bool) {
            if isSet {
                _ = FileManager.default.createFile(atPath: "\(folder)/\(flag)", contents: nil)
            } else {
                try? FileManager.default.removeItem(atPath: "\(folder)/\(flag)")
            }
        }

        deinit {
            try? FileManager.default.removeItem(atPath: "\(folder)/silent")
            _ = try? Shop.run(["umount", "--lazy", point])
            process.waitUntilExit()
        }
    }

    @Test(
        "a table of attributes on a disk that does not answer is trouble, and keeps the agent from nothing else",
        .enabled(if: geteuid() == 0, needsRoot))
    func hungTable() throws {
        let shop = try Shop(perCategory: 1)
        let disk = try SilentDisk(beside: shop)
        try shop.configure(
            "", output: "attributes = \"disk/mnt/products.csv\"\nattributes_timeout_seconds = 10\n")
        let agent = try RunningAgent(shop)
        try agent.wait()
        let before = try shop.files()
        #expect(before.values.contains { String(decoding: $0, as: UTF8.self).contains("A bird") })
        disk.isSilent = true
        #expect(
            try eventually {
                try agent.status().running?.trouble?.contains("output.attributes_timeout_seconds") == true
            })
        #expect(try shop.files() == before)
        // What is known of it goes on, and so does everything else.
        try manager.copyItem(
            atPath: "\(Repository.catalogue)/bird/bird-002.jpg", toPath: "\(shop.photos)/new.jpg")
        #expect(eventually { manager.fileExists(atPath: "\(shop.output)/products/new.json") })
        let own = try Data(contentsOf: URL(fileURLWithPath: "\(shop.output)/products/bird/bird-001.json"))
        #expect(String(decoding: own, as: UTF8.self).contains("A bird"))
        // It answers, be it that it cannot, and then that it can.
        disk.isBroken = true
        disk.isSilent = false
        #expect(
            try eventually {
                try agent.status().running?.trouble?.contains("Input/output error") == true
            })
        #expect(try shop.files()["products/bird/bird-001.json"] == own)
        disk.isBroken = false
        #expect(try eventually { try agent.status().running?.state == "idle" })
        #expect(try agent.wait().code == 0)
        disk.isSilent = true
        #expect(try eventually { try agent.status().running?.trouble != nil })
        // Another table can be looked at meanwhile.
        try shop.folder.write("other.csv", Array("product,title\nbird/bird-001,Another\n".utf8))
        try shop.configure("", output: "attributes = \"other.csv\"\nattributes_timeout_seconds = 10\n")
        agent.signal(SIGHUP)
        #expect(try eventually { try agent.status().running?.state == "idle" })
        #expect(
            try String(contentsOfFile: "\(shop.output)/products/bird/bird-001.json", encoding: .utf8)
                .contains("Another"))
        try shop.configure(
            "", output: "attributes = \"disk/mnt/products.csv\"\nattributes_timeout_seconds = 10\n")
        agent.signal(SIGHUP)
        #expect(try eventually { try shop.run("status", "--json").output.contains("in 10 s") })
        #expect(stops(agent.process))
        // A start that meets it ends as well.
        let starting = try RunningAgent(shop)
        #expect(try eventually { try starting.status().running?.trouble != nil })
        #expect(stops(starting.process))
        disk.isSilent = false
    }

    @Test(
        "a table that can be looked at and not be read is trouble, and is not tried without pause",
        .enabled(if: geteuid() == 0, needsRoot))
    func unreadableTable() throws {
        let shop = try Shop(perCategory: 1)
        let disk = try SilentDisk(beside: shop)
        try shop.configure("", output: "attributes = \"disk/mnt/products.csv\"\n")
        let agent = try RunningAgent(shop)
        try agent.wait()
        let before = try shop.files()
        disk.isUnreadable = true
        #expect(
            try eventually { try agent.status().running?.trouble?.contains("Input/output error") == true })
        // Until the second try, at least.
        let rounds = try #require(try agent.metrics()["rounds_total"])
        #expect(try eventually { try agent.metrics()["rounds_total"] ?? 0 > rounds })
        #expect(try #require(try agent.metrics()["rounds_total"]) <= rounds + 3)
        #expect(try shop.files() == before)
        disk.isUnreadable = false
        #expect(try eventually { try agent.status().running?.state == "idle" })
        #expect(try agent.wait().code == 0)
        #expect(agent.stop() == 0)
    }

    @Test(
        "it ends while its photos lie on a mount that does not answer",
        .enabled(if: geteuid() == 0, needsRoot))
    func hungPhotos() throws {
        let shop = try Shop(perCategory: 1)
        let behind = "\(shop.folder.path)/behind"
        #expect(rename(shop.photos, behind) == 0)
        try manager.createDirectory(atPath: shop.photos, withIntermediateDirectories: true)
        let mount = try Shop.start(["bindfs", "-f", "--no-allow-other", behind, shop.photos]).process
        defer {
            kill(mount.processIdentifier, SIGCONT)
            _ = try? Shop.run(["umount", "--lazy", shop.photos])
            mount.waitUntilExit()
        }
        #expect(eventually { manager.fileExists(atPath: "\(shop.photos)/bird") })
        let agent = try RunningAgent(shop)
        try agent.wait()
        // Its server is stopped: questions wait for it.
        kill(mount.processIdentifier, SIGSTOP)
        let asking = try Shop.start([Shop.binary, "reconcile", "--config", shop.settings]).process
        #expect(try eventually { try agent.status().running?.state == "working" })
        #expect(stops(agent.process))
        asking.waitUntilExit()
    }

    @Test(
        "it ends by itself as well, while its settings lie on a mount that does not answer",
        .enabled(if: geteuid() == 0, needsRoot))
    func hungEnd() throws {
        let shop = try Shop(perCategory: 1)
        let (behind, front) = ("\(shop.folder.path)/behind", "\(shop.folder.path)/front")
        for folder in [behind, front] {
            try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        let text = try String(contentsOfFile: shop.settings, encoding: .utf8)
        try text.replacing("\"photos\"", with: "\"\(shop.photos)\"").replacing(
            "\"out\"", with: "\"\(shop.output)\""
        ).replacing("\"state\"", with: "\"\(shop.state)\"").write(
            toFile: "\(behind)/shop.toml", atomically: true, encoding: .utf8)
        let mount = try Shop.start(["bindfs", "-f", "--no-allow-other", behind, front]).process
        defer {
            kill(mount.processIdentifier, SIGCONT)
            _ = try? Shop.run(["umount", "--lazy", front])
            mount.waitUntilExit()
        }
        #expect(eventually { manager.fileExists(atPath: "\(front)/shop.toml") })
        let agent = try Shop.start([Shop.binary, "run", "--config", "\(front)/shop.toml"]).process
        #expect(try eventually { try shop.run("wait").code == 0 })
        kill(mount.processIdentifier, SIGSTOP)
        #expect(
            eventually {
                (try? String(contentsOfFile: "/proc/\(mount.processIdentifier)/stat", encoding: .utf8))?
                    .contains(") T ") == true
            })
        // It reads the settings, and does not get out of that.
        kill(agent.processIdentifier, SIGHUP)
        try manager.removeItem(atPath: "\(shop.state)/catalogue.sqlite")
        _ = try shop.run("wait")
        #expect(eventually { !agent.isRunning })
        #expect(agent.terminationStatus == 74)
        kill(agent.processIdentifier, SIGKILL)
    }

    @Test("it ends while a pattern takes exponential time")
    func hungPattern() throws {
        let shop = try Shop(perCategory: 0)
        try shop.configure(
            "[runtime]\ntimeout_seconds = 1\n",
            images: "product_pattern = '^((?:[a-z0-9]+-?)+)_[0-9]+[.]jpg$'\n")
        let agent = try RunningAgent(shop)
        try agent.wait()
        let photo = "\(Repository.catalogue)/bird/bird-001.jpg"
        try manager.copyItem(
            atPath: photo, toPath: "\(shop.photos)/blue-summer-dress-with-a-long-name-2024-final.jpg")
        #expect(try eventually { try isSilent(shop) })
        #expect(stops(agent.process))
    }

    @Test("it ends while clients send lines without end, or nothing")
    func hungClients() throws {
        let shop = try Shop(perCategory: 1, extra: "[runtime]\ntimeout_seconds = 1\n")
        let agent = try RunningAgent(shop)
        try agent.wait()
        let clients = try Shop.start([
            "/usr/bin/python3", "-c",
            """
            import socket, sys, time
            clients = []
            for number in range(int(sys.argv[2]) + 4):
                client = socket.socket(socket.AF_UNIX)
                client.connect(sys.argv[1])
                client.settimeout(1)
                clients.append(client)
            print("connected", flush=True)
            for client in clients[4:]:
                try: client.sendall(b"x" * 200_000)
                except OSError: pass
            time.sleep(60)
            """, "\(shop.state)/control.socket",
            // More than threads that Swift's concurrency shares.
            "\(2 * ProcessInfo.processInfo.activeProcessorCount + 4)",
        ])
        #expect(String(decoding: clients.output.availableData, as: UTF8.self).hasPrefix("connected"))
        #expect(try eventually { try isSilent(shop) })
        #expect(stops(agent.process))
        kill(clients.process.processIdentifier, SIGKILL)
        clients.process.waitUntilExit()
    }

    @Test("it ends while the hook ignores SIGTERM")
    func hungHook() throws {
        let shop = try Shop(perCategory: 1)
        try shop.folder.write(
            "hook.sh",
            Array("#!/bin/sh\ntouch '\(shop.folder.path)/begun'\ntrap '' TERM\nsleep 30\nsleep 30\n".utf8))
        try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(shop.folder.path)/hook.sh")
        try shop.configure("[publish]\nhook = [\"\(shop.folder.path)/hook.sh\"]\nsettle_ms = 10\n")
        let agent = try RunningAgent(shop)
        #expect(eventually { manager.fileExists(atPath: "\(shop.folder.path)/begun") })
        #expect(stops(agent.process))
    }

    @Test("it ends while the processes that read photos are stopped, and leaves none behind")
    func hungWorkers() throws {
        let shop = try Shop(perCategory: 1, extra: "[workers]\ntimeout_seconds = 600\n")
        let agent = try RunningAgent(shop)
        try agent.wait()
        let workers = try Shop.run(["pgrep", "-P", "\(agent.process.processIdentifier)"]).output
            .split(separator: "\n").compactMap { Int32($0) }
        #expect(!workers.isEmpty)
        for worker in workers { kill(worker, SIGSTOP) }
        try manager.copyItem(
            atPath: "\(Repository.catalogue)/bird/bird-002.jpg", toPath: "\(shop.photos)/new.jpg")
        #expect(try eventually { try agent.status().running?.state == "working" })
        #expect(stops(agent.process))
        #expect(eventually { workers.allSatisfy { !isAlive($0) } })
    }

    /// Whether a process is there and has not ended: somebody may still have to be told of its end.
    private func isAlive(_ process: pid_t) -> Bool {
        let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return status.map { !$0.contains(") Z ") } ?? false
    }

    // MARK: While it does not answer

    private struct Status: Decodable {
        let running: LiveStatus.Running?
        let silence: String?
        let products: Int
    }

    private func isSilent(_ shop: Shop) throws -> Bool {
        try shop.run("status", "--json").json(Status.self).silence != nil
    }

    @Test(
        "an agent that is stopped by a signal keeps nobody waiting: status has the catalogue, the others say why"
    )
    func silent() throws {
        let shop = try Shop(perCategory: 1, extra: "[runtime]\ntimeout_seconds = 2\n")
        let agent = try RunningAgent(shop)
        try agent.wait()
        agent.signal(SIGSTOP)
        defer { agent.signal(SIGCONT) }
        let status: Status = try shop.run("status", "--json").json()
        #expect(status.running == nil && status.products == 10)
        #expect(status.silence?.contains("runtime.timeout_seconds") == true)
        #expect(
            try shop.run("status").output.contains(
                "agent      does not answer; this is what the catalogue has"))
        for arguments in [["wait"], ["reconcile"], ["models", "prune"]] {
            let result = try Shop.run([Shop.binary] + arguments + ["--config", shop.settings])
            #expect(result.code == 69 && result.errors.contains("gave no sign of life"), "\(arguments)")
        }
        // More than are let in to wait.
        let crowd = try Shop.run([
            "/usr/bin/python3", "-c",
            """
            import resource, socket, sys
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            clients = []
            try:
                while len(clients) < 10_000:
                    client = socket.socket(socket.AF_UNIX)
                    client.setblocking(False)
                    client.connect(sys.argv[1])
                    clients.append(client)
            except BlockingIOError:
                print("full", flush=True)
            sys.exit(__import__("subprocess").run(sys.argv[2:], stdout=sys.stderr).returncode)
            """, "\(shop.state)/control.socket", Shop.binary, "status", "--config", shop.settings,
        ])
        #expect(crowd.output == "full\n" && crowd.code == 0 && crowd.errors.contains("does not answer"))
    }

    /// Whoever listens where an agent should, and what is said of that.
    private static let strangers: [(answer: String, words: String)] = [
        ("while True: client.sendall(b'x' * 65536)", "not an agent's"),
        ("while True: client.sendall(b'x'); time.sleep(0.2)", "gave no sign of life"),
        (
            "client.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n')\n  while True: client.sendall(b'x' * 65536)",
            "not an agent's"
        ),
        (
            "client.sendall(b'HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n')\n  while True: client.sendall(b'1' * 65536)",
            "not an agent's"
        ),
        ("client.sendall(b'HTTP/1.1 200 OK\\r\\n')", "went away"),
    ]

    @Test("somebody else who listens in an agent's place keeps nobody waiting", arguments: strangers)
    func stranger(answer: String, words: String) throws {
        // Where something else than time ends it, there has to be time enough on a busy machine.
        let seconds = words.contains("no sign") ? 2 : 120
        let shop = try Shop(perCategory: 1, extra: "[runtime]\ntimeout_seconds = \(seconds)\n")
        #expect(try shop.run("reconcile").code == 0)
        let socket = "\(shop.state)/control.socket"
        let stranger = try Shop.start([
            "/usr/bin/python3", "-c",
            """
            import socket, sys, threading, time
            def serve(client):
             try:
              client.recv(65536)
              \(answer)
              client.close()
             except OSError: pass
            server = socket.socket(socket.AF_UNIX)
            server.bind(sys.argv[1])
            server.listen()
            while True: threading.Thread(target=serve, args=[server.accept()[0]], daemon=True).start()
            """, socket,
        ])
        defer {
            kill(stranger.process.processIdentifier, SIGKILL)
            stranger.process.waitUntilExit()
        }
        #expect(eventually { manager.fileExists(atPath: socket) })
        for command in [["wait"], ["reconcile"], ["models", "prune"]] {
            let result = try Shop.run([Shop.binary] + command + ["--config", shop.settings])
            #expect(result.code == 69 && result.errors.contains(words), "\(command) \(result.errors)")
        }
        let status = try shop.run("status")
        #expect(
            words.contains("no sign")
                ? status.output.contains("does not answer") : status.errors.contains(words))
    }

    @Test("an agent that works long without a word, and is alive, is waited for")
    func busy() throws {
        let shop = try Shop(
            perCategory: 1, extra: "[workers]\ntimeout_seconds = 600\n[runtime]\ntimeout_seconds = 5\n")
        let agent = try RunningAgent(shop)
        #expect(try agent.wait().code == 0)
        let workers = try Shop.run(["pgrep", "-P", "\(agent.process.processIdentifier)"]).output
            .split(separator: "\n").compactMap { Int32($0) }
        for worker in workers { kill(worker, SIGSTOP) }
        try manager.copyItem(
            atPath: "\(Repository.catalogue)/bird/bird-002.jpg", toPath: "\(shop.photos)/new.jpg")
        let waiting = try Shop.start([Shop.binary, "wait", "--config", shop.settings]).process
        // Some times as long as it may be silent without being asked whether it is alive.
        let end = ContinuousClock.now + .seconds(16)
        while waiting.isRunning, ContinuousClock.now < end { usleep(50_000) }
        #expect(waiting.isRunning)
        for worker in workers { kill(worker, SIGCONT) }
        waiting.waitUntilExit()
        #expect(waiting.terminationStatus == 0)
        #expect(manager.fileExists(atPath: "\(shop.output)/products/new.json"))
        #expect(agent.stop() == 0)
    }

    @Test("a request during a start that fails gets the reason")
    func failedStart() throws {
        // Loading takes a while, and what is wrong is found out at its end.
        let shop = try Shop(perCategory: 1)
        for name in ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"] {
            try manager.createDirectory(
                atPath: "\(shop.folder.path)/models", withIntermediateDirectories: true)
            try manager.copyItem(
                atPath: "\(Repository.models)/\(name)", toPath: "\(shop.folder.path)/models/\(name)")
        }
        let manifest = "\(shop.folder.path)/models/efficientnet-lite2/manifest.toml"
        let text = try String(contentsOfFile: manifest, encoding: .utf8)
        try text.replacing("dimension = 1280", with: "dimension = 1281").write(
            toFile: manifest, atomically: true, encoding: .utf8)
        try shop.configure(
            """
            [model]
            folder = "models"
            [embedding]
            models = ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]
            """)
        let asking = try Shop.start([
            "/usr/bin/python3", "-c",
            """
            import os, socket, sys, time
            while not os.path.exists(sys.argv[2]):
                client = socket.socket(socket.AF_UNIX)
                try:
                    client.connect(sys.argv[1])
                    break
                except OSError:
                    time.sleep(0.001)
            client.sendall(b"POST /reconcile HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n")
            while part := client.recv(65536): sys.stdout.buffer.write(part)
            """, "\(shop.state)/control.socket", "\(shop.folder.path)/ended",
        ])
        let agent = try Shop.start([Shop.binary, "run", "--config", shop.settings])
        agent.process.waitUntilExit()
        try shop.folder.write("ended", [])
        #expect(agent.process.terminationStatus == 65)
        let answer = String(decoding: asking.output.readDataToEndOfFile(), as: UTF8.self)
        asking.process.waitUntilExit()
        #expect(answer.contains("\"exitCode\":65") && answer.contains("1281"), "\(answer)")
    }

    @Test("it goes on where nobody reads what it says")
    func unread() throws {
        let shop = try Shop(perCategory: 1)
        let pipeline = try Shop.start([
            "sh", "-c", "\"$1\" run --config \"$2\" 2>&1 | head -1", "sh", Shop.binary, shop.settings,
        ])
        defer {
            _ = try? Shop.run(["pkill", "-f", "run --config \(shop.settings)"])
            pipeline.process.waitUntilExit()
        }
        #expect(try eventually { try shop.run("wait").code == 0 })
        for number in 0..<3 {
            try manager.copyItem(
                atPath: "\(Repository.catalogue)/bird/bird-00\(number + 2).jpg",
                toPath: "\(shop.photos)/new-\(number).jpg")
            #expect(eventually { manager.fileExists(atPath: "\(shop.output)/products/new-\(number).json") })
        }
        #expect(try shop.run("status", "--json").json(LiveStatus.self).running != nil)
    }
}
