import Foundation
import GRDB
import Products
import Settings
import TestSupport
import Testing

@testable import Catalogue
@testable import Reconciling

/// What an earlier version left in the state folder is what this one goes on from.
@Suite("Catalogues of earlier versions")
struct SchemaUpgradeTests {
    private let folder: TemporaryFolder
    private let manager = FileManager.default

    init() throws {
        folder = try TemporaryFolder()
        try manager.createDirectory(atPath: "\(folder.path)/photos", withIntermediateDirectories: true)
        for number in 1...8 { try add(number) }
    }

    private func add(_ number: Int) throws {
        try manager.copyItem(
            atPath: "\(Repository.catalogue)/bird/bird-00\(number).jpg",
            toPath: "\(folder.path)/photos/\(number).jpg")
    }

    private func reconciler(state: String = "state", output: String = "out") throws -> Reconciler {
        let settings = try Settings(
            """
            [images]
            folder = "photos"
            [output]
            folder = "\(output)"
            [state]
            folder = "\(state)"
            [model]
            folder = "\(Repository.models)"
            """, file: "\(folder.path)/shop.toml")
        return try Reconciler(settings: settings, executable: Repository.agent)
    }

    private func files(_ output: String = "out") throws -> [String: Data] {
        try TemporaryFolder.contents(of: "\(folder.path)/\(output)")
    }

    /// Replaces the state folder by what a version with this schema would have left there: its tables, filled with what it knew.
    ///
    /// - Parameter isDue: that photos have changed since the neighbours were computed, as the first version noted it.
    private func turnBack(to version: Int, isDue: Bool) throws {
        let (state, now) = ("\(folder.path)/state", "\(folder.path)/now")
        try? manager.removeItem(atPath: now)
        try manager.moveItem(atPath: state, toPath: now)
        try manager.createDirectory(atPath: state, withIntermediateDirectories: true)
        if version >= 3 {
            for name in try manager.contentsOfDirectory(atPath: now) where name.hasPrefix("vectors") {
                try manager.copyItem(atPath: "\(now)/\(name)", toPath: "\(state)/\(name)")
            }
        }
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let old = try DatabasePool(path: "\(state)/\(Catalogue.fileName)", configuration: configuration)
        try Schema.migrator.migrate(old, upTo: "\(version)")
        try old.writeWithoutTransaction { database in
            try database.execute(
                sql: "ATTACH DATABASE ? AS now", arguments: ["\(now)/\(Catalogue.fileName)"])
            let tables = try String.fetchAll(
                database, sql: "SELECT name FROM main.sqlite_schema WHERE type = 'table'")
            for table in tables where table != "grdb_migrations" {
                let known = try Set(database.columns(in: table, in: "now").map(\.name))
                let columns = try database.columns(in: table, in: "main").map(\.name).filter(known.contains)
                    .joined(separator: ", ")
                if table == "ranking" {
                    try database.execute(
                        sql: "UPDATE ranking SET (\(columns)) = (SELECT \(columns) FROM now.ranking)")
                } else {
                    try database.execute(
                        sql: "INSERT INTO main.\(table) (\(columns)) SELECT \(columns) FROM now.\(table)")
                }
            }
            if version == 1 {
                try database.execute(sql: "UPDATE ranking SET is_due = ?", arguments: [isDue])
            }
            try database.execute(sql: "DETACH DATABASE now")
        }
        try old.close()
    }

    @Test(
        "are brought up to date: nothing is read again that is known, and the files are a clean run's",
        arguments: [(1, false), (1, true), (2, false), (3, false), (4, false), (5, false), (6, false)])
    func upgrade(version: Int, isDue: Bool) throws {
        #expect(try reconciler().run().read == 8)
        let before = try files()
        try turnBack(to: version, isDue: isDue)

        // Whoever only looks does not change it.
        #expect(throws: CatalogueError.fromOlderVersion(file: "\(folder.path)/state/\(Catalogue.fileName)")) {
            try Catalogue.forReading(stateFolder: "\(folder.path)/state")
        }
        let same = try reconciler().run()
        #expect(same.read == 0 && same.embedded == 0 && same.failed.isEmpty && same.unchanged == 8)
        #expect(try files() == before)

        try turnBack(to: version, isDue: isDue)
        try manager.removeItem(atPath: "\(folder.path)/photos/1.jpg")
        try add(9)
        let changed = try reconciler().run()
        #expect(changed.read == 1 && changed.embedded == 1 && changed.removed == 1)
        #expect(try reconciler(state: "state of a clean run", output: "clean").run().read == 8)
        #expect(try files() == files("clean"))
        let idle = try reconciler().run()
        #expect(idle.read == 0 && idle.published.written == 0 && idle.products == 8)
    }

    /// The SHA-256 of each version's tables, as SQLite has them.
    static let digests = [
        "1cf5850e396788fc294241a9d0db435d7d64b5e4be6cb430e20d6852d98f6599",
        "cff3b274d8959c611d6be3c945442b1153db9d11152efd822185ad559e252cb1",
        "410b6635022ea83fc97269044c4282f70e520830b56dc29968273c56100b6495",
        "8ed9310ea156721ddbdbde5507c05d3c9a64e4b801a43ffde1bee8d8f1f06c4f",
        "d2ef800ddfa7593c083dcc18649b71af1f81b4c05cd9127c5c58812b3c1d0bd7",
        "e314cc1793b19afe38f05364a0aea11e6344a1bce7e46b5a13e5efc4e1d5896d",
        "9f669c687a06503c6ec3f58496bdf90b23931e8f1d6e1a3f6ca3360e1f99423e",
    ]

    @Test("have the tables that were released", arguments: zip(1...7, digests))
    func released(version: Int, digest: String) throws {
        let database = try DatabaseQueue()
        try Schema.migrator.migrate(database, upTo: "\(version)")
        let tables = try database.read {
            try String.fetchAll(
                $0, sql: "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name")
        }
        let words = tables.joined(separator: "\n").split(whereSeparator: \.isWhitespace)
        #expect(
            "\(ContentDigest(of: Array(words.joined(separator: " ").utf8)))" == digest,
            "a migration that has been released is never changed")
    }
}
