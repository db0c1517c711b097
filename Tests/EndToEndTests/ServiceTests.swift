import Foundation
import Glibc
import TestSupport
import Testing

@Suite("The running agent", .serialized, .underUsualKernelLimits)
struct ServiceTests {
    private let manager = FileManager.default

    private func photo(_ name: String) -> String { "\(Repository.catalogue)/\(name)" }

    private func copy(_ name: String, to path: String) throws {
        try? manager.removeItem(atPath: path)
        try manager.createDirectory(
            at: URL(fileURLWithPath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
        try manager.copyItem(atPath: photo(name), toPath: path)
    }

    private func expectCleanRun(_ shop: Shop) throws {
        #expect(try shop.files() == (try shop.cleanRun()))
    }

    @Test("photos that come, change, move and go are followed, and the files are those of a clean run")
    func changes() throws {
        let shop = try Shop(perCategory: 4)
        let agent = try RunningAgent(shop)
        #expect(try agent.wait().code == 0)
        try expectCleanRun(shop)

        try copy("bird/bird-020.jpg", to: "\(shop.photos)/new/deep/bird.jpg")
        #expect(eventually { manager.fileExists(atPath: "\(shop.output)/products/new/deep/bird.json") })
        try copy("flower/flower-020.jpg", to: "\(shop.photos)/fruit/fruit-001.jpg")
        #expect(rename("\(shop.photos)/bird/bird-001.jpg", "\(shop.photos)/bird/cap.jpg") == 0)
        try manager.removeItem(atPath: "\(shop.photos)/bird/bird-002.jpg")
        try manager.copyItem(
            atPath: "\(shop.photos)/bird/bird-003.jpg", toPath: "\(shop.photos)/bird/copy.jpg")
        try Data("no photo".utf8).write(to: URL(fileURLWithPath: "\(shop.photos)/broken.jpg"))
        #expect(try agent.wait().code == 0)
        try expectCleanRun(shop)
        let status = try agent.status()
        #expect(status.failed.map(\.path) == ["broken.jpg"])
        #expect(status.running?.state == "idle" && status.products == 41)
        #expect(agent.log.contains("added new/deep/bird.jpg"))
        #expect(agent.stop() == 0)
        try expectCleanRun(shop)
        #expect(try shop.run("status", "--json").json(LiveStatus.self).running == nil)
        #expect(!manager.fileExists(atPath: "\(shop.state)/control.socket"))
    }

    @Test("a photo drops into its neighbours' files too, without anybody asking")
    func neighbours() throws {
        let shop = try Shop(perCategory: 3)
        let agent = try RunningAgent(shop)
        try agent.wait()
        try copy("bird/bird-001.jpg", to: "\(shop.photos)/twin.jpg")
        // The same picture is the nearest there is, in both directions.
        func names(_ product: String, _ other: String) throws -> Bool {
            guard let data = manager.contents(atPath: "\(shop.output)/products/\(product).json") else {
                return false
            }
            return try JSONDecoder().decode(Document.self, from: data).recommendations.first?.product == other
        }
        #expect(try eventually { try names("twin", "bird/bird-001") && names("bird/bird-001", "twin") })
    }

    @Test("a moved folder embeds nothing again")
    func movedFolder() throws {
        let shop = try Shop(perCategory: 6)
        let agent = try RunningAgent(shop)
        try agent.wait()
        let before = try agent.metrics()
        #expect(rename("\(shop.photos)/bird", "\(shop.photos)/caps") == 0)
        #expect(eventually { manager.fileExists(atPath: "\(shop.output)/products/caps/bird-001.json") })
        try manager.createDirectory(atPath: "\(shop.photos)/all", withIntermediateDirectories: true)
        for name in ["caps", "fruit", "flower"] {
            #expect(rename("\(shop.photos)/\(name)", "\(shop.photos)/all/\(name)") == 0)
        }
        try agent.wait()
        try expectCleanRun(shop)
        #expect(try agent.metrics()["photos_embedded_total"] == before["photos_embedded_total"])
    }

    @Test("a photo that is written slowly, in pieces or aside is embedded once, when it is whole")
    func slowly() throws {
        // Pieces may come slowly on a busy machine.
        let shop = try Shop(perCategory: 2, extra: "[watch]\nsettle_ms = 500\n")
        let agent = try RunningAgent(shop)
        try agent.wait()
        let before = try agent.metrics()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: photo("bird/bird-020.jpg")))

        // Slowly, with the folder being compared meanwhile.
        let slow = open("\(shop.photos)/slow.jpg", O_CREAT | O_WRONLY, 0o644)
        for (index, byte) in [0..<1000, 1000..<2000, 2000..<bytes.count].enumerated() {
            _ = bytes[byte].withUnsafeBytes { write(slow, $0.baseAddress!, $0.count) }
            if index < 2 {
                #expect(try shop.run("reconcile").code == 0)
                usleep(1_300_000)
            }
        }
        #expect(!manager.fileExists(atPath: "\(shop.output)/products/slow.json"))
        close(slow)
        #expect(eventually { manager.fileExists(atPath: "\(shop.output)/products/slow.json") })

        // As rsync does it.
        let other = try Data(contentsOf: URL(fileURLWithPath: photo("bird/bird-021.jpg")))
        try other.write(to: URL(fileURLWithPath: "\(shop.photos)/.aside.jpg.Xy12"))
        #expect(rename("\(shop.photos)/.aside.jpg.Xy12", "\(shop.photos)/aside.jpg") == 0)
        #expect(eventually { manager.fileExists(atPath: "\(shop.output)/products/aside.json") })

        // Opened and closed for each piece, in quick succession.
        let pieces = try Data(contentsOf: URL(fileURLWithPath: photo("bird/bird-022.jpg")))
        var start = 0
        while start < pieces.count {
            let file = open("\(shop.photos)/pieces.jpg", O_CREAT | O_WRONLY | O_APPEND, 0o644)
            let end = min(start + 2000, pieces.count)
            _ = pieces[start..<end].withUnsafeBytes { write(file, $0.baseAddress!, $0.count) }
            close(file)
            start = end
        }
        #expect(eventually { manager.fileExists(atPath: "\(shop.output)/products/pieces.json") })
        try agent.wait()
        let after = try agent.metrics()
        #expect(after["photos_embedded_total"]! - before["photos_embedded_total"]! == 3)
        #expect(after["photo_failures_total"] == before["photo_failures_total"], "\(agent.log)")
        try expectCleanRun(shop)
    }

    @Test("a hard link, whose maker closes nothing, is followed")
    func link() throws {
        let shop = try Shop(perCategory: 2)
        let agent = try RunningAgent(shop)
        try agent.wait()
        #expect(Glibc.link("\(shop.photos)/bird/bird-001.jpg", "\(shop.photos)/linked.jpg") == 0)
        #expect(eventually { manager.fileExists(atPath: "\(shop.output)/products/linked.json") })
    }

    @Test("photos that vanish at once are kept, by status and log, until they are back or somebody confirms")
    func brake() throws {
        let shop = try Shop(perCategory: 4)
        let agent = try RunningAgent(shop)
        try agent.wait()
        let before = try shop.files()

        // Photo by photo, as rm does it, and then the folder itself.
        #expect(rename(shop.photos, "\(shop.photos)-away") == 0)
        try manager.createDirectory(atPath: shop.photos, withIntermediateDirectories: true)
        #expect(try eventually { try agent.status().running?.heldBack == 40 })
        #expect(try agent.status().running?.state == "holding back removals")
        #expect(agent.log.contains("--allow-mass-removal"))
        #expect(try shop.files() == before)
        #expect(try agent.wait().code == 75)

        // Some of them come back: the others stay.
        #expect(rename("\(shop.photos)-away/bird", "\(shop.photos)/bird") == 0)
        for name in ["fruit", "flower", "vegetable", "tool", "mammal"] {
            #expect(rename("\(shop.photos)-away/\(name)", "\(shop.photos)/\(name)") == 0)
        }
        #expect(try eventually { try agent.status().running?.heldBack == 16 })
        #expect(try shop.files() == before)
        try manager.removeItem(atPath: shop.photos + "/bird")
        #expect(try eventually { try agent.status().running?.heldBack == 20 })

        // A restart forgets nothing.
        #expect(agent.stop() == 0)
        #expect(try shop.run("status").output.contains("\nbrake      products vanished at once"))
        let again = try RunningAgent(shop)
        #expect(try eventually { try again.status().running?.heldBack == 20 })
        #expect(try shop.files() == before)

        let confirmed = try shop.run("reconcile", "--allow-mass-removal", "--json")
        #expect(confirmed.code == 0, "\(confirmed.errors)")
        #expect(try again.status().products == 20)
        try expectCleanRun(shop)
    }

    @Test(
        "a reconcile through the agent streams its progress and tells every failed photo, however long it takes"
    )
    func streamed() throws {
        let shop = try Shop(perCategory: nil)
        for number in 1...3 { try shop.folder.write("photos/zz\(number).jpg", [UInt8(number)]) }
        let agent = try RunningAgent(shop)
        let lines = try Shop.run([
            "curl", "--silent", "--no-buffer", "--unix-socket", "\(shop.state)/control.socket", "--request",
            "POST", "http://agent/reconcile",
        ]).output.split(separator: "\n")
        #expect(lines.dropLast().allSatisfy { $0.contains("\"progress\"") })
        #expect(lines.count { $0.contains("\"embedding\"") } > 5)
        struct Answer: Decodable {
            struct Report: Decodable {
                let failed: [LiveStatus.Failed]
            }
            let report: Report
        }
        let report = try JSONDecoder().decode(Answer.self, from: Data(try #require(lines.last).utf8)).report
        #expect(report.failed.map(\.path) == ["zz1.jpg", "zz2.jpg", "zz3.jpg"])
        #expect(try agent.metrics()["photos_embedded_total"] == Repository.photos.count)
    }

    @Test("a folder that is emptied photo by photo, and one that is missing, do not empty the site")
    func emptied() throws {
        let shop = try Shop(perCategory: 5)
        let agent = try RunningAgent(shop)
        try agent.wait()
        let before = try shop.files()
        try Shop.run(["sh", "-c", "rm -r '\(shop.photos)'/*"])
        #expect(try eventually { try agent.status().running?.heldBack == 50 })
        try manager.removeItem(atPath: shop.photos)
        #expect(try eventually { try agent.status().running?.state == "waiting for the image folder" })
        #expect(try shop.files() == before)
        try manager.createDirectory(atPath: shop.photos, withIntermediateDirectories: true)
        for name in try manager.contentsOfDirectory(atPath: Repository.catalogue) where !name.contains(".") {
            for file in try manager.contentsOfDirectory(atPath: photo(name)).sorted().prefix(5) {
                try copy("\(name)/\(file)", to: "\(shop.photos)/\(name)/\(file)")
            }
        }
        #expect(try eventually { try agent.status().running?.state == "idle" })
        #expect(try agent.wait().code == 0)
        #expect(try shop.files() == before)
    }

    @Test("a second agent on the same state is refused, and reconcile hands its work to the first")
    func lock() throws {
        let shop = try Shop(perCategory: 2)
        let agent = try RunningAgent(shop)
        let second = try shop.run("run")
        #expect(second.code == 75 && second.errors.contains("another imgrec-agent"), "\(second.errors)")
        let report: Report = try shop.run("reconcile", "--json").json()
        #expect(report.products == 20)
        #expect(try agent.status().running?.state == "idle")
        agent.signal(SIGKILL)
        agent.process.waitUntilExit()
        // What a killed agent leaves behind is in nobody's way.
        #expect(try shop.run("reconcile").code == 0)
        #expect(try shop.run("wait").code == 69)
        let third = try RunningAgent(shop)
        #expect(third.stop() == 0)
    }

    @Test("asked to stop in the middle of an import, it stops with 0, and the next start goes on")
    func stop() throws {
        let shop = try Shop(perCategory: nil)
        let agent = try RunningAgent(shop)
        #expect(try eventually { try agent.metrics()["photos_embedded_total"]! > 0 })
        let start = ContinuousClock.now
        #expect(agent.stop() == 0)
        #expect(ContinuousClock.now - start < .seconds(5))
        let again = try RunningAgent(shop)
        try again.wait()
        try expectCleanRun(shop)
    }

    @Test("settings that are read again take effect; wrong ones change nothing and are told")
    func reload() throws {
        let shop = try Shop(perCategory: 2)
        let agent = try RunningAgent(shop)
        try agent.wait()
        try shop.configure("[recommendations]\ncount = 3\n")
        agent.signal(SIGHUP)
        #expect(eventually { agent.log.contains("are in force") })
        try agent.wait()
        try expectCleanRunWithCount(shop, 3)
        try shop.configure("[recommendations]\ncount = \"many\"\n")
        agent.signal(SIGHUP)
        #expect(try eventually { try agent.readStatusWithOldSettings(shop)?.contains("count") ?? false })
        try shop.configure("[recommendations]\ncount = 3\n")
        try copy("bird/bird-020.jpg", to: "\(shop.photos)/new.jpg")
        #expect(try agent.wait().code == 0)
        #expect(manager.fileExists(atPath: "\(shop.output)/products/new.json"))
        try expectCleanRunWithCount(shop, 3)
    }

    private func expectCleanRunWithCount(_ shop: Shop, _ count: Int) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(shop.output)/products/bird/bird-001.json"))
        #expect(try JSONDecoder().decode(Document.self, from: data).recommendations.count == count)
    }

    @Test("an agent whose socket's place is taken by something else leaves it there, and says so")
    func takenSocket() throws {
        let shop = try Shop(perCategory: 1)
        try shop.folder.write("state/control.socket", Array("mine".utf8))
        let result = try shop.run("run")
        #expect(result.code != 0 && result.errors.contains("something else lies there"), "\(result.errors)")
        #expect(try TemporaryFolder.contents(of: shop.state)["control.socket"] == Data("mine".utf8))
    }

    @Test("who waits is answered, also by the loop that follows when settings are read again")
    func waitersOutliveReload() throws {
        let shop = try Shop(perCategory: nil)
        let agent = try RunningAgent(shop)
        // During the import, so that requests lie about between turns.
        for count in 1...4 {
            let waiters = try (0..<6).map { _ in
                try Shop.start([Shop.binary, "wait", "--published", "--quiet", "--config", shop.settings])
            }
            usleep(300_000)
            try shop.configure("[recommendations]\ncount = \(count)\n")
            agent.signal(SIGHUP)
            #expect(
                eventually { waiters.allSatisfy { !$0.process.isRunning } }, "round \(count)")
            for waiter in waiters {
                if waiter.process.isRunning { waiter.process.terminate() }
                #expect(waiter.process.terminationStatus == 0)
            }
        }
        #expect(eventually { agent.log.components(separatedBy: "are in force").count == 5 })
        try agent.wait()
        try expectCleanRunWithCount(shop, 4)
    }

    @Test("healthz says whether all is well, and status --watch prints again and again")
    func health() throws {
        let shop = try Shop(perCategory: 1)
        let agent = try RunningAgent(shop)
        try agent.wait()
        func healthz() throws -> String {
            try Shop.run([
                "curl", "--silent", "--write-out", "%{http_code}", "--unix-socket",
                "\(shop.state)/control.socket", "http://agent/healthz",
            ]).output
        }
        #expect(try healthz() == "ok\n200")
        let watching = try Shop.start([Shop.binary, "status", "--watch", "--config", shop.settings])
        var watched = ""
        #expect(
            eventually {
                watched += String(decoding: watching.output.availableData, as: UTF8.self)
                return watched.components(separatedBy: "agent      idle").count > 3
            })
        kill(watching.process.processIdentifier, SIGINT)
        watching.process.waitUntilExit()
        // A folder in the place of a product's file is trouble until it is taken away.
        try manager.createDirectory(
            atPath: "\(shop.output)/products/x.json/x", withIntermediateDirectories: true)
        try copy("bird/bird-020.jpg", to: "\(shop.photos)/x.jpg")
        #expect(try eventually { try healthz() == "trouble; see /status\n503" })
        #expect(try agent.status().running?.trouble?.contains("x.json") == true)
        try manager.removeItem(atPath: "\(shop.output)/products/x.json")
        #expect(try eventually { try healthz() == "ok\n200" })
        try expectCleanRun(shop)
    }

    @Test("lines for the journal have their priority in front")
    func journal() throws {
        let shop = try Shop(perCategory: 1)
        let agent = try RunningAgent(
            shop,
            under: ["sh", "-c", "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$@\"", "sh"])
        try agent.wait()
        #expect(agent.log.contains("<6>added bird/bird-001.jpg\n"))
        #expect(agent.log.split(separator: "\n").allSatisfy { $0.hasPrefix("<") })
    }

    @Test(
        "ended at some point in a burst, again and again, it starts again and ends at the files of a clean run"
    )
    func killed() throws {
        let shop = try Shop(perCategory: 8)
        var random = SeededRandom(seed: 7)
        for round in 0..<10 {
            // Each burst takes more points than that.
            let point = Int.random(in: 1...100, using: &random)
            let agent = try Shop.start([
                "env", "IMGREC_STOP_AT=\(point)", Shop.binary, "run", "--config", shop.settings,
            ]).process
            let burst = try Shop.start([
                "sh", "-c",
                "cd '\(shop.photos)'; for n in $(seq 40); do cp flower/flower-00$((n % 8 + 1)).jpg b\(round)-$n.jpg; [ $((n % 3)) = 0 ] && mv b\(round)-$n.jpg c\(round)-$n.jpg; [ $((n % 7)) = 0 ] && rm -f b\(round)-$n.jpg; done; true",
            ])
            #expect(eventually { !agent.isRunning }, "round \(round), point \(point)")
            #expect(agent.terminationStatus == SIGKILL, "round \(round), point \(point)")
            kill(agent.processIdentifier, SIGKILL)
            burst.process.waitUntilExit()
        }
        let agent = try RunningAgent(shop)
        #expect(try agent.wait().code == 0)
        try expectCleanRun(shop)
    }

    @Test("an output folder that somebody empties or replaces is filled again")
    func output() throws {
        let shop = try Shop(perCategory: 2)
        let agent = try RunningAgent(shop)
        try agent.wait()
        let before = try shop.files()
        try manager.removeItem(atPath: shop.output)
        #expect(try shop.run("reconcile").code == 0)
        #expect(try shop.files() == before)
        try manager.removeItem(atPath: "\(shop.output)/products/bird")
        try copy("bird/bird-020.jpg", to: "\(shop.photos)/bird/new.jpg")
        #expect(eventually { manager.fileExists(atPath: "\(shop.output)/products/bird/new.json") })
        #expect(try shop.run("reconcile").code == 0)
        try expectCleanRun(shop)
    }
}

extension RunningAgent {
    /// What is wrong with the settings, asked for by somebody whose settings are right.
    fileprivate func readStatusWithOldSettings(_ shop: Shop) throws -> String? {
        let result = try Shop.run([
            "curl", "--silent", "--unix-socket", "\(shop.state)/control.socket", "http://agent/status",
        ])
        let status = try JSONDecoder().decode(LiveStatus.self, from: Data(result.output.utf8))
        return status.running?.settingsTrouble
    }
}
