import Foundation
import GRDB
import GRDBSQLite
import Products
import TestSupport
import Testing

@testable import Catalogue

/// Each write and each flush of the database fails once in each way that it can fail in.
@Suite("A catalogue on a disk that fails")
struct CatalogueFaultTests {
    private static func digest(_ byte: UInt8) -> ContentDigest { ContentDigest(of: [byte]) }

    private static func record(_ name: String) -> ModelRecord {
        ModelRecord(identity: digest(200), name: name, precision: "f32", dimension: 300, recipe: nil)
    }

    private static func store(_ catalogue: Catalogue, _ photos: [(String, UInt8)]) throws {
        let model = try catalogue.number(of: record("m"))
        try catalogue.store(
            images: photos.map { path, content in
                let path = ImagePath(path)!
                return ImageRecord(
                    path: path, product: ProductID(of: path),
                    stamp: FileStamp(bytes: 3, mtimeNanoseconds: 1 << 60), state: .ready(digest(content)))
            },
            embeddings: try photos.map { _, content in
                let values = (0..<300).map { Float(($0 * Int(content)) % 17) + 1 }
                return (digest(content), try Embedding(normalizing: values))
            }, model: model)
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        let code: Int32
        let isLasting: Bool
        let calls: Set<FailingDatabase.Call>

        var testDescription: String { name }
    }

    /// SQLite's codes for what the kernel says; those of SQLITE_IOERR say of which call.
    private static let diskFaults = [
        Fault(name: "full", code: SQLITE_FULL, isLasting: false, calls: [.write, .truncate]),
        Fault(name: "full for good", code: SQLITE_FULL, isLasting: true, calls: [.write, .truncate]),
        Fault(
            name: "cannot write", code: SQLITE_IOERR | 3 << 8, isLasting: false, calls: [.write, .truncate]),
        Fault(name: "cannot flush", code: SQLITE_IOERR | 4 << 8, isLasting: false, calls: [.flush]),
        Fault(
            name: "cannot flush for good", code: SQLITE_IOERR | 4 << 8, isLasting: true, calls: [.flush]),
        Fault(name: "cannot read", code: SQLITE_IOERR | 1 << 8, isLasting: false, calls: [.read]),
        Fault(name: "cannot read for good", code: SQLITE_IOERR | 1 << 8, isLasting: true, calls: [.read]),
        Fault(name: "cannot open", code: SQLITE_CANTOPEN, isLasting: false, calls: [.open]),
        Fault(name: "read-only for good", code: SQLITE_READONLY, isLasting: true, calls: [.write]),
    ]

    /// What an agent does with a catalogue, transaction by transaction.
    private static let steps: [@Sendable (Catalogue) throws -> Void] = [
        { _ = try $0.number(of: record("m")) },
        { try store($0, (1...40).map { ("a/\($0).jpg", UInt8($0)) }) },
        { catalogue in
            let model = try catalogue.number(of: record("m"))
            try catalogue.rank(Departures(), model: model, depth: 2, changing: 40) { transaction in
                for number in 1...40 {
                    try transaction.set(
                        [Neighbour(product: ProductID("a/\(number % 40 + 1)"), score: 0.5)],
                        of: ProductID("a/\(number)"))
                }
                try transaction.noteUpToDate((1...40).map { ProductID("a/\($0)") })
            }
        },
        { _ = try $0.beginPublishing(["products"]) },
        {
            try $0.noteRecommended(try $0.unrecommendedProducts(), due: (1...40).map { ProductID("a/\($0)") })
        },
        { catalogue in
            let model = try catalogue.number(of: record("m"))
            var note = PublicationNote(model: model, parts: ["products"], form: digest(0))
            note.published = (1...40).map { (ProductID("a/\($0)"), digest(UInt8($0))) }
            note.forHook = [ProductID("a/1")]
            try catalogue.notePublished(note)
        },
        { try store($0, [("a/1.jpg", 101), ("b.jpg", 102)]) },
        { try $0.setHeldBack(true) },
        { _ = try $0.prune() },
    ]

    private func dump(_ catalogue: Catalogue) throws -> String {
        try catalogue.read { database in
            let tables = try String.fetchAll(
                database,
                sql: "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            return try tables.map { table in
                let rows = try Row.fetchAll(database, sql: "SELECT * FROM \"\(table)\"")
                return "\(table)\n" + rows.map { "\($0)" }.sorted().joined(separator: "\n")
            }.joined(separator: "\n")
        }
    }

    @Test(
        "it says so, is as before or after the step that failed, and goes on from there",
        arguments: diskFaults)
    func faults(fault: Fault) throws {
        let folder = try TemporaryFolder()
        var states: [String] = []
        do {
            let catalogue = try Catalogue(stateFolder: "\(folder.path)/clean")
            states.append(try dump(catalogue))
            for step in Self.steps {
                try step(catalogue)
                states.append(try dump(catalogue))
            }
        }
        var (number, reported) = (0, 0)
        while true {
            number += 1
            let state = "\(folder.path)/state-\(number)"
            let disk = FailingDatabase(
                below: state, with: fault.code, at: number, isLasting: fault.isLasting, of: fault.calls)
            var done = 0
            do {
                let catalogue = try Catalogue(stateFolder: state)
                for step in Self.steps {
                    try step(catalogue)
                    done += 1
                }
            } catch let error as CatalogueError {
                reported += 1
                #expect(
                    error.systemExit == .inputOutput || error.systemExit == .dataError, "\(error)")
            }
            disk.mend()
            let isOver = disk.injected.isEmpty
            let catalogue = try Catalogue(stateFolder: state)
            let found = try dump(catalogue)
            let isAfter = done + 1 < states.count && found == states[done + 1] && found != states[done]
            #expect(found == states[done] || isAfter, "call \(number), after \(done) steps")
            for step in Self.steps[(isAfter ? done + 1 : done)...] { try step(catalogue) }
            #expect(try dump(catalogue) == states.last, "call \(number)")
            if isOver { break }
        }
        print(
            "catalogue, \(fault.name): \(number - 1) faults injected, \(reported) reported"
        )
        #expect(number > 1 && reported > 0)
    }
}
