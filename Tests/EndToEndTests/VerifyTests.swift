import Foundation
import TestSupport
import Testing

@Suite("Verify", .inLanes)
struct VerifyTests {
    private struct Report: Decodable {
        struct Drift: Decodable {
            let product: String
            let reason: String
        }

        let products: Int
        let verified: Int
        let drift: [Drift]
        let unsettled: [String]
        let isCatalogueWrong: Bool
    }

    @Test("verify finds nothing after a run, and names whatever is not as it should be")
    func drift() throws {
        let shop = try Shop(perCategory: 5)
        #expect(try shop.run("verify").code == 75)
        _ = try shop.run("reconcile", "--quiet")
        let clean = try shop.run("verify", "--all", "--json")
        #expect(clean.code == 0)
        let report: Report = try clean.json()
        #expect(report.products == 50 && report.verified == 50 && report.drift.isEmpty)
        let text = try shop.run("verify", "--sample", "7")
        #expect(text.code == 0)
        #expect(text.output.contains("Compared 7 of 50 products"))
        #expect(text.output.contains("All are as they should be."))

        // Files: other bytes, none, and an index that names what is not there.
        let product = "\(shop.output)/products/bird/bird-001.json"
        let bytes = try Data(contentsOf: URL(fileURLWithPath: product))
        try (bytes + Data(" ".utf8)).write(to: URL(fileURLWithPath: product))
        try FileManager.default.removeItem(atPath: "\(shop.output)/products/bird/bird-002.json")
        let index = "\(shop.output)/index.json"
        let indexed = try String(contentsOfFile: index, encoding: .utf8)
        let digit = try #require(indexed.range(of: "bird/bird-003.json\", \"digest\": \"sha256:"))
        let other = indexed[digit.upperBound] == "0" ? "1" : "0"
        let first = digit.upperBound..<indexed.index(after: digit.upperBound)
        try indexed.replacingCharacters(in: first, with: other).write(
            toFile: index, atomically: true, encoding: .utf8)
        let files = try shop.run("verify", "--all", "--json")
        #expect(files.code == 65)
        let wrong: Report = try files.json()
        #expect(
            wrong.drift.map { "\($0.product): \($0.reason)" } == [
                "bird/bird-001: its file has other bytes", "bird/bird-002: its file is missing",
                "bird/bird-003: index.json names another digest",
            ])
        #expect(!wrong.isCatalogueWrong)
        let advice = try shop.run("verify", "--all").output
        #expect(advice.contains("To mend it: imgrec-agent reconcile"))
        _ = try shop.run("reconcile", "--quiet")
        #expect(try shop.run("verify", "--all").code == 0)

        // Rows: two neighbours that have changed places.
        try change(
            shop,
            """
            database.execute("UPDATE neighbour SET rank = 100 WHERE product = 'bird/bird-001' AND rank = 1")
            database.execute("UPDATE neighbour SET rank = 1 WHERE product = 'bird/bird-001' AND rank = 2")
            database.execute("UPDATE neighbour SET rank = 2 WHERE product = 'bird/bird-001' AND rank = 100")
            """)
        let rows = try shop.run("verify", "--all")
        #expect(rows.code == 65)
        #expect(rows.output.contains("bird/bird-001: its neighbours in the catalogue are not the nearest"))
        #expect(rows.output.contains("delete \(shop.state)/catalogue.sqlite"))
        // What it says is what helps.
        try FileManager.default.removeItem(atPath: "\(shop.state)/catalogue.sqlite")
        _ = try shop.run("reconcile", "--quiet")
        #expect(try shop.run("verify", "--all").code == 0)

        // Pools: the last that is known is missing from none, but one further up is.
        try change(
            shop,
            """
            row = "FROM pool WHERE product = 'bird/bird-001'"
            entries, = database.execute("SELECT entries " + row).fetchone()
            assert len(entries) > 10 * 8
            database.execute("UPDATE pool SET entries = ? WHERE product = 'bird/bird-001'", [entries[:72] + entries[80:]])
            """)
        let pools = try shop.run("verify", "--all")
        #expect(pools.code == 65)
        #expect(
            pools.output.contains(
                "bird/bird-001: its neighbours in the catalogue's pools are not the nearest"))
    }

    /// Runs Python with the catalogue as `database`.
    private func change(_ shop: Shop, _ statements: String) throws {
        let python = Process()
        python.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        let code = """
            import sqlite3, sys
            database = sqlite3.connect(sys.argv[1])
            \(statements)
            database.commit()
            """
        python.arguments = ["-c", code, "\(shop.state)/catalogue.sqlite"]
        try python.run()
        python.waitUntilExit()
        #expect(python.terminationStatus == 0)
    }

    @Test("products that differ in Unicode spelling alone are two to verify")
    func spellings() throws {
        let shop = try Shop(perCategory: 2)
        for (folder, photo) in [("caf\u{E9}", "bird-001"), ("cafe\u{301}", "bird-002")] {
            try FileManager.default.createDirectory(
                atPath: "\(shop.photos)/\(folder)", withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: "\(shop.photos)/bird/\(photo).jpg", toPath: "\(shop.photos)/\(folder)/a.jpg")
        }
        _ = try shop.run("reconcile", "--quiet")
        let result = try shop.run("verify", "--all")
        #expect(result.code == 0 && result.output.contains("22 products"))
    }

    @Test("verify runs beside the agent while photos come")
    func beside() throws {
        let shop = try Shop(perCategory: 4)
        let agent = try RunningAgent(shop)
        try agent.wait()
        for number in 0..<12 {
            try FileManager.default.copyItem(
                atPath: "\(shop.photos)/bird/bird-001.jpg", toPath: "\(shop.photos)/bird/new-\(number).jpg")
            let result = try shop.run("verify", "--all", "--json")
            let report: Report = try result.json()
            #expect(report.drift.isEmpty && (result.code == 0 || !report.unsettled.isEmpty))
        }
        _ = try agent.wait()
        let report: Report = try shop.run("verify", "--all", "--json").json()
        #expect(report.verified == 52 && report.drift.isEmpty && report.unsettled.isEmpty)
        #expect(agent.stop() == 0)
    }
}
