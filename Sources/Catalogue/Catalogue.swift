// Catalogue: everything that must survive a restart, in one SQLite database.
//
// Photos, their vectors, the products they form, each product's nearest neighbours, and what has been
// published. A vector belongs to a content and a model, so a photo that is renamed or copied is never
// embedded twice. Whatever stops the program, the database holds a state from which the next run goes on:
// each method that changes something is one transaction.

import Files
import Foundation
import GRDB
import GRDBSQLite
import Products

/// An open catalogue. Methods wait for the disk; call them from threads that may wait. Reads may run on
/// several threads beside one write.
///
/// A process that changes it holds the lock of the state folder, and opens it once. Whoever only looks opens it with
/// `forReading`, beside a running agent too.
///
/// More than 300 lines: in a file for each thing that it keeps, one type has all SQL, so that nothing else meets the database.
package final class Catalogue: Sendable {
    let database: DatabasePool
    package let file: String
    /// Where the catalogue and what belongs to it lie.
    package let stateFolder: String

    package static let fileName = "catalogue.sqlite"
    /// What the write-ahead log is cut to after a large transaction; 64 MB.
    private static let longestLog = 64 << 20

    /// Which file this is, whatever its path leads to by now.
    private let identity: FileIdentity?

    /// Opens the catalogue in a state folder, makes both where they are missing, and brings its tables up to date.
    package init(stateFolder: String) throws(CatalogueError) {
        let file = "\(stateFolder)/\(Self.fileName)"
        do {
            try FileManager.default.createDirectory(atPath: stateFolder, withIntermediateDirectories: true)
        } catch {
            throw .cannotCreate(folder: stateFolder, reason: "\(error.localizedDescription)")
        }
        if try Self.isThere(stateFolder: stateFolder) {
            do throws(CatalogueError) {
                try Self.checkOrigin(file, isReadOnly: true)
            } catch .fromOlderVersion {
                // Killed while it was made: what was begun has to be undone before it can be read.
                try Self.checkOrigin(file, isReadOnly: false)
            }
        }
        self.file = file
        self.stateFolder = stateFolder
        database = try attempt(file) {
            let pool = try DatabasePool(path: file, configuration: Self.configuration(isReadOnly: false))
            try Schema.migrator.migrate(pool)
            return pool
        }
        identity = FileIdentity(of: file)
    }

    /// Opens the catalogue that there is, for reading only; nil where there is none yet. Changes nothing: neither its
    /// tables nor who owns what. Read permission on the state folder and what is in it suffices, whether or not an agent
    /// is running.
    ///
    /// - Throws: also where its tables are those of another version.
    package static func forReading(stateFolder: String) throws(CatalogueError) -> Catalogue? {
        let file = "\(stateFolder)/\(fileName)"
        return try isThere(stateFolder: stateFolder)
            ? Catalogue(reading: file, stateFolder: stateFolder) : nil
    }

    private init(reading file: String, stateFolder: String) throws(CatalogueError) {
        guard access(file, R_OK) == 0 else { throw CatalogueError(reading: file, errno: errno) }
        try Self.checkLog(file)
        self.file = file
        self.stateFolder = stateFolder
        try Self.checkOrigin(file, isReadOnly: true)
        database = try attempt(file) {
            let pool = try DatabasePool(path: file, configuration: Self.configuration(isReadOnly: true))
            guard try pool.read(Schema.migrator.hasCompletedMigrations) else {
                throw CatalogueError.fromOlderVersion(file: file)
            }
            return pool
        }
        identity = FileIdentity(of: file)
    }

    /// Whether there is a catalogue in a state folder.
    ///
    /// - Throws: where something else than a file lies in its place or beside it. SQLite would wait for a pipe, for instance.
    package static func isThere(stateFolder: String) throws(CatalogueError) -> Bool {
        let file = "\(stateFolder)/\(fileName)"
        for path in ["\(file)-journal", "\(file)-wal", "\(file)-shm", file] {
            var status = stat()
            if stat(path, &status) != 0 {
                switch errno {
                case ENOENT where lstat(path, &status) == 0:
                    throw .unreachable(file: path, reason: "it is a link that leads nowhere")
                case ENOENT, ENOTDIR: continue
                case let number: throw CatalogueError(reading: path, errno: number)
                }
            }
            guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path) }
        }
        return access(file, F_OK) == 0
    }

    /// Nothing can be read without the log and its index. SQLite makes them where they are missing; those that another than the
    /// owner made the agent could not write to.
    private static func checkLog(_ file: String) throws(CatalogueError) {
        var status = stat()
        guard stat(file, &status) == 0, geteuid() != 0, geteuid() != status.st_uid else { return }
        guard access("\(file)-wal", R_OK) == 0, access("\(file)-shm", R_OK) == 0 else {
            throw .noLog(file: file)
        }
    }

    /// Refuses what a newer version made, and what is not ours at all.
    private static func checkOrigin(_ file: String, isReadOnly: Bool) throws(CatalogueError) {
        let (isOurs, isNewer) = try attempt(file) {
            try DatabaseQueue(path: file, configuration: configuration(isReadOnly: isReadOnly)).read {
                database in
                // GRDB makes its own table before the first migration.
                let isEmpty =
                    try Int.fetchOne(
                        database,
                        sql:
                            "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> 'grdb_migrations'")
                    == 0
                let isOurs = try isEmpty || !Schema.migrator.completedMigrations(database).isEmpty
                return (isOurs, try isOurs && Schema.migrator.hasBeenSuperseded(database))
            }
        }
        guard isOurs else { throw .foreign(file: file) }
        guard !isNewer else { throw .fromNewerVersion(file: file) }
    }

    private static func configuration(isReadOnly: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = isReadOnly
        configuration.busyMode = .timeout(10)
        configuration.label = "catalogue"
        configuration.prepareDatabase { database in
            // Pages that a long transaction changes; SQLite's default of 2 MB would be written and read many times.
            try database.execute(sql: "PRAGMA cache_size = -32768")
            guard !isReadOnly else { return }
            // The log and its index stay when the catalogue is closed, the log empty: whoever may not write to the folder
            // could not make them, and nothing could be read without them.
            var isPersistent: CInt = 1
            sqlite3_file_control(database.sqliteConnection, nil, SQLITE_FCNTL_PERSIST_WAL, &isPersistent)
            try database.execute(sql: "PRAGMA journal_size_limit = \(longestLog)")
        }
        return configuration
    }

    /// Whether this is still what its path leads to: neither deleted nor replaced.
    package var isInPlace: Bool {
        guard let now = FileIdentity(of: file) else { return errno != ENOENT && errno != ENOTDIR }
        return now == identity
    }

    func read<Value>(_ body: (Database) throws -> Value) throws(CatalogueError) -> Value {
        try attempt(file) { try database.read(body) }
    }

    func write<Value>(_ body: (Database) throws -> Value) throws(CatalogueError) -> Value {
        try attempt(file) { try change(body) }
    }

    /// One transaction. Throws what the body and the database throw.
    func change<Value>(_ body: (Database) throws -> Value) throws -> Value {
        let value = try database.write(body)
        StopPoint.pass("after a change of the catalogue")
        return value
    }

    /// Writes what files are going to show: it is on the disk when this returns, with all that was written before, and a
    /// power cut does not undo it. Docs/explanation/decisions/008-durability.md says which transactions have to be.
    func writeDurably<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try database.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA synchronous = FULL")
            defer { try? database.execute(sql: "PRAGMA synchronous = NORMAL") }
            var value: Value?
            try database.inTransaction {
                value = try body(database)
                return .commit
            }
            StopPoint.pass("after a durable change of the catalogue")
            return value!
        }
    }
}

/// Tells a file from others that were or will be at its path.
private struct FileIdentity: Hashable, Sendable {
    let device: UInt
    let number: UInt

    /// Nil where there is no file.
    init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        (device, number) = (UInt(status.st_dev), UInt(status.st_ino))
    }
}

/// Runs a body and turns GRDB's errors into ours.
func attempt<Value>(_ file: String, _ body: () throws -> Value) throws(CatalogueError) -> Value {
    do {
        return try body()
    } catch let error as CatalogueError {
        throw error
    } catch let error as DatabaseError {
        throw CatalogueError(file: file, error)
    } catch {
        throw .failed(file: file, message: "\(error)")
    }
}

extension Database {
    /// Executes one statement, compiled once for a connection.
    func run(sql: String, arguments: StatementArguments = StatementArguments()) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }
}
