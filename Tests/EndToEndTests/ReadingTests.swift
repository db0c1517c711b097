import Foundation
import TestSupport
import Testing

/// Commands that only look change nothing: no table, no file, no owner.
@Suite("Commands that only look", .inLanes)
struct ReadingTests {
    private static let commands = [
        ["status"], ["similar", "bird/bird-001"], ["verify"], ["evaluate", "--quiet"], ["gallery"],
        ["models"], ["reconcile", "--dry-run"],
    ]

    /// Runs Python with the catalogue as `database`.
    private func change(_ shop: Shop, _ statements: String) throws {
        let code = """
            import sqlite3, sys
            database = sqlite3.connect(sys.argv[1])
            \(statements)
            database.commit()
            """
        let result = try Shop.run(["/usr/bin/python3", "-c", code, "\(shop.state)/catalogue.sqlite"])
        #expect(result.code == 0, "\(result.errors)")
    }

    @Test(
        "leave a catalogue of an older version as it is, and say what brings it up to date",
        arguments: commands)
    func older(command: [String]) throws {
        let shop = try Shop(perCategory: 2)
        #expect(try shop.run("reconcile").code == 0)
        let files = try shop.files()
        try age(shop)
        func catalogue() throws -> Data {
            try Data(contentsOf: URL(fileURLWithPath: "\(shop.state)/catalogue.sqlite"))
        }
        let before = try catalogue()
        let result = try Shop.run([Shop.binary] + command + ["--config", shop.settings])
        #expect(result.code == 75 && result.errors.contains("older imgrec-agent"), "\(result.errors)")
        #expect(try catalogue() == before)
        // Whoever holds the lock may bring it up to date.
        #expect(try shop.run("reconcile").code == 0)
        #expect(try shop.files() == files)
        #expect(try Shop.run([Shop.binary] + command + ["--config", shop.settings]).code == 0)
    }

    /// As a version left it that had no hook.
    private func age(_ shop: Shop) throws {
        try change(
            shop,
            """
            database.execute("DROP TABLE hook_change")
            database.execute("DELETE FROM grdb_migrations WHERE identifier = '6'")
            """)
    }

    @Test("one that is started, or prunes, brings an older catalogue up to date")
    func upgrade() throws {
        let shop = try Shop(perCategory: 2)
        #expect(try shop.run("reconcile").code == 0)
        let files = try shop.files()
        try age(shop)
        #expect(try shop.run("models", "prune").code == 0)
        #expect(try shop.run("status").code == 0)
        try age(shop)
        let agent = try RunningAgent(shop)
        #expect(try agent.status().products == 20)
        #expect(try agent.wait().code == 0)
        #expect(try shop.files() == files)
    }

    @Test(
        "leave somebody else's database as it is",
        arguments: commands + [["reconcile"], ["models", "prune"]])
    func foreign(command: [String]) throws {
        let shop = try Shop(perCategory: 1)
        try shop.folder.write("state/a", [])
        try change(shop, "database.execute('CREATE TABLE accounts (name TEXT)')")
        let before = try TemporaryFolder.contents(of: shop.state)["catalogue.sqlite"]
        let result = try Shop.run([Shop.binary] + command + ["--config", shop.settings])
        #expect(result.code == 65 && result.errors.contains("not one of imgrec-agent's"), "\(result.errors)")
        #expect(try TemporaryFolder.contents(of: shop.state)["catalogue.sqlite"] == before)
    }

    @Test(
        "say what lies in the catalogue's place where that is no file, and wait for nothing",
        arguments: [["status"], ["verify"], ["reconcile", "--dry-run"], ["reconcile"], ["models", "prune"]])
    func noFile(command: [String]) throws {
        let shop = try Shop(perCategory: 1)
        let place = "\(shop.state)/catalogue.sqlite"
        let things: [(words: String, make: () throws -> Void)] = [
            ("is no file", { #expect(mkfifo(place, 0o600) == 0) }),
            ("is no file", { #expect(mkdir(place, 0o700) == 0) }),
            ("levels of symbolic links", { #expect(symlink(place, place) == 0) }),
            ("leads nowhere", { #expect(symlink("nowhere", place) == 0) }),
            ("is no file", { #expect(mkfifo("\(place)-wal", 0o600) == 0) }),
        ]
        for thing in things {
            try? FileManager.default.removeItem(atPath: shop.state)
            try FileManager.default.createDirectory(atPath: shop.state, withIntermediateDirectories: true)
            try thing.make()
            let result = try Shop.run([Shop.binary] + command + ["--config", shop.settings])
            #expect([65, 74].contains(result.code), "\(result.code) \(result.errors)")
            #expect(result.errors.contains(place) && result.errors.contains(thing.words), "\(result.errors)")
            #expect(result.errors.contains("ove it away"), "\(result.errors)")
        }
    }

    @Test("take no lock; one that removes does, or has the running agent do it")
    func prune() throws {
        let shop = try Shop(perCategory: 2)
        #expect(try shop.run("reconcile").code == 0)
        let descriptor = open("\(shop.state)/lock", O_RDWR)
        #expect(flock(descriptor, LOCK_EX) == 0)
        for command in Self.commands {
            let result = try Shop.run([Shop.binary] + command + ["--config", shop.settings])
            #expect(result.code == 0, "\(command) \(result.errors)")
        }
        let pruned = try shop.run("models", "prune")
        #expect(pruned.code == 75 && pruned.errors.contains("another imgrec-agent is working on"))
        close(descriptor)
        #expect(try shop.run("models", "prune").output.contains("no vectors of other models"))
        #expect(try Shop(perCategory: 0).run("models", "prune").code == 75)
    }

    @Test(
        "leave no file of theirs in the state folder, and what an agent needs to be read beside the catalogue stays"
    )
    func files() throws {
        let shop = try Shop(perCategory: 1)
        #expect(try shop.run("reconcile").code == 0)
        func names() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: shop.state).filter {
                $0 != "cache" && $0 != "review"
            }
            .sorted()
        }
        let before = try names()
        #expect(before.contains("catalogue.sqlite-wal") && before.contains("catalogue.sqlite-shm"))
        // Nothing is in the log that another database, put in this one's place, would be taken to have.
        let log = try FileManager.default.attributesOfItem(atPath: "\(shop.state)/catalogue.sqlite-wal")
        #expect(log[.size] as? Int == 0)
        for command in Self.commands {
            _ = try Shop.run([Shop.binary] + command + ["--config", shop.settings])
        }
        #expect(try names() == before)
    }
}
