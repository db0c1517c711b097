import Foundation
import Glibc
import TestSupport
import Testing

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

    /// A folder behind a mount that answers only while `answers` is set, as one of a server that is gone does.
    private final class SilentMount {
        private let process: Process
        let path: String

        init(of behind: String, at path: String) throws {
            self.path = path
            for folder in [behind, path] {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            process = try Shop.start(["bindfs", "-f", "--no-allow-other", behind, path]).process
            let isMounted = eventually {
                (try? String(contentsOfFile: "/proc/mounts", encoding: .utf8))?.contains(" \(path) ") ?? false
            }
            guard isMounted else { throw Shop.Failure(message: "\(path) is not mounted") }
        }

        var answers = true {
            didSet { kill(process.processIdentifier, answers ? SIGCONT : SIGSTOP) }
        }

        deinit {
            kill(process.processIdentifier, SIGCONT)
            _ = try? Shop.run(["umount", "--lazy", path])
            process.waitUntilExit()
        }
    }

    private static let needsRoot: Comment =
        "SKIPPED, NOT TESTED: a file system that does not answer can be mounted by root only. Run the tests as root."

    @Test(
        "it ends while the table of attributes lies on a mount that does not answer",
        .enabled(if: geteuid() == 0, needsRoot))
    func hungTable() throws {
        let shop = try Shop(perCategory: 1)
        let mount = try SilentMount(of: "\(shop.folder.path)/behind", at: "\(shop.folder.path)/table")
        try shop.folder.write("behind/products.csv", Array("product,title\nbird/bird-001,A bird\n".utf8))
        try shop.configure("", output: "attributes = \"table/products.csv\"\n")
        let agent = try RunningAgent(shop)
        try agent.wait()
        mount.answers = false
        // It looks at the table each second; whoever asks how it is looks too.
        let askers = try (0..<4).map { _ in
            try Shop.start([Shop.binary, "status", "--config", shop.settings]).process
        }
        usleep(2_500_000)
        #expect(stops(agent.process))
        mount.answers = true
        for asker in askers { asker.waitUntilExit() }
        // A start that hangs ends as well.
        mount.answers = false
        let starting = try Shop.start([Shop.binary, "run", "--config", shop.settings]).process
        #expect(eventually { manager.fileExists(atPath: "\(shop.state)/control.socket") })
        usleep(500_000)
        #expect(stops(starting))
    }

    @Test("it ends while a pattern takes exponential time")
    func hungPattern() throws {
        let shop = try Shop(perCategory: 0)
        try shop.configure("", images: "product_pattern = '^((?:[a-z0-9]+-?)+)_[0-9]+[.]jpg$'\n")
        let agent = try RunningAgent(shop)
        try agent.wait()
        let photo = "\(Repository.catalogue)/bird/bird-001.jpg"
        try manager.copyItem(
            atPath: photo, toPath: "\(shop.photos)/blue-summer-dress-with-a-long-name-2024-final.jpg")
        usleep(500_000)
        #expect(stops(agent.process))
    }

    @Test("it ends while clients send lines without end, or nothing")
    func hungClients() throws {
        let shop = try Shop(perCategory: 1)
        let agent = try RunningAgent(shop)
        try agent.wait()
        let clients = try Shop.start([
            "/usr/bin/python3", "-c",
            """
            import socket, sys, time
            clients = []
            for number in range(12):
                client = socket.socket(socket.AF_UNIX)
                client.connect(sys.argv[1])
                client.settimeout(1)
                clients.append(client)
            print("connected", flush=True)
            for client in clients[:8]:
                try: client.sendall(b"x" * 200_000)
                except OSError: pass
            time.sleep(60)
            """, "\(shop.state)/control.socket",
        ])
        #expect(String(decoding: clients.output.availableData, as: UTF8.self) == "connected\n")
        usleep(1_000_000)
        #expect(stops(agent.process))
        kill(clients.process.processIdentifier, SIGKILL)
        clients.process.waitUntilExit()
    }

    @Test("it ends while the hook does not want to end")
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
        #expect(eventually { workers.allSatisfy { kill($0, 0) != 0 } })
    }

    // MARK: While it does not answer

    @Test(
        "an agent that is stopped by a signal keeps nobody waiting: status has the catalogue, the others say why"
    )
    func silent() throws {
        let shop = try Shop(perCategory: 1, extra: "[runtime]\ntimeout_seconds = 2\n")
        let agent = try RunningAgent(shop)
        try agent.wait()
        agent.signal(SIGSTOP)
        defer { agent.signal(SIGCONT) }
        struct Status: Decodable {
            let running: LiveStatus.Running?
            let silence: String?
            let products: Int
        }
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
        // So many that no more are let in to wait.
        let crowd = try Shop.run([
            "/usr/bin/python3", "-c",
            """
            import socket, sys
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
        // One that works long and answers is waited for, also while nothing is said.
        agent.signal(SIGCONT)
        #expect(try shop.run("wait").code == 0)
    }

    @Test("who asks for something during a start that fails is told why")
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
            import socket, sys, time
            while True:
                client = socket.socket(socket.AF_UNIX)
                try:
                    client.connect(sys.argv[1])
                    break
                except OSError:
                    time.sleep(0.001)
            client.sendall(b"POST /reconcile HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n")
            while part := client.recv(65536): sys.stdout.buffer.write(part)
            """, "\(shop.state)/control.socket",
        ])
        let agent = try Shop.start([Shop.binary, "run", "--config", shop.settings])
        agent.process.waitUntilExit()
        #expect(agent.process.terminationStatus == 65)
        let answer = String(decoding: asking.output.readDataToEndOfFile(), as: UTF8.self)
        asking.process.waitUntilExit()
        #expect(answer.contains("\"exitCode\":65") && answer.contains("1281"), "\(answer)")
    }

    @Test("it goes on where nobody reads what it says")
    func unread() throws {
        let shop = try Shop(perCategory: 1)
        let pipeline = try Shop.start([
            "sh", "-c", "'\(Shop.binary)' run --config '\(shop.settings)' 2>&1 | head -1",
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
